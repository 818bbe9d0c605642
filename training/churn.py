"""The churn model: an ensemble of log odds, calibrated by what an earlier period has proved."""

from dataclasses import dataclass, replace

import numpy as np

from features.config import TrainingConfig
from training.calibration import Calibration, Kind
from training.calibration import sigmoid as propensity_of
from training.calibration_fit import anchored, fit_platt, isotonic, log_loss, platt
from training.dataset import CannotTrain, Dataset
from training.families.boosting import Examples, customer_folds
from training.families.ensemble import Ensemble
from training.families.ensemble_fit import EnsembleFit, fit_ensemble, refit_ensemble
from training.families.forecast import Forecast, Standpoint, typical_customer
from training.families.glm import Vector
from training.models import ChurnModel
from training.rows import Basis, Rows


@dataclass(frozen=True)
class ChurnFit:
    """A churn model, how it was fitted, and its propensities for customers it had not seen."""

    model: ChurnModel
    fitted: EnsembleFit
    calibration: Calibration
    """That of the model, before it is moved by the season ahead."""
    out_of_fold: Vector
    """Calibrated propensities of the training rows that cross-validation looked at."""
    proved: bool
    """Whether the calibration was chosen on a later period than it was learned from."""
    seasonal: bool = False
    """Whether it is moved by the season: tried before, that surely helped."""


def fit_churn(rows: Rows, training: TrainingConfig) -> ChurnFit:
    """Fit on labelled rows of one or more cutoffs; rounds and weights by grouped folds.

    The calibration is the one of none, Platt, isotonic and anchoring with the least log loss on
    the last training cutoff, by models fitted before it. Where no label window ends before
    another cutoff it is anchored half-way to BTYD, or Platt's line where there is no BTYD.

    Raises CannotTrain when the rows have no labels or cannot be split by customer.
    """
    data, basis = rows.train, rows.basis
    forecast = churn_forecast(data, basis.at, basis)
    fitted = fit_ensemble(_examples(data), data.customer_id, forecast, training)
    sample = data.rows(fitted.looked_at)
    kind = _proved_kind(fitted, sample, basis, training)
    calibration = _calibration(kind, fitted, sample, basis.at)
    seasonal = basis.season.is_proved("binary")
    shift = basis.season.shift("binary") if seasonal else 0.0
    model = ChurnModel(fitted.ensemble, calibration.shifted(shift))
    out_of_fold = calibration.apply(fitted.out_of_fold)
    return ChurnFit(model, fitted, calibration, out_of_fold, kind is not None, seasonal)


def refit_churn(
    fitted: ChurnFit, data: Dataset, basis: Basis, training: TrainingConfig
) -> ChurnModel:
    """The same model on more rows: rounds, weights and calibration stay as `fitted` found them.

    An anchored level is anchored again, where the basis stands, and so is the season's part.
    """
    forecast = churn_forecast(data, basis.at, basis)
    ensemble = refit_ensemble(fitted.fitted, _examples(data), forecast, training)
    calibration = fitted.calibration
    if calibration.kind == "anchored" and basis.at:
        calibration = _anchored(ensemble, basis.at)
    shift = basis.season.shift("binary") if fitted.seasonal else 0.0
    return ChurnModel(ensemble, calibration.shifted(shift))


def churn_forecast(data: Dataset, at: Standpoint | None, basis: Basis) -> Forecast | None:
    """BTYD's log odds of no order, as fitted at a standpoint."""
    if at is None:
        return None
    return Forecast(
        btyd=at.btyd,
        objective="binary",
        learned_days=basis.learned_days,
        horizon_days=basis.horizon_days,
        typical=typical_customer(data.X, data.contract.names),
    )


def _proved_kind(
    fitted: EnsembleFit, sample: Dataset, basis: Basis, training: TrainingConfig
) -> Kind | None:
    """The calibration that would have been best one label window ago."""
    proof = basis.proof
    if proof is None or proof.train.churned is None:
        return None
    if not 0 < proof.train.churned.sum() < len(proof.train):
        return None
    then = replace(basis, horizon_days=basis.learned_days)
    forecast = churn_forecast(proof.train, proof.standpoint, then)
    if forecast is None and basis.at is not None:
        return None
    ensemble = refit_ensemble(fitted, _examples(proof.train), forecast, training)
    known = sample.cutoff <= proof.train.cutoff.max()
    before = replace(fitted, ensemble=ensemble, out_of_fold=fitted.out_of_fold[known])
    score, churned = ensemble.predict(proof.test.X), np.asarray(proof.test.churned)
    kinds: list[Kind] = ["none", "platt", "isotonic"]
    if forecast:
        kinds.append("anchored")

    def loss(kind: Kind) -> float:
        calibration = _of_kind(kind, before, sample.rows(known), proof.standpoint)
        return log_loss(calibration.apply(score), churned)

    return min(kinds, key=loss)


def _calibration(
    kind: Kind | None, fitted: EnsembleFit, sample: Dataset, at: Standpoint | None
) -> Calibration:
    if kind is not None:
        return _of_kind(kind, fitted, sample, at)
    if at is not None:
        return _anchored(fitted.ensemble, at)
    fold = customer_folds(sample.customer_id)
    return fit_platt(fitted.out_of_fold, np.asarray(sample.churned), fold)


def _of_kind(
    kind: Kind, fitted: EnsembleFit, sample: Dataset, at: Standpoint | None
) -> Calibration:
    churned = np.asarray(sample.churned)
    if kind == "anchored" and at:
        return _anchored(fitted.ensemble, at)
    if kind == "platt":
        return platt(fitted.out_of_fold, churned)
    return isotonic(fitted.out_of_fold, churned) if kind == "isotonic" else Calibration()


def _anchored(ensemble: Ensemble, at: Standpoint) -> Calibration:
    """Half-way to the mean propensity that BTYD has for the customers asked about."""
    forecast = ensemble.forecast
    if forecast is None:
        return Calibration()
    _, asked = forecast.offsets(at.X, ensemble.contract.names)
    return anchored(ensemble.predict(at.X), float(propensity_of(asked).mean()))


def _examples(data: Dataset) -> Examples:
    if data.churned is None:
        raise CannotTrain("the rows carry no churn labels; build them with task 'churn'")
    return Examples(data.X, data.churned, data.contract, "binary")
