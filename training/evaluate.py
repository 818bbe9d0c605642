"""How a model fares against the baselines on the test cutoff, with intervals and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training import metrics
from training.curves import Bin, Coverage, Gains, coverage, gains, reliability
from training.dataset import Dataset, Vector
from training.metrics import Metric, bootstrap, measure

MODEL = "model"

CHURN_METRICS: Mapping[str, Metric] = {
    "auc": metrics.roc_auc,
    "average_precision": metrics.average_precision,
    "brier": metrics.brier,
    "log_loss": metrics.log_loss,
    "ece": metrics.expected_calibration_error,
    "top_decile_lift": metrics.top_lift,
}
VALUE_METRICS: Mapping[str, Metric] = {
    "gini": metrics.normalised_gini,
    "spearman": metrics.spearman,
    "rmse": metrics.rmse,
    "mae": metrics.mae,
    "decile_error": metrics.decile_error,
    "total_ratio": metrics.total_ratio,
    "top_decile_capture": metrics.top_capture,
}
_LOWER_IS_BETTER = frozenset(("brier", "log_loss", "ece", "rmse", "mae", "decile_error"))
_WORDS = {"auc": "AUC", "gini": "Gini", "rmse": "RMSE"}
_LEVEL = (2.5, 97.5)


class CannotJudge(ValueError):
    """The test rows cannot tell a good model from a bad one; the message says why."""


@dataclass(frozen=True)
class Estimate:
    """A metric on the test rows and the 95 % bootstrap interval around it."""

    point: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_number(self.point)} [{_number(self.low)}, {_number(self.high)}]"


Estimates = Mapping[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """Metrics by method, and by baseline the paired difference of the model from it."""

    methods: Mapping[str, Estimates]
    differences: Mapping[str, Estimates]

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


@dataclass(frozen=True)
class ChurnEvaluation:
    """The verdict on a churn model over one test cutoff."""

    rows: int
    base_rate: float
    comparison: Comparison
    no_skill: bool
    """The model's AUC interval does not lie wholly above 0.5: its ranking may be chance."""
    verdicts: tuple[str, ...]
    reliability: list[Bin]
    gains: Gains

    def metrics(self) -> dict[str, float]:
        """Numbers to track, named like `churn_auc`, `churn_auc_low`, `churn_auc_vs_base_rate`."""
        return {"churn_base_rate": self.base_rate} | _tracked("churn", self.comparison)


@dataclass(frozen=True)
class ValueEvaluation:
    """The verdict on a CLV model over one test cutoff; money in the configured currency."""

    rows: int
    mean_value: float
    comparison: Comparison
    verdicts: tuple[str, ...]
    deciles: list[Bin]
    coverage: Coverage

    def metrics(self) -> dict[str, float]:
        """Numbers to track, named like `clv_gini`, `clv_interval_coverage_buyers`."""
        covered = {
            f"clv_interval_coverage_{name}": getattr(self.coverage, name)
            for name in ("overall", "buyers", "top_decile")
        }
        tracked = {"clv_mean_value": self.mean_value} | _tracked("clv", self.comparison)
        return tracked | {name: share for name, share in covered.items() if np.isfinite(share)}


def judge_churn(
    test: Dataset, predictions: Mapping[str, Vector], *, draws: int, seed: int
) -> ChurnEvaluation:
    """Judge the propensities of "model" against those of every other method.

    Raises CannotJudge when the test rows all churned or all stayed.
    """
    churned = _known(test.churned)
    if not 0 < churned.sum() < len(churned):
        raise CannotJudge(
            f"all {len(churned)} test customers {'churned' if churned.any() else 'stayed'}; "
            "no metric can tell a good ranking from a bad one: judge at another cutoff"
        )
    drawn = bootstrap(CHURN_METRICS, churned, predictions, test.customer_id, draws=draws, seed=seed)
    comparison = _compare(CHURN_METRICS, churned, predictions, drawn)
    auc = comparison.methods[MODEL]["auc"]
    no_skill = auc.low <= 0.5
    return ChurnEvaluation(
        rows=len(churned),
        base_rate=float(churned.mean()),
        comparison=comparison,
        no_skill=no_skill,
        verdicts=(*_skill(auc), *_verdicts(comparison, ("auc",))),
        reliability=reliability(churned, predictions[MODEL]),
        gains=gains(churned, predictions[MODEL]),
    )


def judge_value(
    test: Dataset,
    predictions: Mapping[str, Vector],
    interval: tuple[Vector, Vector],
    *,
    draws: int,
    seed: int,
) -> ValueEvaluation:
    """Judge the values of "model", and its 90 % intervals, against every other method.

    Raises CannotJudge when the test rows brought in nothing.
    """
    value = _known(test.value)
    if value.sum() <= 0:
        raise CannotJudge(
            f"the {len(value)} test customers brought in {value.sum():.2f} in total; "
            "values cannot be judged: choose another cutoff or a longer clv.horizon_days"
        )
    drawn = bootstrap(VALUE_METRICS, value, predictions, test.customer_id, draws=draws, seed=seed)
    comparison = _compare(VALUE_METRICS, value, predictions, drawn)
    return ValueEvaluation(
        rows=len(value),
        mean_value=float(value.mean()),
        comparison=comparison,
        verdicts=_verdicts(comparison, ("gini", "rmse")),
        deciles=reliability(value, predictions[MODEL]),
        coverage=coverage(value, predictions[MODEL], *interval),
    )


def _compare(
    by_name: Mapping[str, Metric],
    actual: Vector,
    predictions: Mapping[str, Vector],
    drawn: Mapping[str, Mapping[str, Vector]],
) -> Comparison:
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


def _estimate(point: float, draws: Vector) -> Estimate:
    """Percentile interval over the draws that could say anything."""
    known = draws[np.isfinite(draws)]
    low, high = np.percentile(known, _LEVEL) if known.size else (np.nan, np.nan)
    return Estimate(point, float(low), float(high))


def _skill(auc: Estimate) -> tuple[str, ...]:
    interval = f"AUC interval {auc.low:.2f} to {auc.high:.2f}"
    if auc.high < 0.5:
        return (f"Worse than chance: {interval} lies below 0.5.",)
    return (f"No evidence of skill: {interval} includes 0.5.",) if auc.low <= 0.5 else ()


def _verdicts(comparison: Comparison, by: Sequence[str]) -> tuple[str, ...]:
    """One sentence per baseline and metric."""
    return tuple(
        _verdict(baseline, name, differences[name])
        for baseline, differences in comparison.differences.items()
        for name in by
        if np.isfinite(differences[name].point)
    )


def _verdict(baseline: str, metric: str, difference: Estimate) -> str:
    name, better = _WORDS[metric], difference
    if metric in _LOWER_IS_BETTER:
        better = Estimate(-difference.point, -difference.high, -difference.low)
    if better.low > 0:
        return f"Beats {baseline} by {_number(better.point)} {name} {_interval(better)}."
    if better.high < 0:
        worse = Estimate(-better.point, -better.high, -better.low)
        return f"Is worse than {baseline} by {_number(worse.point)} {name} {_interval(worse)}."
    return f"Ties with {baseline}: {name} differs by {_number(better.point)} {_interval(better)}."


def _interval(estimate: Estimate) -> str:
    return f"[{_number(estimate.low)}, {_number(estimate.high)}]"


def _number(value: float) -> str:
    """Three decimals for shares and ratios, thousands marked for money; never a minus zero."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 3) + 0.0:.3f}"


def _difference_cells(found: Estimate | None) -> dict[str, float | None]:
    return {
        "difference": found.point if found else None,
        "difference_low": found.low if found else None,
        "difference_high": found.high if found else None,
    }


def _tracked(task: str, comparison: Comparison) -> dict[str, float]:
    """The model's metrics with their bounds, and its differences, NaN left out."""
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


def _known(labels: Vector | None) -> Vector:
    if labels is None:
        raise CannotJudge("the test rows carry no labels of this kind; build them with its task")
    return labels
