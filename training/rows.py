"""The rows of a training run: what teaches each model, what judges it, what it is refitted on."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from features.config import PipelineConfig
from features.feature_contract import FeatureContract
from features.labels import ImmatureCutoff, require_matured
from features.snapshot import Snapshot
from features.spine import require_usable
from features.windows import local_day
from training.dataset import (
    CannotTrain,
    Dataset,
    NotEnoughHistory,
    build_dataset,
    plan_split,
    require_trainable,
    split_customers,
)


@dataclass(frozen=True)
class Rows:
    """Labelled rows for churn; no training label reaches past the test cutoff."""

    train: Dataset
    test: Dataset
    refit: Dataset
    """What the served model learns from; in a backtest the same as `train`."""


@dataclass(frozen=True)
class ValueRows:
    """Labelled rows for CLV; no training label reaches past the test cutoff."""

    train: Dataset
    test: Dataset | None
    """None in a backtest whose value horizon is not over: predicted, but not judged."""
    refit: Dataset


class NoValueModel(ValueError):
    """Value cannot be modelled for this company; the message says why and what would help."""


def churn_rows(snapshot: Snapshot, config: PipelineConfig, before: datetime | None = None) -> Rows:
    """Rows for churn, split by time, or by customer when the label is given without a time.

    `before` makes it the test cutoff and lets nothing from it on be learned.

    Raises CutoffError, NotEnoughHistory, CannotTrain and ImmatureCutoff as their makers do.
    """
    if config.churn.label == "column":
        every = build_dataset(snapshot, config, (snapshot.manifest.watermark,), "churn")
        train, test = split_customers(every)
        return Rows(train, test, every)
    if before is not None:
        require_usable(snapshot, [before])
        require_matured(snapshot, [before], config.churn.horizon_days)
    split = plan_split(snapshot, config, config.churn.horizon_days, before)
    train = build_dataset(snapshot, config, split.train, "churn")
    contract = train.contract
    test = build_dataset(snapshot, config, (split.test,), "churn", contract)
    refit = train if before else build_dataset(snapshot, config, split.refit, "churn", contract)
    return Rows(train, test, refit)


def value_rows(
    snapshot: Snapshot,
    config: PipelineConfig,
    contract: FeatureContract,
    before: datetime | None = None,
) -> ValueRows:
    """Rows for CLV under the churn rows' contract, so that one matrix serves both models.

    Raises NoValueModel when there are no orders or the history is too short for the horizon.
    """
    if "orders" not in snapshot.manifest.tables:
        raise NoValueModel("the company has no orders, so there is no value to learn")
    if config.churn.label == "column":
        raise NoValueModel("churn labels without a time give no cutoff at which to ask for value")

    def rows_at(cutoffs: tuple[datetime, ...]) -> Dataset:
        return build_dataset(snapshot, config, cutoffs, "clv", contract)

    try:
        split = plan_split(snapshot, config, config.clv.horizon_days, before)
        train = rows_at(split.train)
        require_trainable(train)
    except (NotEnoughHistory, CannotTrain, ImmatureCutoff) as error:
        raise NoValueModel(f"{error} (clv.horizon_days can be shorter)") from None
    if before is None:
        return ValueRows(train, rows_at((split.test,)), rows_at(split.refit))
    try:
        return ValueRows(train, rows_at((split.test,)), train)
    except ImmatureCutoff:
        return ValueRows(train, None, train)


def cutoffs_of(data: Dataset) -> tuple[datetime, ...]:
    """The different cutoffs of the rows as aware UTC, oldest first."""
    seen = np.unique(data.cutoff).astype("datetime64[us]").tolist()
    return tuple(instant.replace(tzinfo=UTC) for instant in seen)


def days(data: Dataset, config: PipelineConfig) -> str:
    """The rows' cutoffs as local dates, for people: one day, or first to last with their number."""
    cutoffs = cutoffs_of(data)
    first, last = (local_day(cutoff, config.zone) for cutoff in (cutoffs[0], cutoffs[-1]))
    return str(first) if first == last else f"{first} to {last} ({len(cutoffs)} cutoffs)"
