"""The churn model: boosted trees over the feature table, calibrated out of fold."""

from dataclasses import dataclass

from features.config import TrainingConfig
from training.boosting import Examples, cross_fit, customer_folds, fit_booster, sample_customers
from training.calibration import fit_platt
from training.dataset import CannotTrain, Dataset
from training.models import ChurnModel, Vector


@dataclass(frozen=True)
class ChurnFit:
    """A churn model, the rounds it took, and its propensities for customers it had not seen."""

    model: ChurnModel
    rounds: int
    out_of_fold: Vector
    """Calibrated propensities of the training rows that cross-validation looked at."""


def fit_churn(data: Dataset, training: TrainingConfig) -> ChurnFit:
    """Fit on labelled rows of one or more cutoffs; rounds and calibration by grouped folds.

    Raises CannotTrain when the rows have no labels or cannot be split by customer.
    """
    sample = data.rows(sample_customers(data.customer_id))
    fold = customer_folds(sample.customer_id)
    crossed = cross_fit(_examples(sample), fold, training)
    calibration = fit_platt(crossed.raw_score, _examples(sample).target, fold)
    model = ChurnModel(fit_booster(_examples(data), crossed.rounds, training), calibration)
    return ChurnFit(model, crossed.rounds, calibration.apply(crossed.raw_score))


def refit_churn(fitted: ChurnFit, data: Dataset, training: TrainingConfig) -> ChurnModel:
    """The same model on more rows: rounds and calibration stay as `fitted` found them."""
    booster = fit_booster(_examples(data), fitted.rounds, training)
    return ChurnModel(booster, fitted.model.calibration)


def _examples(data: Dataset) -> Examples:
    if data.churned is None:
        raise CannotTrain("the rows carry no churn labels; build them with task 'churn'")
    return Examples(data.X, data.churned, data.contract, "binary")
