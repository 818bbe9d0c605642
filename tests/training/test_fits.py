"""Churn and value models: reproducible to the byte, unseen by their own folds, and they recover."""

from functools import cache

import numpy as np
import pytest

from features.config import TrainingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from training.calibration import sigmoid
from training.churn import ChurnFit, fit_churn, refit_churn
from training.clv import ValueFit, fit_orders, fit_value, refit_value
from training.dataset import CannotTrain, Dataset
from training.families.boosting import Examples, cross_fit, customer_folds
from training.rows import Basis, Rows, ValueRows

TRAINING = TrainingConfig(seed=7, threads=1)
CONTRACT = FeatureContract(
    columns=(
        FeatureColumn(name="orders_days_since_last", definition="d0"),
        FeatureColumn(name="orders_spend_90d", definition="d1"),
        FeatureColumn(
            name="customers_segment", kind="category", categories=("a", "b", "c"), definition="d2"
        ),
    )
)


def company(customers: int, seed: int) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Two cutoffs of customers with known propensity and known expected value."""
    rng = np.random.default_rng(seed)
    rows = 2 * customers
    idle, spend = rng.normal(0.0, 1.0, rows), rng.normal(0.0, 1.0, rows)
    segment = rng.integers(0, 3, rows).astype(float)
    propensity = sigmoid(1.5 * idle - 0.5 + (segment == 2))
    churned = (rng.random(rows) < propensity).astype(float)
    size = np.exp(3.0 + 0.5 * spend)
    value = (1.0 - churned) * rng.gamma(2.0, size / 2.0)
    data = Dataset(
        X=np.column_stack([idle, spend, segment]),
        customer_id=np.tile(np.array([f"c{seed}_{n}" for n in range(customers)]), 2),
        cutoff=np.repeat(np.array(["2025-01-01", "2025-02-01"], dtype="datetime64[us]"), customers),
        contract=CONTRACT,
        churned=churned,
        value=value,
        orders=rng.poisson(2.0 * (1.0 - churned)).astype(float),
    )
    return data, propensity, (1.0 - propensity) * size


def rows(data: Dataset) -> Rows:
    return Rows(data, data)


def value_of(data: Dataset) -> ValueRows:
    return ValueRows(data, data)


@cache
def fitted_churn() -> ChurnFit:
    return fit_churn(rows(company(1_000, 1)[0]), TRAINING)


@cache
def fitted_value() -> ValueFit:
    return fit_value(value_of(company(1_000, 1)[0]), TRAINING)


def texts(fitted: ChurnFit) -> dict[str, str]:
    members = fitted.model.ensemble.members
    return {family: member.text() for family, member in members.items()}


def test_the_same_data_and_seed_give_the_same_bytes_of_model_text() -> None:
    again = fit_churn(rows(company(1_000, 1)[0]), TRAINING)
    assert texts(again) == texts(fitted_churn())
    assert again.model.calibration == fitted_churn().model.calibration


def test_another_seed_gives_another_model() -> None:
    other = fit_churn(rows(company(1_000, 1)[0]), TRAINING.model_copy(update={"seed": 8}))
    assert texts(other)["trees"] != texts(fitted_churn())["trees"]


def test_known_propensities_are_found_again_for_new_customers() -> None:
    fresh, propensity, _ = company(2_000, 2)
    found = fitted_churn().model.predict(fresh.X)
    assert np.corrcoef(found, propensity)[0, 1] > 0.93
    assert found.mean() == pytest.approx(propensity.mean(), abs=0.02)
    assert np.abs(found - propensity).mean() < 0.08


def test_a_category_is_read_as_a_category() -> None:
    used = fitted_churn().model.ensemble.members["trees"].booster.dump_model()["tree_info"]
    assert '"decision_type": "=="' in str(used).replace("'", '"')


def test_out_of_fold_propensities_know_less_than_the_model_that_saw_the_rows() -> None:
    data, _, _ = company(1_000, 1)
    fitted = fitted_churn()
    seen, unseen = fitted.model.predict(data.X), fitted.out_of_fold
    assert np.mean((unseen - data.churned) ** 2) > np.mean((seen - data.churned) ** 2)


def test_a_refit_keeps_rounds_and_calibration() -> None:
    fitted = fitted_churn()
    refitted = refit_churn(fitted, company(1_200, 3)[0], Basis(), TRAINING)
    trees = refitted.ensemble.members["trees"].booster
    assert trees.num_trees() == fitted.fitted.rounds["trees"]
    assert refitted.ensemble.weights == fitted.model.ensemble.weights
    assert refitted.calibration == fitted.model.calibration


def test_all_rows_of_a_customer_share_a_fold_whatever_their_place() -> None:
    ids = np.array([f"c{n}" for n in range(500)])
    folds = customer_folds(ids)
    assert (customer_folds(ids[::-1])[::-1] == folds).all()
    assert (np.bincount(folds, minlength=5) > 70).all()


def test_noise_is_given_few_rounds_and_propensities_near_the_base_rate() -> None:
    data, _, _ = company(500, 4)
    shuffled = np.random.default_rng(5).permutation(data.churned)
    noise = Dataset(data.X, data.customer_id, data.cutoff, CONTRACT, churned=shuffled)
    fitted = fit_churn(rows(noise), TRAINING)
    assert fitted.fitted.rounds["trees"] < 40
    assert fitted.out_of_fold.std() < 0.05


def test_known_values_are_found_again_for_new_customers() -> None:
    fresh, _, expected = company(2_000, 6)
    found = fitted_value().model.predict(fresh.X)
    assert np.corrcoef(np.log(found), np.log(expected))[0, 1] > 0.9
    assert found.sum() == pytest.approx(fresh.value.sum(), rel=0.08)


def test_nine_in_ten_new_values_fall_inside_their_interval_or_more() -> None:
    fresh, _, _ = company(2_000, 7)
    value = fitted_value().model
    clv = value.predict(fresh.X)
    low, high = value.intervals.apply(clv)
    assert ((low <= fresh.value) & (fresh.value <= high)).mean() > 0.89
    assert (low <= clv).all()
    assert (clv <= high).all()


def test_doubling_prices_doubles_value() -> None:
    data, _, _ = company(1_000, 1)
    twice = Dataset(
        data.X, data.customer_id, data.cutoff, CONTRACT, value=2.0 * np.asarray(data.value)
    )
    doubled = fit_value(value_of(twice), TRAINING).model.predict(data.X)
    assert doubled == pytest.approx(2.0 * fitted_value().model.predict(data.X), rel=1e-3)


def test_a_refit_keeps_rounds_level_and_intervals() -> None:
    fitted = fitted_value()
    refitted = refit_value(fitted, company(1_200, 8)[0], Basis(), TRAINING)
    trees = refitted.ensemble.members["trees"].booster
    assert trees.num_trees() == fitted.fitted.rounds["trees"]
    assert refitted.level == fitted.model.level
    assert refitted.intervals == fitted.model.intervals


def test_expected_orders_add_up_to_the_orders_that_came() -> None:
    data, _, _ = company(1_000, 1)
    fresh, _, _ = company(2_000, 9)
    found = fit_orders(rows(data), TRAINING).model.predict(fresh.X)
    assert found.sum() == pytest.approx(fresh.orders.sum(), rel=0.08)


def test_too_few_buyers_are_refused_with_their_count() -> None:
    data, _, _ = company(1_000, 1)
    none = Dataset(data.X, data.customer_id, data.cutoff, CONTRACT, value=np.zeros(len(data)))
    with pytest.raises(CannotTrain, match="0 of 2000 training rows bought within the horizon"):
        fit_value(value_of(none), TRAINING)


def test_a_handful_of_customers_is_refused_with_advice() -> None:
    X = np.zeros((3, 3))
    examples = Examples(X, np.array([0.0, 1.0, 0.0]), CONTRACT, "binary")
    with pytest.raises(CannotTrain, match="3 rows cannot be split into 5 groups of customers"):
        cross_fit(examples, np.array([0, 1, 2]), TRAINING)
