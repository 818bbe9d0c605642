"""Intervals of value by simulation: they hold for what the model tells, and the better one wins."""

from functools import cache

import numpy as np
import pytest

from tests.training.buyers import CONTRACT, buyers, forecast_of, standpoint_of
from training.families.ensemble import Ensemble
from training.families.forecast import Standpoint
from training.families.members import ForecastAlone
from training.intervals import IntervalTable
from training.value_intervals import better_source, simulated_intervals

NARROW = IntervalTable(edges=(), lower=(0.5,), upper=(1.5,))
WIDE = IntervalTable(edges=(), lower=(0.0,), upper=(3.0,))


def told(X: np.ndarray, unit: float = 1.0) -> Ensemble:
    """The true forecast as the only member."""
    forecast = forecast_of("tweedie", X, unit)
    return Ensemble(CONTRACT, "tweedie", {"btyd": ForecastAlone()}, {"btyd": 1.0}, forecast, unit)


@cache
def asked() -> Standpoint:
    return standpoint_of(buyers(1_200, seed=1).X)


@cache
def drawn(factor: float = 1.0, seed: int = 1) -> IntervalTable:
    return simulated_intervals(told(asked().X), factor, asked(), seed)


def test_values_that_came_are_inside_as_often_as_the_level_says() -> None:
    """Customers of the model itself: 5 % above within 2 %, and at most 5 % below within 2 %."""
    fresh = buyers(4_000, seed=2)
    predicted = told(fresh.X).predict(fresh.X)
    low, high = drawn().apply(predicted)
    assert (fresh.value > high).mean() == pytest.approx(0.05, abs=0.02)
    assert (fresh.value < low).mean() < 0.07
    top = predicted > np.quantile(predicted, 0.9)
    inside = (low <= fresh.value) & (fresh.value <= high)
    assert inside[top].mean() == pytest.approx(0.9, abs=0.06)


def test_the_level_of_the_ensemble_scales_the_money_and_not_the_ratios() -> None:
    assert drawn(2.0).edges == pytest.approx([2.0 * edge for edge in drawn().edges])
    assert drawn(2.0).lower == pytest.approx(drawn().lower)
    assert drawn(2.0).upper == pytest.approx(drawn().upper)


def test_the_unit_of_the_forecast_changes_nothing() -> None:
    in_units = simulated_intervals(told(asked().X, unit=40.0), 1.0, asked(), 1)
    assert in_units.edges == pytest.approx(drawn().edges)
    assert in_units.upper == pytest.approx(drawn().upper)


def test_the_same_seed_draws_the_same_intervals_and_another_does_not() -> None:
    again = simulated_intervals(told(asked().X), 1.0, asked(), 1)
    assert again == drawn()
    assert drawn(seed=2) != drawn()


def test_many_customers_are_drawn_for_by_no_more_than_five_thousand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred stand for five thousand here: of 199 customers every other one is drawn."""
    monkeypatch.setattr("training.value_intervals._MOST_CUSTOMERS", 100)
    X = asked().X[:199]
    ranked = np.argsort(told(X).predict(X), kind="stable")
    every_other = X[ranked[::2]]
    few = simulated_intervals(told(X), 1.0, standpoint_of(every_other), 1)
    assert simulated_intervals(told(X), 1.0, standpoint_of(X), 1) == few


def test_an_ensemble_without_a_forecast_has_nothing_to_draw_from() -> None:
    X = asked().X
    alone = Ensemble(CONTRACT, "tweedie", {"btyd": ForecastAlone()}, {"btyd": 1.0}, None)
    with pytest.raises(ValueError, match="simulated only where BTYD forecasts them"):
        simulated_intervals(alone, 1.0, standpoint_of(X), 1)


def test_the_narrow_interval_is_better_until_its_misses_cost_more() -> None:
    """Width 10 against 30; each unit missed costs 20 by equation 43, so 1 unit is the border."""
    tables = {"conformal": WIDE, "simulated": NARROW}
    predicted = np.array([10.0])
    assert better_source(tables, predicted, np.array([15.0])) == "simulated"
    assert better_source(tables, predicted, np.array([15.9])) == "simulated"
    assert better_source(tables, predicted, np.array([16.1])) == "conformal"
    assert better_source(tables, predicted, np.array([3.9])) == "conformal"


def test_of_intervals_about_what_came_the_true_ones_are_the_better() -> None:
    fresh = buyers(2_000, seed=3)
    predicted = told(fresh.X).predict(fresh.X)
    for upper in (2.0, 60.0):
        wrong = IntervalTable(edges=(), lower=(0.0,), upper=(upper,))
        tables = {"conformal": wrong, "simulated": drawn()}
        assert better_source(tables, predicted, fresh.value) == "simulated"
