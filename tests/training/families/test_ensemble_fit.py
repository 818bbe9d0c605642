"""Ensembles: who is given weight, what is averaged, and that nothing hangs on chance."""

from dataclasses import astuple, replace
from functools import cache

import numpy as np
import pytest

from features.config import TrainingConfig
from tests.training.buyers import CONTRACT, Buyers, buyers, forecast_of
from training.btyd.history import History
from training.dataset import CannotTrain
from training.families.boosting import Examples
from training.families.ensemble import Ensemble
from training.families.ensemble_fit import (
    FITS,
    EnsembleFit,
    _surely_better,
    fit_ensemble,
    refit_ensemble,
)
from training.families.forecast import history_of
from training.families.glm import Objective

TRAINING = TrainingConfig(seed=7, threads=1)
ALL = ("btyd", "trees", "trees_on_btyd", "glm", "glm_on_btyd")
TARGETS = {"binary": "churned", "poisson": "orders", "tweedie": "value"}


def examples_of(data: Buyers, objective: Objective) -> Examples:
    target = getattr(data, TARGETS[objective])
    unit = float(target.mean()) if objective == "tweedie" else 1.0
    return Examples(data.X, target / unit, CONTRACT, objective, unit=unit)


@cache
def fitted(objective: Objective) -> EnsembleFit:
    """Few enough rows for equal weights, so that every family stays."""
    data = buyers(1_200, seed=1)
    examples = examples_of(data, objective)
    forecast = forecast_of(objective, data.X, examples.unit)
    return fit_ensemble(examples, data.customer_id, forecast, TRAINING)


def only(ensemble: Ensemble, family: str) -> Ensemble:
    """The ensemble of one of its members."""
    members = {family: ensemble.members[family]}
    return Ensemble(
        ensemble.contract,
        ensemble.objective,
        members,
        {family: 1.0},
        ensemble.forecast,
        ensemble.unit,
    )


def by_tickets(customers: int) -> tuple[Examples, np.ndarray]:
    """Customers whose churn hangs on their tickets alone."""
    data = buyers(customers, seed=4)
    tickets = data.X[:, CONTRACT.names.index("tickets_open_90d")]
    odds = np.exp(3.0 * (tickets - 1.0))
    left = np.random.default_rng(5).random(customers) < odds / (1.0 + odds)
    return Examples(data.X, left.astype(float), CONTRACT, "binary"), data.customer_id


def test_few_rows_weigh_every_family_alike() -> None:
    found = fitted("binary").ensemble.weights
    assert tuple(found) == ALL == tuple(FITS)
    assert set(found.values()) == {0.2}


def test_without_a_forecast_only_families_that_need_none_are_fitted() -> None:
    data = buyers(400, seed=2)
    found = fit_ensemble(examples_of(data, "binary"), data.customer_id, None, TRAINING)
    assert set(found.ensemble.weights) == {"trees", "glm"}


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_weights_lie_on_a_simplex_and_go_to_who_knows_most(objective: Objective) -> None:
    """What generated the customers is the forecast; nobody beside it can know more."""
    data = buyers(2_500, seed=3)
    examples = examples_of(data, objective)
    forecast = forecast_of(objective, data.X, examples.unit)
    weights = fit_ensemble(examples, data.customer_id, forecast, TRAINING).ensemble.weights
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-12)
    assert min(weights.values()) >= 0.01
    assert weights["btyd"] + weights.get("glm_on_btyd", 0) + weights.get("trees_on_btyd", 0) > 0.8


def test_a_forecast_that_knows_nothing_is_dropped_and_leaves_no_member() -> None:
    examples, customer_id = by_tickets(2_500)
    forecast = forecast_of("binary", examples.X)
    found = fit_ensemble(examples, customer_id, forecast, TRAINING)
    assert "btyd" not in found.ensemble.weights
    assert set(found.ensemble.members) == set(found.rounds) == set(found.ensemble.weights)
    assert sum(found.ensemble.weights.values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_below_a_thousand_customers_the_forecast_stands_alone(objective: Objective) -> None:
    data = buyers(700, seed=3)
    examples = examples_of(data, objective)
    forecast = forecast_of(objective, data.X, examples.unit)
    found = fit_ensemble(examples, data.customer_id, forecast, TRAINING)
    assert dict(found.ensemble.weights) == {"btyd": 1.0}
    learned, _ = forecast.offsets(data.X, CONTRACT.names)
    out_of_fold = learned if objective == "binary" else np.exp(learned) * examples.unit
    assert found.out_of_fold == pytest.approx(out_of_fold, rel=1e-12)


def test_few_customers_whose_churn_hangs_on_other_things_get_every_family() -> None:
    examples, customer_id = by_tickets(700)
    found = fit_ensemble(examples, customer_id, forecast_of("binary", examples.X), TRAINING)
    assert set(found.ensemble.weights) == set(ALL)


def test_for_money_half_of_the_weight_goes_to_the_trees_on_the_forecast() -> None:
    weights = fitted("tweedie").ensemble.weights
    assert weights == pytest.approx(dict.fromkeys(ALL, 0.1) | {"trees_on_btyd": 0.6})


def test_the_same_few_customers_over_and_over_prove_no_more() -> None:
    """A gain of thirty customers, each there ten times, is not that of three hundred."""
    data = buyers(30, seed=12)
    knowing = np.where(data.churned > 0, 0.6, -0.6) + np.random.default_rng(5).normal(0, 1.2, 30)
    examples = replace(examples_of(data, "binary"), offset=np.zeros(30))
    ten = np.tile(np.arange(30), 10)
    ids = data.customer_id[ten], np.arange(300).astype(str)
    told = [
        _surely_better(knowing[ten, None], np.ones(1), examples.rows(ten), each) for each in ids
    ]
    assert told == [False, True]


def test_log_odds_of_members_are_averaged_for_churn() -> None:
    ensemble, X = fitted("binary").ensemble, buyers(50, seed=6).X
    alone = [only(ensemble, family).predict(X) for family in ALL]
    assert ensemble.predict(X) == pytest.approx(np.mean(alone, axis=0), abs=1e-12)


@pytest.mark.parametrize("objective", ["poisson", "tweedie"])
def test_means_of_members_are_averaged_for_orders_and_value(objective: Objective) -> None:
    ensemble, X = fitted(objective).ensemble, buyers(50, seed=6).X
    alone = [only(ensemble, family).predict(X) for family in ALL]
    weight = [ensemble.weights[family] for family in ALL]
    assert ensemble.predict(X) == pytest.approx(np.average(alone, 0, weight), rel=1e-12)
    learned, _ = ensemble.forecast.offsets(X, CONTRACT.names)
    assert alone[0] == pytest.approx(np.exp(learned) * ensemble.unit, rel=1e-12)


@pytest.mark.parametrize("family", ALL)
def test_contributions_and_one_constant_add_up_to_the_log_odds_of(family: str) -> None:
    ensemble, X = only(fitted("binary").ensemble, family), buyers(80, seed=7).X
    constant = ensemble.predict(X) - ensemble.contributions(X).sum(axis=1)
    assert constant == pytest.approx(np.full(80, constant[0]), abs=1e-6)
    assert ensemble.contributions(X).any()


def test_contributions_and_one_constant_add_up_when_the_horizon_is_stretched() -> None:
    data = buyers(1_200, seed=1)
    forecast = forecast_of("binary", data.X).model_copy(update={"horizon_days": 180})
    found = fit_ensemble(examples_of(data, "binary"), data.customer_id, forecast, TRAINING)
    for ensemble in (found.ensemble, *(only(found.ensemble, family) for family in ALL)):
        constant = ensemble.predict(data.X) - ensemble.contributions(data.X).sum(axis=1)
        assert constant == pytest.approx(np.full(1_200, constant[0]), abs=1e-6)


def test_contributions_of_the_ensemble_and_one_constant_add_up_to_its_log_odds() -> None:
    ensemble, X = fitted("binary").ensemble, buyers(80, seed=7).X
    constant = ensemble.predict(X) - ensemble.contributions(X).sum(axis=1)
    assert constant == pytest.approx(np.full(80, constant[0]), abs=1e-6)


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_one_row_alone_is_predicted_to_the_bit_as_in_a_batch(objective: Objective) -> None:
    ensemble, X = fitted(objective).ensemble, buyers(40, seed=8).X
    whole, added = ensemble.predict(X), ensemble.contributions(X)
    columns = astuple(history_of(X, CONTRACT.names))
    for place in range(len(X)):
        row = X[place : place + 1]
        own = History(*(float(column[place]) for column in columns))
        assert ensemble.predict(row)[0] == whole[place]
        assert ensemble.predict_row(X[place], own) == whole[place]
        assert ensemble.contributions(row)[0].tolist() == added[place].tolist()


def test_nobody_asked_about_is_nobody_answered() -> None:
    ensemble = fitted("binary").ensemble
    nobody = np.empty((0, len(CONTRACT.names)))
    assert ensemble.predict(nobody).shape == (0,)
    assert ensemble.contributions(nobody).shape == nobody.shape


def test_a_refit_keeps_rounds_and_weights_and_learns_from_the_new_rows() -> None:
    found, more = fitted("binary"), buyers(1_500, seed=9)
    forecast = forecast_of("binary", more.X)
    again = refit_ensemble(found, examples_of(more, "binary"), forecast, TRAINING)
    assert again.weights == found.ensemble.weights
    for family in ("trees", "trees_on_btyd"):
        assert again.members[family].booster.num_trees() == found.rounds[family]
    assert again.members["glm"].text() != found.ensemble.members["glm"].text()


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_does_not() -> None:
    data = buyers(1_200, seed=1)
    forecast = forecast_of("binary", data.X)

    def texts(seed: int) -> dict[str, str]:
        training = TRAINING.model_copy(update={"seed": seed})
        found = fit_ensemble(examples_of(data, "binary"), data.customer_id, forecast, training)
        return {family: member.text() for family, member in found.ensemble.members.items()}

    first = {family: member.text() for family, member in fitted("binary").ensemble.members.items()}
    assert texts(7) == first
    other = texts(8)
    assert other["trees"] != first["trees"]
    assert other["glm"] == first["glm"]


def test_out_of_fold_answers_know_less_than_the_members_that_saw_the_rows() -> None:
    data, found = buyers(1_200, seed=1), fitted("binary")
    assert found.looked_at.all()

    def loss(score: np.ndarray) -> float:
        return float(np.mean(np.logaddexp(0.0, score) - data.churned * score))

    assert loss(found.out_of_fold) > loss(found.ensemble.predict(data.X))


def test_a_stretched_ensemble_moves_each_member_by_the_forecasts_own_stretch() -> None:
    data = buyers(1_200, seed=1)
    forecast = forecast_of("poisson", data.X).model_copy(update={"horizon_days": 180})
    examples = examples_of(data, "poisson")
    found = fit_ensemble(examples, data.customer_id, forecast, TRAINING)
    learned, asked = forecast.offsets(data.X, CONTRACT.names)
    stretched = fitted("poisson").ensemble.predict(data.X) * np.exp(asked - learned)
    assert found.ensemble.predict(data.X) == pytest.approx(stretched, rel=1e-9)


def test_a_handful_of_customers_is_refused() -> None:
    data = buyers(3, seed=10)
    with pytest.raises(CannotTrain, match="3 rows cannot be split into 5 groups of customers"):
        fit_ensemble(examples_of(data, "binary"), data.customer_id, None, TRAINING)
