"""A model beside other methods: each metric with its interval, and the paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.metrics import Metric, Vector, bootstrap, measure

MODEL = "model"
CHAMPION = "champion"

_LOWER_IS_BETTER = frozenset(("brier", "log_loss", "ece", "rmse", "mae", "decile_error"))
_WORDS = {"auc": "AUC", "gini": "Gini", "rmse": "RMSE"}
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A metric on the test rows and the 95 % bootstrap interval around it."""

    point: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.point)} {self.interval}"

    @property
    def interval(self) -> str:
        """The interval alone, in brackets."""
        return f"[{number(self.low)}, {number(self.high)}]"

    def __neg__(self) -> "Estimate":
        return Estimate(-self.point, -self.high, -self.low)


Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """Metrics by method, and by baseline the paired difference of the model from it."""

    methods: Mapping[str, Estimates]
    differences: Mapping[str, Estimates]

    def gain(self, baseline: str, metric: str) -> Estimate:
        """How much better the model is than `baseline`: positive is better, whatever the metric."""
        difference = self.differences[baseline][metric]
        return -difference if metric in _LOWER_IS_BETTER else difference

    def table(self) -> list[dict[str, Any]]:
        """One row per method and metric: method, metric, value, low, high, rows of differences.

        `difference`, `difference_low` and `difference_high` are model minus baseline, None in
        the model's own rows.
        """
        return [
            {
                "method": method,
                "metric": metric,
                "value": found.point,
                "low": found.low,
                "high": found.high,
                **_difference_cells(self.differences.get(method, {}).get(metric)),
            }
            for method, estimates in self.methods.items()
            for metric, found in estimates.items()
        ]


def compare(
    by_name: Mapping[str, Metric],
    actual: Vector,
    predictions: Mapping[str, Vector],
    customer_id: npt.NDArray[Any],
    *,
    draws: int,
    seed: int,
) -> Comparison:
    """Measure every method, with intervals over customers drawn with replacement.

    Differences are those of the method called "model" from each other one, paired by draw.
    """
    drawn = bootstrap(by_name, actual, predictions, customer_id, draws=draws, seed=seed)
    points = {
        method: {name: measure(metric, actual, predicted) for name, metric in by_name.items()}
        for method, predicted in predictions.items()
    }
    methods = {
        method: {name: _estimate(point, drawn[method][name]) for name, point in found.items()}
        for method, found in points.items()
    }
    differences = {
        method: {
            name: _estimate(points[MODEL][name] - point, drawn[MODEL][name] - drawn[method][name])
            for name, point in found.items()
        }
        for method, found in points.items()
        if method != MODEL
    }
    return Comparison(methods, differences)


def verdicts(comparison: Comparison, by: Sequence[str]) -> tuple[str, ...]:
    """One sentence per baseline and metric of `by`: beats it, ties with it, or is worse."""
    return tuple(
        _verdict(baseline, _WORDS[name], comparison.gain(baseline, name))
        for baseline, differences in comparison.differences.items()
        for name in by
        if np.isfinite(differences[name].point)
    )


def tracked(task: str, comparison: Comparison) -> dict[str, float]:
    """The model's metrics with their bounds, and its differences, by name; NaN left out."""
    numbers: dict[str, float] = {}
    for name, found in comparison.methods[MODEL].items():
        numbers |= {
            f"{task}_{name}": found.point,
            f"{task}_{name}_low": found.low,
            f"{task}_{name}_high": found.high,
        }
    for baseline, differences in comparison.differences.items():
        slug = baseline.lower().replace(" ", "_")
        numbers |= {f"{task}_{name}_vs_{slug}": d.point for name, d in differences.items()}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def number(value: float) -> str:
    """Three decimals for shares and ratios, thousands marked for money; never a minus zero."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 3) + 0.0:.3f}"


def _estimate(point: float, draws: Vector) -> Estimate:
    """Percentile interval over the draws that could say anything."""
    known = draws[np.isfinite(draws)]
    low, high = np.percentile(known, _LEVEL) if known.size else (np.nan, np.nan)
    return Estimate(point, float(low), float(high))


def _verdict(baseline: str, metric: str, gain: Estimate) -> str:
    if gain.low > 0:
        return f"Beats {baseline} by {number(gain.point)} {metric} {gain.interval}."
    if gain.high < 0:
        return f"Is worse than {baseline} by {number(-gain.point)} {metric} {(-gain).interval}."
    return f"Ties with {baseline}: {metric} differs by {gain}."


def _difference_cells(found: Estimate | None) -> dict[str, float | None]:
    return {
        "difference": found.point if found else None,
        "difference_low": found.low if found else None,
        "difference_high": found.high if found else None,
    }
