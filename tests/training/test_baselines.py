"""Baselines on rows whose best rule, rates and values are known."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from features.catalogue import feature_named
from features.feature_contract import FeatureColumn, FeatureContract
from training import metrics
from training.baselines import (
    ALL_LOGISTIC,
    BASE_RATE,
    BEST_RULE,
    HISTORICAL_VALUE,
    MEAN_VALUE,
    RFM_LOGISTIC,
    RFM_RIDGE,
    USAGE_LOGISTIC,
    best_rule,
    churn_baselines,
    value_baselines,
)
from training.dataset import Dataset
from training.metrics import measure

RFM = ("orders_days_since_last", "orders_frequency", "orders_T", "orders_value_mean")
USAGE = ("events_days_since_last", "events_active_days_30d", "events_active_days_90d")


def rows(
    columns: dict[str, np.ndarray], categories: tuple[str, ...] = (), **labels: Any
) -> Dataset:
    """A dataset of these columns; with `categories` the last column holds their codes."""
    kinds = ["numeric"] * (len(columns) - 1) + ["category" if categories else "numeric"]
    contract = FeatureContract(
        columns=tuple(
            FeatureColumn(
                name=name,
                kind=kind,  # type: ignore[arg-type]
                categories=categories if kind == "category" else (),
                definition="by hand",
            )
            for name, kind in zip(columns, kinds, strict=True)
        )
    )
    X = np.column_stack(list(columns.values()))
    return Dataset(
        X=X,
        customer_id=np.arange(len(X)).astype(str),
        cutoff=np.full(len(X), datetime(2024, 1, 1), dtype="datetime64[us]"),
        contract=contract,
        **labels,
    )


def rfm_rows(seed: int, count: int = 800) -> Dataset:
    """Churn grows with days since the last order by a logistic with slope 1 on its logarithm."""
    rng = np.random.default_rng(seed)
    since = rng.integers(1, 300, count).astype(float)
    frequency = rng.poisson(2, count).astype(float)
    mean = rng.lognormal(3, 0.5, count)
    risk = 1 / (1 + np.exp(-(np.log1p(since) - 4.5)))
    churned = (rng.random(count) < risk).astype(float)
    value = (1 - churned) * mean * (1 + frequency)
    columns = dict(zip(RFM, (since, frequency, since + 50 * frequency, mean), strict=True))
    return rows(columns, churned=churned, value=value)


def test_the_catalogue_has_every_feature_the_baselines_name() -> None:
    for name in (*RFM, *USAGE):
        assert feature_named(name).name == name


def test_the_best_rule_is_found_with_its_direction_and_said_in_words() -> None:
    rule = best_rule(rfm_rows(1))
    assert rule.position == 0
    assert rule.sign == 1
    assert rule.words == "days since the last purchase day (high is risky)"


def test_a_rule_can_be_that_the_value_is_missing() -> None:
    """Half never used the product, and they all leave; among the others use says nothing."""
    active = np.tile([np.nan, 3.0, np.nan, 5.0], 50)
    churned = np.isnan(active).astype(float)
    data = rows({"orders_frequency": np.ones(200), USAGE[1]: active}, churned=churned)
    rule = best_rule(data)
    assert (rule.position, rule.missing) == (1, np.inf)
    assert measure(metrics.roc_auc, churned, rule.score(data)) == 1.0


def test_a_rule_can_be_a_category() -> None:
    codes = np.tile([0.0, 1.0, 2.0, np.nan], 60)
    churned = np.where(codes == 2, 1.0, np.tile([0.0] * 8 + [1.0] * 4, 20))
    data = rows(
        {"orders_frequency": np.ones(240), "customers_segment": codes},
        ("basic", "plus", "trial"),
        churned=churned,
    )
    rule = best_rule(data)
    assert rule.position == 1
    assert rule.words.endswith("(riskiest: trial)")
    scores = rule.score(data)
    assert scores[2] == max(scores)
    assert scores[3] == pytest.approx(churned.mean())


def test_the_base_rate_is_that_of_the_training_rows() -> None:
    train, test = rfm_rows(1), rfm_rows(2)
    assert train.churned is not None
    predictions = churn_baselines(train, test)
    assert set(predictions) == {BASE_RATE, BEST_RULE, RFM_LOGISTIC}
    assert predictions[BASE_RATE] == pytest.approx(np.full(len(test), train.churned.mean()))


def test_rule_and_logistic_are_calibrated_propensities_that_rank() -> None:
    train, test = rfm_rows(1, 4000), rfm_rows(2, 4000)
    assert test.churned is not None
    since = test.X[:, 0]
    best = measure(metrics.roc_auc, test.churned, since)
    for name in (BEST_RULE, RFM_LOGISTIC):
        propensity = churn_baselines(train, test)[name]
        assert measure(metrics.roc_auc, test.churned, propensity) == pytest.approx(best, abs=0.01)
        error = measure(metrics.expected_calibration_error, test.churned, propensity)
        assert error < 0.05


def test_the_logistic_recovers_the_known_slope() -> None:
    """Propensities at 10 and 200 days, from logits log(11) - 4.5 and log(201) - 4.5."""
    train = rfm_rows(3, 20_000)
    asked = rfm_rows(4, 2)
    X = np.array([[10.0, 2, 110, 20], [200.0, 2, 300, 20]])
    asked = Dataset(X, asked.customer_id, asked.cutoff, asked.contract)
    truth = 1 / (1 + np.exp(-(np.log1p([10, 200]) - 4.5)))
    assert churn_baselines(train, asked)[RFM_LOGISTIC] == pytest.approx(truth, abs=0.04)


def test_usage_stands_in_where_there_are_no_orders() -> None:
    rng = np.random.default_rng(6)
    columns = {name: rng.random(300) for name in USAGE}
    churned = (rng.random(300) < columns[USAGE[0]]).astype(float)
    data = rows(columns, churned=churned)
    assert set(churn_baselines(data, data)) == {BASE_RATE, BEST_RULE, USAGE_LOGISTIC}


def test_a_wide_table_gets_a_logistic_on_all_its_columns() -> None:
    """Churn depends on the category alone: 80 % of one, 20 % of the other."""
    codes = np.tile([0.0, 1.0], 500)
    churned = np.where(codes == 0, np.arange(1000) % 10 < 8, np.arange(1000) % 10 >= 8) * 1.0
    columns = {"customers_minutes": np.where(codes == 0, np.nan, 7.0), "customers_segment": codes}
    data = rows(columns, ("basic", "plus"), churned=churned)
    propensity = churn_baselines(data, data)[ALL_LOGISTIC]
    assert propensity[:2] == pytest.approx([0.8, 0.2], abs=0.02)


def test_historical_average_by_hand() -> None:
    """Two days of 30 in 100 days over 50 days: 30; one of 40 only 5 days ago: 40; never: 0."""
    frequency, since_first = np.array([1.0, 0, 0]), np.array([100.0, 5, np.nan])
    columns = dict(
        zip(RFM, (np.ones(3), frequency, since_first, np.array([30.0, 40, np.nan])), strict=True)
    )
    train = rfm_rows(1)
    asked = rows(columns)
    assert value_baselines(train, asked, 50)[HISTORICAL_VALUE].tolist() == [30.0, 40.0, 0.0]


def test_value_baselines_rank_and_never_go_below_zero() -> None:
    train, test = rfm_rows(1), rfm_rows(2)
    assert train.value is not None
    assert test.value is not None
    predictions = value_baselines(train, test, 90)
    assert predictions[MEAN_VALUE] == pytest.approx(np.full(len(test), train.value.mean()))
    assert predictions[RFM_RIDGE].min() >= 0
    assert measure(metrics.normalised_gini, test.value, predictions[RFM_RIDGE]) > 0.3


def test_rows_without_labels_are_refused() -> None:
    data = rfm_rows(1)
    bare = Dataset(data.X, data.customer_id, data.cutoff, data.contract)
    with pytest.raises(ValueError, match="carry no labels of this kind"):
        churn_baselines(bare, data)
