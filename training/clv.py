"""Value models: expected orders and CLV, ensembles whose totals an earlier period has proved."""

from dataclasses import dataclass, replace

import numpy as np

from features.config import TrainingConfig
from training.dataset import CannotTrain, Dataset
from training.families.boosting import Examples
from training.families.ensemble import Ensemble
from training.families.ensemble_fit import EnsembleFit, fit_ensemble, refit_ensemble
from training.families.forecast import Forecast, Standpoint, typical_customer
from training.families.glm import Objective, Vector
from training.intervals import IntervalTable, fit_intervals
from training.models import OrdersModel, ValueModel
from training.rows import Basis, Proof, Rows, ValueRows
from training.value_intervals import Source, better_source, simulated_intervals

_FEWEST = 50
_LEVEL_BOUNDS = (0.5, 2.0)
_UNPROVED = 0.5
_STRENGTHS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Level:
    """The factor on an ensemble's means, between what its labels say and what BTYD says."""

    own: float
    """Actual over predicted total, for customers out of fold."""
    strength: float
    """How far the total is moved to BTYD's: 0 not at all, 1 all the way."""
    seasonal: bool = False
    """Whether the total is moved by the season: tried before, that surely helped."""

    def factor(self, ensemble: Ensemble, at: Standpoint | None) -> float:
        """The factor for the customers asked about at a standpoint."""
        forecast = ensemble.forecast
        if forecast is None or at is None or not self.strength:
            return self.own
        _, asked = forecast.offsets(at.X, ensemble.contract.names)
        total = np.exp(asked).sum() * ensemble.unit
        anchor = float(np.clip(total / ensemble.predict(at.X).sum(), *_LEVEL_BOUNDS))
        return float(self.own ** (1.0 - self.strength) * anchor**self.strength)


@dataclass(frozen=True)
class OrdersFit:
    """A model of expected orders, and how it was fitted."""

    model: OrdersModel
    fitted: EnsembleFit
    level: Level


@dataclass(frozen=True)
class ValueFit:
    """A value model, how it was fitted, and its CLV for customers it had not seen."""

    model: ValueModel
    fitted: EnsembleFit
    level: Level
    out_of_fold: Vector
    """CLV of the training rows that cross-validation looked at, in the currency."""
    interval_source: Source


def fit_orders(rows: Rows, training: TrainingConfig) -> OrdersFit:
    """Fit purchase days within the horizon (Poisson).

    Raises CannotTrain with fewer than 50 rows that bought.
    """
    fitted, level = _fit(rows.train, rows.basis, "poisson", training)
    factor = _factor(level, fitted.ensemble, rows.basis)
    return OrdersFit(OrdersModel(fitted.ensemble, factor), fitted, level)


def refit_orders(
    fitted: OrdersFit, data: Dataset, basis: Basis, training: TrainingConfig
) -> OrdersModel:
    """The same model on more rows; what `fitted` chose stays, the total is set again."""
    ensemble = _refit(fitted.fitted, data, basis, training)
    return OrdersModel(ensemble, _factor(fitted.level, ensemble, basis))


def fit_value(rows: ValueRows, training: TrainingConfig) -> ValueFit:
    """Fit CLV over the horizon (Tweedie), with intervals from customers out of fold.

    A customer whose refunds exceed purchases teaches as 0; the level brings the total back to
    net. Never a squared error: on heavy-tailed money it follows a handful of customers.

    Raises CannotTrain with fewer than 50 rows of positive value.
    """
    fitted, level = _fit(rows.train, rows.basis, "tweedie", training)
    out_of_fold = np.maximum(fitted.out_of_fold * level.own, 1e-9)
    actual = np.asarray(rows.train.value)[fitted.looked_at]
    conformal = fit_intervals(out_of_fold, actual)
    source = _interval_source(fitted, level, conformal, rows.basis, training)
    factor = _factor(level, fitted.ensemble, rows.basis)
    model = ValueModel(fitted.ensemble, factor, conformal)
    model = _with_intervals(model, source, rows.basis.at, training.seed)
    return ValueFit(model, fitted, level, out_of_fold, source)


def refit_value(
    fitted: ValueFit, data: Dataset, basis: Basis, training: TrainingConfig
) -> ValueModel:
    """The same model on more rows; what `fitted` chose stays, the total is set again."""
    ensemble = _refit(fitted.fitted, data, basis, training)
    factor = _factor(fitted.level, ensemble, basis)
    model = ValueModel(ensemble, factor, fitted.model.intervals)
    return _with_intervals(model, fitted.interval_source, basis.at, training.seed)


def _with_intervals(
    model: ValueModel, source: Source, at: Standpoint | None, seed: int
) -> ValueModel:
    """The model with intervals drawn at the standpoint, where that is their source."""
    if source == "conformal" or at is None:
        return model
    return replace(model, intervals=simulated_intervals(model.ensemble, model.level, at, seed))


def _interval_source(
    fitted: EnsembleFit,
    level: Level,
    conformal: IntervalTable,
    basis: Basis,
    training: TrainingConfig,
) -> Source:
    """The better one label window ago; without such proof simulated, which drift moves less."""
    if fitted.ensemble.forecast is None:
        return "conformal"
    if (earlier := _earlier(fitted, basis, training)) is None:
        return "simulated"
    ensemble, proof, at = earlier
    factor = level.factor(ensemble, at)
    tables: dict[Source, IntervalTable] = {
        "conformal": conformal,
        "simulated": simulated_intervals(ensemble, factor, at, training.seed),
    }
    predicted = ensemble.predict(proof.test.X) * factor
    return better_source(tables, predicted, _actual(proof.test, "tweedie"))


def _fit(
    data: Dataset, basis: Basis, objective: Objective, training: TrainingConfig
) -> tuple[EnsembleFit, Level]:
    examples = _examples(data, objective)
    _require_buyers(examples.target)
    forecast = _forecast(data, basis.at, basis, examples)
    fitted = fit_ensemble(examples, data.customer_id, forecast, training)
    own = _ratio(_actual(data, objective)[fitted.looked_at], fitted.out_of_fold)
    strength = _proved_strength(fitted, own, basis, training)
    return fitted, Level(own, strength, basis.season.is_proved(objective))


def _factor(level: Level, ensemble: Ensemble, basis: Basis) -> float:
    """The factor on the means where the basis stands, with the season ahead where it is proved."""
    plain = level.factor(ensemble, basis.at)
    shift = basis.season.shift(ensemble.objective) if level.seasonal else 0.0
    return plain * float(np.exp(shift))


def _refit(fitted: EnsembleFit, data: Dataset, basis: Basis, training: TrainingConfig) -> Ensemble:
    examples = _examples(data, fitted.ensemble.objective)
    forecast = _forecast(data, basis.at, basis, examples)
    return refit_ensemble(fitted, examples, forecast, training)


def _proved_strength(
    fitted: EnsembleFit, own: float, basis: Basis, training: TrainingConfig
) -> float:
    """The strength that would have come closest to the total one label window ago.

    Half-way where no label window ends before another training cutoff: the models know the
    windows they learned from, BTYD every order so far, and either may be right.
    """
    if (earlier := _earlier(fitted, basis, training)) is None:
        return _UNPROVED
    ensemble, proof, at = earlier
    predicted = float(ensemble.predict(proof.test.X).sum())
    actual = float(_actual(proof.test, ensemble.objective).sum())
    if min(predicted, actual) <= 0:
        return _UNPROVED

    def error(strength: float) -> float:
        factor = Level(own, strength).factor(ensemble, at)
        return abs(float(np.log(factor * predicted / actual)))

    return min(_STRENGTHS, key=error)


def _earlier(
    fitted: EnsembleFit, basis: Basis, training: TrainingConfig
) -> tuple[Ensemble, Proof, Standpoint] | None:
    """The ensemble as one label window ago, what judges it and BTYD as of then."""
    proof = basis.proof
    if proof is None or proof.standpoint is None:
        return None
    then = replace(basis, horizon_days=basis.learned_days, at=proof.standpoint)
    return _refit(fitted, proof.train, then, training), proof, proof.standpoint


def _forecast(
    data: Dataset, at: Standpoint | None, basis: Basis, examples: Examples
) -> Forecast | None:
    """BTYD's expected orders or net value, as fitted at a standpoint."""
    if at is None:
        return None
    return Forecast(
        btyd=at.btyd,
        objective=examples.objective,
        learned_days=basis.learned_days,
        horizon_days=basis.horizon_days,
        unit=examples.unit / at.net_share,
        typical=typical_customer(data.X, data.contract.names),
    )


def _examples(data: Dataset, objective: Objective) -> Examples:
    """Orders as they are; value in units of its mean, and never negative."""
    actual = np.maximum(_actual(data, objective), 0.0)
    unit = 1.0 if objective == "poisson" else max(float(actual.mean()), 1e-9)
    return Examples(data.X, actual / unit, data.contract, objective, unit=unit)


def _actual(data: Dataset, objective: Objective) -> Vector:
    labels = data.orders if objective == "poisson" else data.value
    if labels is None:
        what = "orders" if objective == "poisson" else "value"
        raise CannotTrain(f"the rows carry no {what}; build them from a company with orders")
    return labels


def _ratio(actual: Vector, predicted: Vector) -> float:
    return float(np.clip(actual.sum() / max(predicted.sum(), 1e-9), *_LEVEL_BOUNDS))


def _require_buyers(target: Vector) -> None:
    buyers = int((target > 0).sum())
    if buyers < _FEWEST:
        raise CannotTrain(
            f"{buyers} of {len(target)} training rows bought within the horizon; at least "
            f"{_FEWEST} are needed: lengthen the horizon or add history"
        )
