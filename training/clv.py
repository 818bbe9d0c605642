"""The value models: expected orders, and CLV as chance of any value times its size."""

from dataclasses import dataclass

import numpy as np

from features.config import TrainingConfig
from training.boosting import Examples, cross_fit, customer_folds, fit_booster, sample_customers
from training.calibration import sigmoid
from training.dataset import CannotTrain, Dataset
from training.intervals import fit_intervals
from training.models import Level, OrdersModel, ValueModel, Vector

_FEWEST = 50
_LEVEL_BOUNDS = (0.5, 2.0)


@dataclass(frozen=True)
class OrdersFit:
    """A model of expected orders, and the rounds it took."""

    model: OrdersModel
    rounds: int


@dataclass(frozen=True)
class ValueFit:
    """A value model, the rounds of its two parts, and its CLV for customers it had not seen."""

    model: ValueModel
    any_rounds: int
    amount_rounds: int
    out_of_fold: Vector
    """CLV of the training rows that cross-validation looked at, in the currency."""


def fit_orders(data: Dataset, training: TrainingConfig) -> OrdersFit:
    """Fit purchase days within the horizon of `data` (Poisson).

    Raises CannotTrain with fewer than 50 rows that bought.
    """
    sample = data.rows(sample_customers(data.customer_id))
    examples = _order_examples(sample)
    _require_buyers(examples.target)
    crossed = cross_fit(examples, customer_folds(sample.customer_id), training)
    level = _level(np.exp(crossed.raw_score), examples.target)
    booster = fit_booster(_order_examples(data), crossed.rounds, training)
    return OrdersFit(OrdersModel(booster, level), crossed.rounds)


def refit_orders(fitted: OrdersFit, data: Dataset, training: TrainingConfig) -> OrdersModel:
    """The same model on more rows: rounds and level stay as `fitted` found them."""
    booster = fit_booster(_order_examples(data), fitted.rounds, training)
    return OrdersModel(booster, fitted.model.level)


def fit_value(data: Dataset, training: TrainingConfig) -> ValueFit:
    """Fit CLV over the horizon of `data` in two parts: binary, then gamma among the positive.

    Net refunds count as no value in the first part; the level, the ratio of totals out of fold,
    brings the sum back to what customers brought in net. Gamma, never L2: on heavy-tailed money
    a squared error follows a handful of customers.

    Raises CannotTrain with fewer than 50 rows of positive value.
    """
    sample = data.rows(sample_customers(data.customer_id))
    whether, amount = _value_examples(sample)
    _require_buyers(whether.target)
    fold = customer_folds(sample.customer_id)
    chance = cross_fit(whether, fold, training)
    size = cross_fit(amount, fold, training)
    expected = sigmoid(chance.raw_score) * np.exp(size.raw_score)
    level = _level(expected, amount.target)
    out_of_fold = expected * level.factor
    intervals = fit_intervals(out_of_fold, amount.target)
    whether, amount = _value_examples(data)
    model = ValueModel(
        fit_booster(whether, chance.rounds, training),
        fit_booster(amount, size.rounds, training),
        level,
        intervals,
    )
    return ValueFit(model, chance.rounds, size.rounds, out_of_fold)


def refit_value(fitted: ValueFit, data: Dataset, training: TrainingConfig) -> ValueModel:
    """The same model on more rows: rounds, level and intervals stay as `fitted` found them."""
    whether, amount = _value_examples(data)
    return ValueModel(
        fit_booster(whether, fitted.any_rounds, training),
        fit_booster(amount, fitted.amount_rounds, training),
        fitted.model.level,
        fitted.model.intervals,
    )


def _order_examples(data: Dataset) -> Examples:
    if data.orders is None:
        raise CannotTrain("the rows carry no orders; build them from a company with orders")
    return Examples(data.X, data.orders, data.contract, "poisson")


def _value_examples(data: Dataset) -> tuple[Examples, Examples]:
    if data.value is None:
        raise CannotTrain("the rows carry no value; build them with task 'clv'")
    any_value = (data.value > 0).astype(np.float64)
    whether = Examples(data.X, any_value, data.contract, "binary")
    return whether, Examples(data.X, data.value, data.contract, "gamma")


def _require_buyers(target: Vector) -> None:
    buyers = int((target > 0).sum())
    if buyers < _FEWEST:
        raise CannotTrain(
            f"{buyers} of {len(target)} training rows bought within the horizon; at least "
            f"{_FEWEST} are needed: lengthen the horizon or add history"
        )


def _level(predicted: Vector, actual: Vector) -> Level:
    low, high = _LEVEL_BOUNDS
    return Level(factor=float(np.clip(actual.sum() / predicted.sum(), low, high)))
