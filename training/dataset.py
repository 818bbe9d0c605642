"""Labelled rows to learn from: which cutoffs train, which one judges, and their matrices."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.config import PipelineConfig
from features.feature_contract import FeatureContract, Matrix
from features.labels import churn_labels, latest_matured, value_labels
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA, eligible_spine
from features.windows import local_day, shift_days
from training.matrix import feature_matrix

Vector = npt.NDArray[np.float64]
Task = Literal["churn", "clv"]

_FEWEST_ROWS = 50
_FEWEST_OF_A_KIND = 10
FEWEST_HISTORY_DAYS = 30
_TEST_SHARE = 0.25


class NotEnoughHistory(ValueError):
    """The snapshot is too short for one training label window before the test cutoff."""


class CannotTrain(ValueError):
    """The labelled rows cannot teach a model; the message says why and what to change."""


@dataclass(frozen=True)
class Dataset:
    """One row per customer and cutoff: the model's inputs and what then happened."""

    X: Matrix
    """Rows x features, in the contract's order, NaN where unknown."""
    customer_id: npt.NDArray[np.str_]
    cutoff: npt.NDArray[np.datetime64]
    """datetime64[us], UTC."""
    contract: FeatureContract
    churned: Vector | None = None
    """1.0 churned, 0.0 stayed, within the churn horizon."""
    value: Vector | None = None
    """Net contribution within the CLV horizon, in the configured currency."""
    orders: Vector | None = None
    """Purchase days within the task's horizon."""

    def __len__(self) -> int:
        return len(self.customer_id)

    def rows(self, mask: npt.NDArray[Any] | slice) -> "Dataset":
        """The rows that `mask` (booleans, positions or a slice) picks, in its order."""
        return replace(
            self,
            X=self.X[mask],
            customer_id=self.customer_id[mask],
            cutoff=self.cutoff[mask],
            churned=None if self.churned is None else self.churned[mask],
            value=None if self.value is None else self.value[mask],
            orders=None if self.orders is None else self.orders[mask],
        )


@dataclass(frozen=True)
class Split:
    """Cutoffs by use, each oldest first; no training label window reaches past `test`."""

    train: tuple[datetime, ...]
    test: datetime
    refit: tuple[datetime, ...]
    """The latest matured cutoffs, `test` among them, for the model that is served."""
    horizon_days: int


def plan_split(
    snapshot: Snapshot,
    config: PipelineConfig,
    horizon_days: int,
    before: datetime | None = None,
) -> Split:
    """Choose cutoffs for models of `horizon_days`.

    The test cutoff is the latest matured one. Training cutoffs start one horizon before it and
    go back every `cutoff_every_days`, as many as `training.cutoffs` and as have behind them
    half a horizon of history, at least 30 days. `before` plans a backtest at that cutoff: it is
    the test, and nothing from it on is learned, so `refit` is `train`.

    Raises NotEnoughHistory when not one training cutoff remains.
    """
    test = before or latest_matured(snapshot, horizon_days)
    first_train = shift_days(test, -horizon_days, snapshot.zone)
    train = _cutoffs_back_from(first_train, snapshot, config, horizon_days)
    if not train:
        raise NotEnoughHistory(_too_short(snapshot, horizon_days, test, before))
    refit = train if before else _cutoffs_back_from(test, snapshot, config, horizon_days)
    return Split(train, test, refit, horizon_days)


def _cutoffs_back_from(
    latest: datetime, snapshot: Snapshot, config: PipelineConfig, horizon_days: int
) -> tuple[datetime, ...]:
    """`latest` and earlier cutoffs with enough history behind them, oldest first."""
    earliest = shift_days(snapshot.manifest.first, _history_days(horizon_days), snapshot.zone)
    every, zone = config.training.cutoff_every_days, snapshot.zone
    cutoffs = (shift_days(latest, -every * k, zone) for k in range(config.training.cutoffs))
    return tuple(sorted(cutoff for cutoff in cutoffs if cutoff >= earliest))


def _history_days(horizon_days: int) -> int:
    """Days that must lie behind a training cutoff for its features to mean something."""
    return max(FEWEST_HISTORY_DAYS, horizon_days // 2)


def _too_short(
    snapshot: Snapshot, horizon_days: int, test: datetime, before: datetime | None
) -> str:
    zone = snapshot.zone
    start, stand = local_day(snapshot.manifest.first, zone), local_day(test, zone)
    behind = max((stand - start).days, 0)
    needed = horizon_days + _history_days(horizon_days)
    # Without a fixed test cutoff a shorter horizon also moves the test later.
    longest = _longest_horizon(behind, 1) if before else _longest_horizon(behind + horizon_days, 2)
    hint = f"the longest horizon that fits is {longest}" if longest else "bring a longer history"
    begins = f"{behind} days before, on {start}" if behind else f"only on {start}"
    return (
        f"a horizon of {horizon_days} days judged at {stand} needs {needed} days of history "
        f"before it ({horizon_days} for a training label, {needed - horizon_days} for its "
        f"features), but the data starts {begins}; {hint}"
    )


def _longest_horizon(days: int, windows: int) -> int:
    """The longest horizon of which `windows` and the history before them fit into `days`."""
    fitting = (h for h in range(days, 0, -1) if windows * h + _history_days(h) <= days)
    return next(fitting, 0)


def build_dataset(
    snapshot: Snapshot,
    config: PipelineConfig,
    cutoffs: Sequence[datetime],
    task: Task,
    contract: FeatureContract | None = None,
) -> Dataset:
    """Features and labels of every eligible customer at each of `cutoffs`.

    Without `contract` the rows are for training: the contract is the catalogue's, with the
    categories seen here, and labels use nothing later than the last horizon's end. Task "churn"
    fills `churned`, and `orders` where there are orders; "clv" fills `value` and `orders`.

    Raises CannotTrain, without `contract`, when the rows cannot teach a model; ImmatureCutoff and
    LabelError as the labels do.
    """
    spine = eligible_spine(snapshot, config.churn, cutoffs)
    known_before = _end_of_labels(snapshot, config, cutoffs) if contract is None else None
    labels = _labels(snapshot, config, spine, task, known_before)
    data = _with_labels(spine_rows(snapshot, config, spine, contract), labels)
    if contract is None:
        require_trainable(data)
    return data


def labelled(data: Dataset, snapshot: Snapshot, config: PipelineConfig, task: Task) -> Dataset:
    """`data` with what then happened, as `build_dataset` tells it.

    Raises ImmatureCutoff and LabelError as the labels do.
    """
    columns = [pa.array(data.customer_id.tolist()), pa.array(data.cutoff)]
    spine = pa.table(columns, names=SPINE_SCHEMA.names).cast(SPINE_SCHEMA)
    return _with_labels(data, _labels(snapshot, config, spine, task, None))


def _with_labels(data: Dataset, labels: Mapping[str, Vector]) -> Dataset:
    churned, value, orders = (labels.get(name) for name in ("churned", "value", "orders"))
    return replace(data, churned=churned, value=value, orders=orders)


def unlabelled_rows(
    snapshot: Snapshot, config: PipelineConfig, cutoff: datetime, contract: FeatureContract
) -> Dataset:
    """Features, under `contract`, of every eligible customer at `cutoff`; none may be."""
    spine = eligible_spine(snapshot, config.churn, (cutoff,))
    return spine_rows(snapshot, config, spine, contract)


def spine_rows(
    snapshot: Snapshot, config: PipelineConfig, spine: pa.Table, contract: FeatureContract | None
) -> Dataset:
    """Features of the rows of `spine`, under the catalogue's contract where none is given."""
    X, known = feature_matrix(snapshot, config, spine, contract)
    return Dataset(
        X=X,
        customer_id=np.array(spine["customer_id"].to_pylist(), dtype=np.str_),
        cutoff=spine["cutoff"].to_numpy().astype("datetime64[us]"),
        contract=known,
    )


def split_customers(data: Dataset) -> tuple[Dataset, Dataset]:
    """Train and test rows, three quarters and one quarter of customers, by a hash of their id."""
    digests = [hashlib.sha256(customer.encode()).digest() for customer in data.customer_id]
    place = np.array([int.from_bytes(digest[:4]) for digest in digests]) / 2**32
    return data.rows(place >= _TEST_SHARE), data.rows(place < _TEST_SHARE)


def require_trainable(data: Dataset) -> None:
    """Raise CannotTrain, saying what to change, unless the rows can teach a model."""
    customers = len(np.unique(data.customer_id))
    if customers < 2 or len(data) < _FEWEST_ROWS:
        raise CannotTrain(
            f"too little to learn from: labelled rows {len(data)}, customers {customers} (at least "
            f"{_FEWEST_ROWS} rows of several customers are needed); bring more customers, raise "
            "churn.eligible_days, or raise training.cutoffs"
        )
    if data.churned is not None:
        _require_both_kinds(data.churned)
    if data.value is not None and (data.value > 0).sum() < _FEWEST_OF_A_KIND:
        raise CannotTrain(
            f"only {(data.value > 0).sum()} of {len(data)} rows brought in any value (at least "
            f"{_FEWEST_OF_A_KIND} are needed); raise clv.horizon_days, or check orders.amount"
        )


def _require_both_kinds(churned: Vector) -> None:
    left, stayed = int(churned.sum()), int((1 - churned).sum())
    if min(left, stayed) >= _FEWEST_OF_A_KIND:
        return
    fewer, change = (
        ("churned", "shorten churn.horizon_days (for subscriptions, lengthen it)")
        if left < stayed
        else ("stayed", "lengthen churn.horizon_days (for subscriptions, shorten it)")
    )
    raise CannotTrain(
        f"{left} of {len(churned)} rows churned and {stayed} stayed; at least "
        f"{_FEWEST_OF_A_KIND} that {fewer} are needed: {change}, or check churn.label"
    )


def _end_of_labels(
    snapshot: Snapshot, config: PipelineConfig, cutoffs: Sequence[datetime]
) -> datetime:
    return shift_days(max(cutoffs), config.churn.horizon_days, snapshot.zone)


def _labels(
    snapshot: Snapshot,
    config: PipelineConfig,
    spine: pa.Table,
    task: Task,
    known_before: datetime | None,
) -> dict[str, Vector]:
    """Label arrays by their name in Dataset."""
    if task == "clv":
        valued = value_labels(snapshot, config, spine, config.clv.horizon_days)
        return {name: _numbers(valued, name) for name in ("value", "orders")}
    labels = {"churned": _numbers(churn_labels(snapshot, config, spine, known_before), "churned")}
    if config.churn.label != "column" and "orders" in snapshot.manifest.tables:
        valued = value_labels(snapshot, config, spine, config.churn.horizon_days)
        labels["orders"] = _numbers(valued, "orders")
    return labels


def _numbers(table: pa.Table, name: str) -> Vector:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
