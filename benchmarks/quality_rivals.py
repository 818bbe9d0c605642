"""The methods that `benchmarks.quality` sets beside Setia, each on the same rows or histories."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import lightgbm as lgb
import numpy as np

from benchmarks.quality_data import History, Material
from training.baselines import RFM_LOGISTIC, RFM_RIDGE, churn_baselines, value_baselines
from training.boosting import customer_folds
from training.dataset import Dataset, Vector
from training.models import booster_names

MBG, PARETO = "MBG/NBD + GG", "Pareto/NBD + GG"
RFM, LIGHTGBM, LIFETIMES = "RFM logistic/ridge", "plain LightGBM", "lifetimes BG/NBD + GG"
_ROUNDS, _PATIENCE = 600, 40
_SETTINGS = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Forecast:
    """What one method says of each test customer at the cutoff."""

    churn: Vector
    """Probability of no purchase within the horizon."""
    orders: Vector
    spend: Vector
    low: Vector | None = None
    high: Vector | None = None
    """Ends of a 90 % interval for spend, where the method gives one."""


def rivals(material: Material) -> dict[str, Forecast]:
    """Forecasts by method, for those whose software is here."""
    found = {RFM: _rfm(material), LIGHTGBM: _lightgbm(material)}
    if find_spec("lifetimes"):
        found[LIFETIMES] = _lifetimes(material.history)
    return found


def _rfm(material: Material) -> Forecast:
    """The product's own baselines; for orders the same ridge, taught orders for value."""
    churn, value, horizon = material.churn, material.value, material.config.churn.horizon_days
    assert value.test is not None  # noqa: S101 - matured by the choice of cutoff
    as_orders = replace(value.train, value=value.train.orders)
    return Forecast(
        churn_baselines(churn.train, churn.test)[RFM_LOGISTIC],
        value_baselines(as_orders, value.test, horizon)[RFM_RIDGE],
        value_baselines(value.train, value.test, horizon)[RFM_RIDGE],
    )


def _lightgbm(material: Material) -> Forecast:
    """One plain LightGBM each: binary, Poisson and Tweedie, rounds by customers set aside."""
    churn, value = material.churn.train, material.value.train
    asked = material.churn.test.X
    spend = np.maximum(_known(value.value), 0.0)
    return Forecast(
        _boosted(churn, _known(churn.churned), {"objective": "binary"}, asked),
        _boosted(churn, _known(churn.orders), {"objective": "poisson"}, asked),
        _boosted(value, spend, {"objective": "tweedie"}, asked),
    )


def _boosted(train: Dataset, target: Vector, objective: Mapping[str, Any], asked: Vector) -> Vector:
    settings = {**_SETTINGS, **objective}
    aside = customer_folds(train.customer_id) == 0

    def rows(mask: Vector) -> lgb.Dataset:
        return lgb.Dataset(
            train.X[mask],
            target[mask],
            feature_name=booster_names(train.contract),
            categorical_feature=train.contract.categorical,
        )

    stopped = lgb.train(
        settings,
        rows(~aside),
        _ROUNDS,
        valid_sets=[rows(aside)],
        callbacks=[lgb.early_stopping(_PATIENCE, verbose=False)],
    )
    booster = lgb.train(settings, rows(np.ones_like(aside)), stopped.best_iteration)
    return np.asarray(booster.predict(asked, num_threads=1), dtype=np.float64)


def _lifetimes(history: History) -> Forecast:
    """As its own documentation goes: BG/NBD, 1 - P(alive), Gamma-Gamma on repeat buyers."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    repeat = pd.Series(history.repeat_spend_per_day)
    bought = (history.frequency, history.recency, history.T)
    model = BetaGeoFitter(penalizer_coef=0.0).fit(*(pd.Series(each) for each in bought))
    orders = model.conditional_expected_number_of_purchases_up_to_time(history.horizon, *bought)
    usable = (history.frequency > 0) & (history.repeat_spend_per_day > 0)
    frequency = pd.Series(history.frequency)
    spending = GammaGammaFitter(penalizer_coef=0.0).fit(frequency[usable], repeat[usable])
    each = spending.conditional_expected_average_profit(frequency, repeat)
    alive = model.conditional_probability_alive(*bought)
    expected = np.asarray(orders, dtype=np.float64)
    return Forecast(1.0 - np.asarray(alive), expected, expected * np.asarray(each))


def _known(labels: Vector | None) -> Vector:
    assert labels is not None  # noqa: S101 - inactivity rows carry every label
    return labels
