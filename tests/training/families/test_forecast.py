"""The forecast of feature rows: BTYD's own numbers, two horizons, and an exact explanation."""

from dataclasses import astuple

import numpy as np
import pytest

from tests.training.buyers import BTYD, CONTRACT, HORIZON, buyers, forecast_of
from training.btyd.history import History, order_history
from training.families.forecast import can_forecast, history_of, typical_customer
from training.families.glm import Objective

NAMES = CONTRACT.names
X = buyers(60, seed=1).X
EXPLAINED = ["orders_days_since_last", "orders_frequency", "orders_T"]


def link(objective: Objective, rows: np.ndarray, days: int, unit: float) -> np.ndarray:
    """The link of what BTYD predicts, written anew."""
    predicted = BTYD.predict(history_of(rows, NAMES), days)
    if objective == "binary":
        silent = predicted.probability_no_order
        return np.log(silent / (1.0 - silent))
    mean = predicted.expected_orders if objective == "poisson" else predicted.expected_spend / unit
    return np.log(mean)


def one_customer(since: float, frequency: float, T: float) -> np.ndarray:
    """A row whose history has these three numbers."""
    row = dict.fromkeys(NAMES, 0.0)
    row |= {"orders_frequency": frequency, "orders_recency": (T - since) * (frequency > 0)}
    row |= {"orders_T": T + 1.0, "orders_value_mean": 20.0, "orders_days_since_last": since + 1.0}
    return np.array([[row[name] for name in NAMES]])


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_offsets_are_what_btyd_predicts_on_the_link_scale(objective: Objective) -> None:
    learned, asked = forecast_of(objective, X, unit=25.0).offsets(X, NAMES)
    assert learned == pytest.approx(link(objective, X, HORIZON, 25.0), abs=1e-9)
    assert asked.tolist() == learned.tolist()


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_a_stretched_forecast_answers_for_both_horizons(objective: Objective) -> None:
    forecast = forecast_of(objective, X, unit=25.0).model_copy(update={"learned_days": 40})
    learned, asked = forecast.offsets(X, NAMES)
    assert learned == pytest.approx(link(objective, X, 40, 25.0), abs=1e-9)
    assert asked == pytest.approx(link(objective, X, HORIZON, 25.0), abs=1e-9)
    longer = asked < learned if objective == "binary" else asked > learned
    assert longer.all()


def test_feature_rows_hold_the_history_that_the_orders_give() -> None:
    """Ordered on days 10, 40 and 70, asked on day 100: T 89, and 90 days since the first."""
    days, values = np.array([10, 40, 70]), np.array([5.0, 10.0, 30.0])
    _, by_orders = order_history(np.array(["a"] * 3), days, values, 100)
    row = np.array([[2.0, 60.0, 90.0, 15.0, 30.0, 0.0, 0.0]])
    by_features = history_of(row, NAMES)
    for name in ("frequency", "recency", "T", "orders", "mean_value"):
        assert getattr(by_features, name).tolist() == getattr(by_orders, name).tolist(), name


def test_contributions_are_the_link_of_the_row_less_that_of_the_typical_customer() -> None:
    forecast = forecast_of("binary", X)
    added, _ = forecast.explained(X, NAMES)
    typical = one_customer(*typical_customer(X, NAMES))
    gained = link("binary", X, HORIZON, 1.0) - link("binary", typical, HORIZON, 1.0)
    assert added.sum(axis=1) == pytest.approx(gained, abs=1e-9)
    places = [NAMES.index(name) for name in EXPLAINED]
    assert not np.delete(added, places, axis=1).any()
    assert (np.abs(added[:, places]).max(axis=0) > 0.1).all()


def test_a_stretched_forecast_explains_both_of_its_offsets() -> None:
    forecast = forecast_of("binary", X).model_copy(update={"learned_days": 40})
    typical = one_customer(*forecast.typical)
    for added, days in zip(forecast.explained(X, NAMES), (40, HORIZON), strict=True):
        gained = link("binary", X, days, 1.0) - link("binary", typical, days, 1.0)
        assert added.sum(axis=1) == pytest.approx(gained, abs=1e-9)


def test_the_typical_customer_owes_nothing_to_anything() -> None:
    forecast = forecast_of("binary", X)
    typical = one_customer(*forecast.typical)
    assert np.abs(forecast.explained(typical, NAMES)[0]).max() < 1e-12


def test_the_shapley_values_are_the_mean_over_the_six_orders_of_coming_in() -> None:
    """Two numbers the same as the typical customer's: all is owed to the third."""
    forecast = forecast_of("binary", X).model_copy(update={"typical": (30.0, 4.0, 200.0)})
    typical = one_customer(30.0, 4.0, 200.0)
    for name, row in zip(
        EXPLAINED,
        (
            one_customer(80.0, 4.0, 200.0),
            one_customer(30.0, 9.0, 200.0),
            one_customer(30.0, 4.0, 300.0),
        ),
        strict=True,
    ):
        added = forecast.explained(row, NAMES)[0][0]
        gained = link("binary", row, HORIZON, 1.0) - link("binary", typical, HORIZON, 1.0)
        assert added[NAMES.index(name)] == pytest.approx(gained[0], abs=1e-9)
        assert np.abs(added).sum() == pytest.approx(abs(gained[0]), abs=1e-9)


def test_a_longer_silence_of_the_same_customer_adds_to_churn() -> None:
    rows = np.vstack([one_customer(since, 5.0, 250.0) for since in (5.0, 60.0, 150.0)])
    since = forecast_of("binary", X).explained(rows, NAMES)[0][:, NAMES.index(EXPLAINED[0])]
    assert since[0] < since[1] < since[2]


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_one_row_alone_is_forecast_to_the_bit_as_in_a_batch(objective: Objective) -> None:
    forecast = forecast_of(objective, X).model_copy(update={"learned_days": 40})
    learned, asked = forecast.offsets(X, NAMES)
    columns = astuple(history_of(X, NAMES))
    first, second = forecast.explained(X, NAMES)
    for place in range(len(X)):
        row = X[place : place + 1]
        alone = forecast.offsets(row, NAMES)
        assert (alone[0][0], alone[1][0]) == (learned[place], asked[place])
        floats = History(*(float(column[place]) for column in columns))
        assert forecast.offsets_of(floats) == (learned[place], asked[place])
        own = forecast.explained(row, NAMES)
        assert own[0][0].tolist() == first[place].tolist()
        assert own[1][0].tolist() == second[place].tolist()


@pytest.mark.parametrize("objective", ["binary", "poisson", "tweedie"])
def test_a_customer_without_orders_counts_as_new_today(objective: Objective) -> None:
    nobody = np.full((1, len(NAMES)), np.nan)
    new = one_customer(0.0, 0.0, 0.0)
    new[0, NAMES.index("orders_value_mean")] = 0.0
    forecast = forecast_of(objective, X)
    assert forecast.offsets(nobody, NAMES)[0].tolist() == forecast.offsets(new, NAMES)[0].tolist()
    assert np.isfinite(forecast.explained(nobody, NAMES)).all()


def test_who_is_surely_gone_has_a_finite_forecast() -> None:
    gone = one_customer(5_000.0, 400.0, 5_100.0)
    for objective in ("binary", "poisson", "tweedie"):
        forecast = forecast_of(objective, X)
        assert np.isfinite(forecast.offsets(gone, NAMES)[0]).all()
        assert np.isfinite(forecast.explained(gone, NAMES)).all()


def test_only_features_with_a_whole_history_can_be_forecast() -> None:
    assert can_forecast(NAMES)
    for name in NAMES[:4]:
        assert not can_forecast([other for other in NAMES if other != name])
