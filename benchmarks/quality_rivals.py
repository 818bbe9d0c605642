"""The methods that `benchmarks.quality` sets beside Setia, each on the same rows or histories."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit, logit

from benchmarks.quality_data import Material
from benchmarks.quality_scores import Forecast
from training.baselines import RFM_LOGISTIC, RFM_RIDGE, churn_baselines, value_baselines
from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.pareto_nbd import ParetoNbd
from training.dataset import Dataset, Vector
from training.families.boosting import FOLDS, customer_folds

MBG, PARETO = "MBG/NBD + GG", "Pareto/NBD + GG"
RFM, LIGHTGBM, LIFETIMES = "RFM logistic/ridge", "plain LightGBM", "lifetimes BG/NBD + GG"
_ROUNDS, _PATIENCE = 600, 40
_SETTINGS = {
    "learning_rate": 0.04,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 127,
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def rivals(material: Material) -> dict[str, Forecast]:
    """Forecasts by method, for those whose software is here."""
    found = {
        MBG: _btyd(material, BetaGeometricNbd.fit(material.history)),
        PARETO: _btyd(material, ParetoNbd.fit(material.history)),
        RFM: _stretched(material, _rfm(material)),
        LIGHTGBM: _stretched(material, _lightgbm(material)),
    }
    if find_spec("lifetimes"):
        found[LIFETIMES] = _lifetimes(material)
    return found


def _btyd(material: Material, model: BetaGeometricNbd | ParetoNbd) -> Forecast:
    """Our own maximum-likelihood fit, with Gamma-Gamma on all orders."""
    history, horizon = material.history, material.config.churn.horizon_days
    orders = model.expected_orders(history, horizon)
    each = GammaGamma.fit(history).expected_value(history)
    return Forecast(model.probability_no_order(history, horizon), orders, orders * each)


def _stretched(material: Material, said: Forecast) -> Forecast:
    """What was learned from labels of a shorter horizon, carried on as MBG/NBD goes on."""
    learned, wanted = material.churn.basis.learned_days, material.config.churn.horizon_days
    if learned == wanted:
        return said
    history, model = material.history, BetaGeometricNbd.fit(material.history)
    shorter, longer = (model.probability_no_order(history, days) for days in (learned, wanted))
    more = model.expected_orders(history, wanted) / model.expected_orders(history, learned)
    assert said.orders is not None and said.spend is not None  # noqa: S101, PT018 - both set here
    churn = expit(logit(said.churn) + logit(longer) - logit(shorter))
    return Forecast(churn, said.orders * more, said.spend * more)


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
    fold = customer_folds(train.customer_id)
    sides = [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(FOLDS)]
    rows = lgb.Dataset(
        train.X,
        target,
        categorical_feature=train.contract.categorical,
        free_raw_data=False,
    )
    stop = lgb.early_stopping(_PATIENCE, verbose=False)
    tried = lgb.cv(settings, rows, _ROUNDS, folds=sides, callbacks=[stop])
    booster = lgb.train(settings, rows, len(next(iter(tried.values()))))
    return np.asarray(booster.predict(asked, num_threads=1), dtype=np.float64)


def _lifetimes(material: Material) -> Forecast:
    """As its own documentation goes: BG/NBD, 1 - P(alive), Gamma-Gamma on repeat buyers."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    history, horizon = material.history, material.config.churn.horizon_days
    bought = [pd.Series(each) for each in (history.frequency, history.recency, history.T)]
    model = BetaGeoFitter(penalizer_coef=0.0).fit(*bought)
    orders = model.conditional_expected_number_of_purchases_up_to_time(horizon, *bought)
    repeat = pd.Series(material.repeat_value)
    usable = (bought[0] > 0) & (repeat > 0)
    spending = GammaGammaFitter(penalizer_coef=0.0).fit(bought[0][usable], repeat[usable])
    each = np.asarray(spending.conditional_expected_average_profit(bought[0], repeat))
    alive = np.asarray(model.conditional_probability_alive(*bought), dtype=np.float64)
    expected = np.asarray(orders, dtype=np.float64)
    return Forecast(1.0 - alive, expected, expected * each)


def _known(labels: Vector | None) -> Vector:
    assert labels is not None  # noqa: S101 - inactivity rows carry every label
    return labels
