"""A yearly season: the models as last year's moves them, beside the same models left alone.

`python -m benchmarks.season [CUSTOMERS [SEEDS]]` generates companies of 1,200 days: with no season,
with the usual one, and with one from 1.6 times the mean pace in December to its inverse in June.
Each is asked about the 90 days after four cutoffs a quarter apart, so every season is ahead once;
of its tables only the orders are read.
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.uplift_company import HORIZON_DAYS, ninety_days
from features.company.generate import END, PLANTED, generate_company
from features.config import PipelineConfig
from features.ingest.run import ingest
from features.snapshot import Snapshot, open_snapshot
from features.windows import start_of_day
from training.fitting import Fitted, fit_models, with_value
from training.metrics import brier, measure
from training.rows import Rows, ValueRows, churn_rows, value_rows
from training.season import Season

CUSTOMERS, SEEDS = 2_000, 5
DAYS = 1_200
QUARTERS = (92, 183, 274, 365)
"""Days before the end at which the models stand."""
SEASONS = {"none": 0.0, "usual": PLANTED.seasonality, "strong": float(np.log(1.6))}
"""Log-amplitudes."""
COLUMNS = ("Brier", "orders total off by", "CLV total off by")


@dataclass(frozen=True)
class Judged:
    """One cutoff: to how many of three quantities the season was applied, and the errors."""

    applied: int
    left_alone: tuple[float, ...]
    moved: tuple[float, ...]
    """By `COLUMNS`; totals as the size of the log of predicted over actual."""


def main() -> int:
    """Print each season's means; 0 when a strong one helps and without one nothing is lost."""
    customers, seeds = [int(one) for one in sys.argv[1:]] or [CUSTOMERS, SEEDS]
    gains = {}
    for name, amplitude in SEASONS.items():
        found = [one for seed in range(seeds) for one in _company(customers, seed + 1, amplitude)]
        gains[name] = _printed(name, found)
    kept = (gains["strong"] > 0).all() and (gains["none"] > -0.005).all()
    print(f"promise kept: {kept}")
    return 0 if kept else 1


def _printed(name: str, found: list[Judged]) -> np.ndarray:
    """The mean gain by column."""
    share = np.mean([one.applied for one in found]) / len(COLUMNS)
    print(f"season {name}: {len(found)} cutoffs of generated companies, applied {share:.0%}")
    before = np.array([one.left_alone for one in found])
    after = np.array([one.moved for one in found])
    gain = before - after
    error = gain.std(axis=0, ddof=1) / np.sqrt(len(found))
    for place, column in enumerate(COLUMNS):
        print(
            f"  {column:20s} {before[:, place].mean():.4f} to {after[:, place].mean():.4f}, "
            f"gain {gain[:, place].mean():+.4f} (standard error {error[place]:.4f})",
            flush=True,
        )
    return np.asarray(gain.mean(axis=0))


def _company(customers: int, seed: int, amplitude: float) -> list[Judged]:
    effects = replace(PLANTED, seasonality=amplitude)
    with tempfile.TemporaryDirectory() as name:
        made = generate_company(Path(name), customers, seed=seed, days=DAYS, effects=effects)
        config = _of_orders(ninety_days(made.config))
        ingest(config)
        snapshot = open_snapshot(config.workspace / "snapshots")
        found = [_at(snapshot, config, back) for back in QUARTERS]
        snapshot.connection.close()
    return found


def _of_orders(config: PipelineConfig) -> PipelineConfig:
    """The configuration with orders alone, and CLV over churn's horizon."""
    clv = config.clv.model_copy(update={"horizon_days": HORIZON_DAYS})
    orders = {"orders": config.sources["orders"]}
    return config.model_copy(update={"clv": clv, "sources": orders})


def _at(snapshot: Snapshot, config: PipelineConfig, days_back: int) -> Judged:
    cutoff = start_of_day(END - timedelta(days=days_back), config.zone)
    churn = churn_rows(snapshot, config, cutoff)
    value = value_rows(snapshot, config, churn.train.contract, cutoff)
    moved = _fitted(churn, value, config)
    applied = [*moved.seasonal("churn").values(), *moved.seasonal("clv").values()]
    after = _errors(moved, churn, value)
    if not any(applied):
        return Judged(0, after, after)
    churn = replace(churn, basis=replace(churn.basis, season=Season()))
    value = replace(value, basis=replace(value.basis, season=Season()))
    return Judged(sum(applied), _errors(_fitted(churn, value, config), churn, value), after)


def _fitted(churn: Rows, value: ValueRows, config: PipelineConfig) -> Fitted:
    return with_value(fit_models(churn, config.training), value, config.training)


def _errors(fitted: Fitted, churn: Rows, value: ValueRows) -> tuple[float, ...]:
    said, worth = fitted.models.predict(churn.test.X), np.asarray(value.test and value.test.value)
    pairs = ((said.expected_orders, np.asarray(churn.test.orders)), (said.clv, worth))
    totals = (abs(float(np.log(one.sum() / came.sum()))) for one, came in pairs)
    return (measure(brier, np.asarray(churn.test.churned), said.propensity), *totals)


if __name__ == "__main__":
    raise SystemExit(main())
