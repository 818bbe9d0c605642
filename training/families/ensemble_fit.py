"""Fitting an ensemble: each family cross-fitted by customer, weighted by stacking, and refitted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.config import TrainingConfig
from training.calibration import sigmoid
from training.calibration_fit import platt, row_losses
from training.families.boosting import (
    FOLDS,
    CrossFit,
    Examples,
    cross_fit,
    customer_folds,
    fit_booster,
    sample_customers,
)
from training.families.ensemble import Ensemble
from training.families.forecast import Forecast
from training.families.glm import TWEEDIE_POWER, Objective, Vector, fit_glm
from training.families.members import ForecastAlone, Linear, Member, Trees

_FEWEST_TO_WEIGH = 2_000
_FEW_CUSTOMERS = 1_000
_STEPS = 200
_FARTHEST = 30.0

Folds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Family:
    """How one family is cross-fitted, and fitted with what cross-fitting chose."""

    cross_fit: Callable[[Examples, Folds, TrainingConfig], CrossFit]
    fit: Callable[[Examples, int, TrainingConfig], Member]
    needs_forecast: bool


@dataclass(frozen=True)
class EnsembleFit:
    """A fitted ensemble, the boosting rounds by family, and what it says of unseen customers."""

    ensemble: Ensemble
    rounds: Mapping[str, int]
    looked_at: npt.NDArray[np.bool_]
    """The training rows that cross-validation looked at."""
    out_of_fold: Vector
    """Of those rows: log odds for churn, otherwise expected orders or value."""


def fit_ensemble(
    examples: Examples,
    customer_id: npt.NDArray[np.str_],
    forecast: Forecast | None,
    training: TrainingConfig,
) -> EnsembleFit:
    """Fit every family that applies and weigh them by stacking; leave out those without weight.

    Below 1,000 customers BTYD stands alone, unless the others are surely better at churn: the
    features it does not see may decide, but little data fits them badly.

    Raises CannotTrain when the customers cannot be split into folds.
    """
    examples = _on(forecast, examples)
    looked_at = sample_customers(customer_id)
    sample, fold = examples.rows(looked_at), customer_folds(customer_id[looked_at])
    names = tuple(name for name, family in FITS.items() if forecast or not family.needs_forecast)
    crossed = {name: FITS[name].cross_fit(sample, fold, training) for name in names}
    scores = np.column_stack([found.raw_score for found in crossed.values()])
    weights = _weights(scores, sample.target, examples.objective)
    if forecast and examples.objective == "tweedie":
        weights = _steadied(weights, names)
    few = len(np.unique(customer_id)) < _FEW_CUSTOMERS
    if forecast and few and not _surely_better(scores, weights, sample, customer_id[looked_at]):
        weights = np.eye(len(names))[names.index("btyd")]
    weight = {name: w for name, w in zip(names, weights.tolist(), strict=True) if w}
    rounds = {name: crossed[name].rounds for name in weight}
    ensemble = Ensemble(
        examples.contract,
        examples.objective,
        _members(examples, rounds, training),
        weight,
        forecast,
        examples.unit,
    )
    averaged = _means(scores, examples.objective) @ weights * examples.unit
    return EnsembleFit(ensemble, rounds, looked_at, averaged)


def refit_ensemble(
    fitted: EnsembleFit, examples: Examples, forecast: Forecast | None, training: TrainingConfig
) -> Ensemble:
    """The same families on other rows: rounds and weights stay as `fitted` found them."""
    old = fitted.ensemble
    members = _members(_on(forecast, examples), fitted.rounds, training)
    return Ensemble(examples.contract, old.objective, members, old.weights, forecast, examples.unit)


def _on(forecast: Forecast | None, examples: Examples) -> Examples:
    """The examples with their forecast over the horizon that their labels have."""
    if forecast is None:
        return examples
    learned, _ = forecast.offsets(examples.X, examples.contract.names)
    return replace(examples, offset=learned)


def _members(
    examples: Examples, rounds: Mapping[str, int], training: TrainingConfig
) -> dict[str, Member]:
    return {name: FITS[name].fit(examples, count, training) for name, count in rounds.items()}


def _surely_better(
    scores: Vector, weights: Vector, sample: Examples, customer_id: npt.NDArray[np.str_]
) -> bool:
    """Whether the weighted mean predicts churn better than BTYD by two standard errors.

    Out of fold, each with a line of its own in logits, so that only what they know of customers
    counts; errors are clustered by customer, whose rows at several cutoffs are much alike. For
    orders and value BTYD is the safer at this size.
    """
    if sample.objective != "binary" or sample.offset is None:
        return False
    loss = [
        row_losses(platt(score, sample.target).apply(score), sample.target)
        for score in (scores @ weights, sample.offset)
    ]
    gain = loss[1] - loss[0]
    _, customer = np.unique(customer_id, return_inverse=True)
    error = np.sqrt((np.bincount(customer, gain - gain.mean()) ** 2).sum())
    return bool(gain.sum() > 2.0 * error)


def _weights(scores: Vector, target: Vector, objective: Objective) -> Vector:
    """Non-negative weights that sum to 1 with the least out-of-fold loss; equal for few rows.

    Exponentiated gradient descent (Kivinen and Warmuth 1997) on the loss of the weighted mean.
    Source of stacking on a simplex: Breiman (1996), Stacked regressions.
    """
    count = scores.shape[1]
    weights = np.full(count, 1.0 / count)
    if len(target) < _FEWEST_TO_WEIGH:
        return weights
    means = _means(scores, objective)
    for step in range(_STEPS):
        slope = means.T @ _slope(means @ weights, target, objective)
        slope = slope - slope.min()
        size = 2.0 * min(1.0, 20.0 / (step + 1)) / max(float(slope.max()), 1e-12)
        weights = weights * np.exp(-size * slope)
        weights = weights / weights.sum()
    kept = np.where(weights < 0.01, 0.0, weights)
    return np.asarray(kept / kept.sum())


def _steadied(weights: Vector, names: Sequence[str]) -> Vector:
    """The weights half-way to the trees on BTYD alone, for money.

    Stacking follows the deviance, which a few large customers hardly move; on them the other
    families go astray in squared error, and trees that start from BTYD did not on any data tried.
    """
    safest = np.eye(len(names))[names.index("trees_on_btyd")]
    return np.asarray((weights + safest) / 2.0)


def _means(scores: Vector, objective: Objective) -> Vector:
    """What is averaged: log odds for churn, otherwise means."""
    return scores if objective == "binary" else np.exp(np.minimum(scores, _FARTHEST))


def _slope(mean: Vector, target: Vector, objective: Objective) -> Vector:
    """The loss's derivative by what is averaged."""
    if objective == "binary":
        return sigmoid(np.clip(mean, -_FARTHEST, _FARTHEST)) - target
    mean = np.maximum(mean, 1e-9)
    power = 1.0 if objective == "poisson" else TWEEDIE_POWER
    return np.asarray((mean - target) / mean**power)


def _plain(examples: Examples) -> Examples:
    """The examples without their forecast."""
    return replace(examples, offset=None)


def _fit_trees(examples: Examples, rounds: int, training: TrainingConfig) -> Trees:
    on_forecast = examples.offset is not None
    return Trees(fit_booster(examples, rounds, training), on_forecast)


def _fit_linear(examples: Examples, *_: object) -> Linear:
    glm = fit_glm(
        examples.X, examples.target, examples.contract, examples.objective, examples.offset
    )
    return Linear(glm, examples.contract)


def _cross_fit_linear(examples: Examples, fold: Folds, *_: object) -> CrossFit:
    scores = np.empty(len(fold))
    for place in range(FOLDS):
        inside = fold == place
        asked = examples.rows(inside)
        offset = np.zeros(len(asked.target)) if asked.offset is None else asked.offset
        scores[inside] = _fit_linear(examples.rows(~inside)).raw(asked.X, offset)
    return CrossFit(0, scores)


def _forecasts(examples: Examples, fold: Folds, *_: object) -> CrossFit:
    """A handful of parameters for all customers leaves nothing to hold out."""
    return CrossFit(0, np.zeros(len(fold)) if examples.offset is None else examples.offset)


FITS: Mapping[str, Family] = {
    "btyd": Family(_forecasts, lambda *_: ForecastAlone(), needs_forecast=True),
    "trees": Family(
        lambda examples, *how: cross_fit(_plain(examples), *how),
        lambda examples, *how: _fit_trees(_plain(examples), *how),
        needs_forecast=False,
    ),
    "trees_on_btyd": Family(cross_fit, _fit_trees, needs_forecast=True),
    "glm": Family(
        lambda examples, *how: _cross_fit_linear(_plain(examples), *how),
        lambda examples, *how: _fit_linear(_plain(examples), *how),
        needs_forecast=False,
    ),
    "glm_on_btyd": Family(_cross_fit_linear, _fit_linear, needs_forecast=True),
}
"""Family to how it is fitted, in the order in which members are added up."""
