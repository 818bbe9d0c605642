"""How a model fares against the baselines on the test cutoff, with intervals and in words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training import metrics
from training.dataset import Dataset, Vector
from training.judging.comparison import (
    CHAMPION,
    MODEL,
    Comparison,
    Estimate,
    compare,
    tracked,
    verdicts,
)
from training.judging.curves import (
    Bin,
    Coverage,
    Gains,
    coverage,
    gains,
    reliability,
    value_deciles,
)
from training.judging.profit import expected_maximum_profit
from training.judging.segments import Segment, judge_segments
from training.metrics import Metric, chance_calibration_error

CHURN_METRICS: Mapping[str, Metric] = {
    "auc": metrics.roc_auc,
    "average_precision": metrics.average_precision,
    "brier": metrics.brier,
    "log_loss": metrics.log_loss,
    "ece": metrics.expected_calibration_error,
    "top_decile_lift": metrics.top_lift,
    "expected_profit": expected_maximum_profit,
}
ORDERS_METRICS: Mapping[str, Metric] = {
    "gini": metrics.normalised_gini,
    "rmse": metrics.rmse,
    "mae": metrics.mae,
    "total_ratio": metrics.total_ratio,
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


class CannotJudge(ValueError):
    """The test rows cannot tell a good model from a bad one; the message says why."""


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
    chance_error: float = 0.0
    """Calibration error that exact propensities would show here by chance (95 % quantile)."""
    segments: tuple[Segment, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Numbers to track, named like `churn_auc`, `churn_auc_low`, `churn_auc_vs_base_rate`."""
        alone = {"churn_base_rate": self.base_rate, "churn_ece_by_chance": self.chance_error}
        return alone | tracked("churn", self.comparison)


@dataclass(frozen=True)
class OrdersEvaluation:
    """The verdict on expected purchase days within the churn horizon over one test cutoff."""

    rows: int
    mean_orders: float
    comparison: Comparison
    verdicts: tuple[str, ...]
    deciles: list[Bin]

    def metrics(self) -> dict[str, float]:
        """Numbers to track, named like `orders_gini`, `orders_total_ratio`."""
        return {"orders_mean": self.mean_orders} | tracked("orders", self.comparison)


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
        told = {"clv_mean_value": self.mean_value} | tracked("clv", self.comparison)
        return told | {name: share for name, share in covered.items() if np.isfinite(share)}


def judge_churn(
    test: Dataset, predictions: Mapping[str, Vector], *, draws: int, seed: int
) -> ChurnEvaluation:
    """Judge the propensities of "model" against those of every other method.

    Where "champion" is among them, each large segment is asked whether the model harms it.

    Raises CannotJudge when the test rows all churned or all stayed.
    """
    churned, model = _known(test.churned), predictions[MODEL]
    if not 0 < churned.sum() < len(churned):
        raise CannotJudge(
            f"all {len(churned)} test customers {'churned' if churned.any() else 'stayed'}; "
            "no metric can tell a good ranking from a bad one: judge at another cutoff"
        )
    comparison = compare(
        CHURN_METRICS, churned, predictions, test.customer_id, draws=draws, seed=seed
    )
    auc = comparison.methods[MODEL]["auc"]
    return ChurnEvaluation(
        rows=len(churned),
        base_rate=float(churned.mean()),
        comparison=comparison,
        no_skill=auc.low <= 0.5,
        verdicts=(*_skill(auc), *verdicts(comparison, ("auc",))),
        reliability=reliability(churned, model),
        gains=gains(churned, model),
        chance_error=chance_calibration_error(model, draws=draws, seed=seed),
        segments=judge_segments(
            test, churned, model, predictions.get(CHAMPION), draws=draws, seed=seed
        ),
    )


def judge_orders(
    test: Dataset, predictions: Mapping[str, Vector], *, draws: int, seed: int
) -> OrdersEvaluation:
    """Judge the expected purchase days of "model" against those of every other method.

    Raises CannotJudge when nobody among the test rows bought.
    """
    orders = _known(test.orders)
    if orders.sum() <= 0:
        raise CannotJudge(f"none of the {len(orders)} test customers bought; judge elsewhere")
    comparison = compare(
        ORDERS_METRICS, orders, predictions, test.customer_id, draws=draws, seed=seed
    )
    told = _amounts(orders, predictions, comparison)
    return OrdersEvaluation(len(orders), float(orders.mean()), comparison, *told)


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
    comparison = compare(
        VALUE_METRICS, value, predictions, test.customer_id, draws=draws, seed=seed
    )
    covered = coverage(value, predictions[MODEL], *interval)
    told = _amounts(value, predictions, comparison)
    return ValueEvaluation(len(value), float(value.mean()), comparison, *told, covered)


def _amounts(
    actual: Vector, predictions: Mapping[str, Vector], comparison: Comparison
) -> tuple[tuple[str, ...], list[Bin]]:
    """The verdicts on amounts, and the predicted deciles of "model"."""
    return verdicts(comparison, ("gini", "rmse")), value_deciles(actual, predictions[MODEL])


def _skill(auc: Estimate) -> tuple[str, ...]:
    interval = f"AUC interval {auc.low:.2f} to {auc.high:.2f}"
    if auc.high < 0.5:
        return (f"Worse than chance: {interval} lies below 0.5.",)
    return (f"No evidence of skill: {interval} includes 0.5.",) if auc.low <= 0.5 else ()


def _known(labels: Vector | None) -> Vector:
    if labels is None:
        raise CannotJudge("the test rows carry no labels of this kind; build them with its task")
    return labels
