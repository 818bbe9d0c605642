"""The churn curve out of time: Brier score and bias at each day, beside an exponential curve.

`python -m benchmarks.when [CUSTOMERS]` uses a generated company with both labels and, where
SETIA_DATA names a folder with the data of examples/, CDNOW and online retail. Models learn only
what was known before the cutoff; the curve and the exponential pass through the same propensity.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.company.generate import generate_company
from features.config import PipelineConfig, load_config
from features.engine import configured_snapshot
from features.ingest.run import ingest
from features.labels import latest_matured
from training.fitting import fit_models
from training.rows import churn_rows
from training.timing.hazard import Hazard
from training.timing.hazard_fit import event_timing, fit_hazard

DAYS = (7, 14, 30, 60, 90, 120, 180)
AGREEMENT = 0.01
_DRAWS = 400
_EXAMPLES = Path(__file__).parent.parent / "examples"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Predicted churn by both curves and what happened, customers x days."""

    days: tuple[int, ...]
    hazard: Hazard
    curve: Floats
    exponential: Floats
    churned: Floats
    propensity: Floats

    @property
    def disagreement(self) -> float:
        """The largest difference of curve and propensity at the churn horizon."""
        at = self.days.index(self.hazard.horizon_days)
        return float(np.abs(self.curve[:, at] - self.propensity).max())

    def gain(self) -> tuple[float, float, float]:
        """Brier score that the curve saves over the days but the horizon, with its 95 % interval.

        Customers are drawn again with replacement.
        """
        others = np.array(self.days) != self.hazard.horizon_days
        worse, ours = (
            ((curve - self.churned) ** 2)[:, others].mean(axis=1)
            for curve in (self.exponential, self.curve)
        )
        saved, rng = worse - ours, np.random.default_rng(7)
        draws = [saved[rng.integers(0, len(saved), len(saved))].mean() for _ in range(_DRAWS)]
        low, high = np.percentile(draws, [2.5, 97.5])
        return float(saved.mean()), float(low), float(high)


def judge(config: PipelineConfig, watched: int) -> Judged:
    """Fit on what was known `watched` days before the data ends, and look at what then happened."""
    snapshot = configured_snapshot(config)
    cutoff, end = latest_matured(snapshot, watched), snapshot.manifest.watermark
    rows = churn_rows(snapshot, config, cutoff)
    fitted = fit_models(rows, config.training).models
    learned, seen = rows.train, event_timing(snapshot, config, rows.train, cutoff)
    fitted_at = fitted.predict(learned.X).propensity
    hazard = fit_hazard(learned, fitted_at, seen, config.churn, config.timezone)
    constant = hazard.model_copy(
        update={"log_hazard": tuple(tuple(0.0 for _ in knot) for knot in hazard.log_hazard)}
    )
    days = tuple(sorted({day for day in DAYS if day <= watched} | {config.churn.horizon_days}))
    X, asked = rows.test.X, np.array(days, dtype=np.float64)
    propensity = fitted.predict(X).propensity
    curve, exponential = (
        one.curve(asked, propensity, X, rows.test.contract) for one in (hazard, constant)
    )
    happened = event_timing(snapshot, config, rows.test, end).day[:, None] < asked
    churned = happened if hazard.event == "end" else ~happened
    return Judged(days, hazard, curve, exponential, churned.astype(np.float64), propensity)


def main(customers: int = 5_000) -> int:
    """Print every table; 0 when curve and churn model agree everywhere."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        for label, config in _companies(Path(name), customers):
            for watched in sorted({config.churn.horizon_days, DAYS[-1]}):
                judged = judge(config, watched)
                worst = max(worst, judged.disagreement)
                _print(f"{label}, {watched} days before the end", judged)
    print(f"largest disagreement with the churn model: {worst:.1e} (at most {AGREEMENT})")
    return 0 if worst <= AGREEMENT else 1


def _companies(folder: Path, customers: int) -> Iterator[tuple[str, PipelineConfig]]:
    generated = load_config(generate_company(folder / "generated", customers).config)
    ingest(generated)
    yield "generated, inactivity", generated
    churn = generated.churn.model_copy(update={"label": "subscription"})
    yield "generated, subscription", generated.model_copy(update={"churn": churn})
    for name in ("cdnow", "online-retail") if "SETIA_DATA" in os.environ else ():
        config = load_config(_EXAMPLES / name / "pipeline.yaml")
        config = config.model_copy(update={"workspace": folder / name})
        ingest(config)
        yield name, config


def _print(title: str, judged: Judged) -> None:
    shape = "constant" if judged.hazard.is_constant else "learned"
    print(f"\n{title}: {len(judged.churned):,} customers, {shape} hazard")
    print("  days  churned   curve: Brier    bias   exponential: Brier    bias")
    for at, day in enumerate(judged.days):
        seen = judged.churned[:, at]
        told = [
            f"{((one[:, at] - seen) ** 2).mean():.4f}  {one[:, at].mean() - seen.mean():+.3f}"
            for one in (judged.curve, judged.exponential)
        ]
        print(f"  {day:4}    {seen.mean():.3f}         {told[0]}                {told[1]}")
    print("  Brier saved, mean over days: {:+.4f} [{:+.4f}, {:+.4f}]".format(*judged.gain()))


if __name__ == "__main__":
    raise SystemExit(main(*(int(argument) for argument in sys.argv[1:2])))
