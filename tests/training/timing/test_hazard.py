"""Churn curves and act-by days, worked out by hand from a constant hazard, and their properties."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from training.timing.hazard import CURVE_DAYS, Event, Hazard

CONTRACT = FeatureContract(
    columns=tuple(
        FeatureColumn(name=name, definition="d")
        for name in ("orders_days_since_last", "subscriptions_days_to_anniversary")
    )
)


def constant(event: Event) -> Hazard:
    return Hazard(event=event, horizon_days=90, timezone="UTC", watched_days=180)


def bent(event: Event) -> Hazard:
    """A shape that depends on the propensity, the recency and the day."""
    return Hazard(
        event=event,
        horizon_days=100,
        timezone="Asia/Jakarta",
        watched_days=180,
        inputs=("orders_days_since_last",),
        centre=(0.0, 3.0),
        scale=(1.5, 1.0),
        knots=(7, 30, 180),
        log_hazard=((0.0, 0.0, 0.0), (-0.5, 0.4, -0.8), (-2.0, 0.3, 1.0)),
    )


def rows(count: int) -> np.ndarray:
    return np.column_stack([np.linspace(0.0, 300.0, count), np.full(count, np.nan)])


def one(days: float, propensity: float, event: Event) -> float:
    curve = constant(event).curve(np.array([days]), np.array([propensity]), rows(1), CONTRACT)
    return float(curve[0, 0])


def test_silence_falls_by_the_share_of_the_horizon_that_has_passed() -> None:
    """.25 of the customers are silent for 90 days, so .25 ** (45 / 90) = .5 for 45."""
    assert one(45, 0.25, "return") == pytest.approx(0.5)
    assert one(180, 0.25, "return") == pytest.approx(0.0625)
    assert one(0, 0.25, "return") == 1.0


def test_leaving_rises_with_the_days() -> None:
    """.81 stay for 90 days, so .9 stay for 45 and .6561 for 180."""
    assert one(45, 0.19, "end") == pytest.approx(0.1)
    assert one(180, 0.19, "end") == pytest.approx(1 - 0.6561)
    assert one(0, 0.19, "end") == 0.0


@pytest.mark.parametrize("event", ["return", "end"])
def test_the_curve_passes_through_the_propensity_whatever_the_shape(event: Event) -> None:
    propensity = np.concatenate([[0.0, 1.0], np.linspace(0.001, 0.999, 98)])
    curve = bent(event).curve(np.array([100.0]), propensity, rows(100), CONTRACT)
    assert np.abs(curve[:, 0] - propensity).max() < 1e-8


@pytest.mark.parametrize("event", ["return", "end"])
def test_a_curve_only_falls_or_only_rises(event: Event) -> None:
    propensity = np.linspace(0.001, 0.999, 50)
    curve = bent(event).curve(np.arange(181.0), propensity, rows(50), CONTRACT)
    steps = np.diff(curve, axis=1)
    assert (steps <= 0).all() if event == "return" else (steps >= 0).all()


def test_half_the_chance_of_a_return_is_gone_at_the_act_by_day() -> None:
    """.75 return within 90 days, .375 by day d: .625 = .25 ** (d / 90), so d = 30.5."""
    assert constant("return").act_by(np.array([0.25]), rows(1), CONTRACT).tolist() == [30]


def test_a_quarter_of_those_who_will_leave_have_left_at_the_act_by_day() -> None:
    """.19 leave within 90 days, .0475 by day d: .9525 = .81 ** (d / 90), so d = 20.8."""
    assert constant("end").act_by(np.array([0.19]), rows(1), CONTRACT).tolist() == [20]


def test_the_act_by_day_is_not_after_the_anniversary() -> None:
    X = np.array([[1.0, 5.9], [1.0, 300.0], [1.0, np.nan]])
    assert constant("end").act_by(np.full(3, 0.19), X, CONTRACT).tolist() == [5, 20, 20]


@pytest.mark.parametrize("event", ["return", "end"])
def test_the_act_by_day_is_where_the_curve_says(event: Event) -> None:
    hazard, propensity, X = bent(event), np.linspace(0.0, 1.0, 40), rows(40)
    curve = hazard.curve(np.arange(102.0), propensity, X, CONTRACT)
    happened = 1.0 - curve if event == "return" else curve
    share = {"return": 0.5, "end": 0.25}[event]
    for row, day in enumerate(hazard.act_by(propensity, X, CONTRACT).astype(int)):
        if 0.0 < propensity[row] < 1.0:
            assert happened[row, day] <= share * happened[row, 100] <= happened[row, day + 1]


def test_the_act_by_date_is_counted_from_the_local_day_of_the_cutoff() -> None:
    """17:00 UTC on 29 June is the start of 30 June in Jakarta; 30 days on is 30 July."""
    hazard = constant("return").model_copy(update={"timezone": "Asia/Jakarta"})
    cutoff = datetime(2026, 6, 29, 17, tzinfo=UTC)
    dates = hazard.act_by_dates(np.array([0.25]), rows(1), CONTRACT, cutoff)
    assert dates == [date(2026, 7, 30)]


def test_a_row_alone_has_the_curve_it_has_among_others() -> None:
    hazard, propensity, X = bent("return"), np.linspace(0.1, 0.9, 9), rows(9)
    days = np.array(CURVE_DAYS, dtype=float)
    together = hazard.curve(days, propensity, X, CONTRACT)
    alone = hazard.curve(days, propensity[3:4], X[3:4], CONTRACT)
    assert alone[0] == pytest.approx(together[3], abs=1e-12)


@pytest.mark.parametrize("event", ["return", "end"])
def test_a_row_alone_has_the_act_by_day_it_has_among_others(event: Event) -> None:
    hazard, propensity, X = bent(event), np.linspace(0.0, 1.0, 60), rows(60)
    X[::7], X[::5, 1] = np.nan, 20.0
    alone = [hazard.act_by(p, row, CONTRACT) for p, row in zip(propensity.tolist(), X, strict=True)]
    assert alone == hazard.act_by(propensity, X, CONTRACT).tolist()


def test_a_hazard_read_back_is_the_same() -> None:
    hazard = bent("end")
    assert Hazard.model_validate_json(hazard.model_dump_json()) == hazard


def test_a_horizon_beyond_the_shown_days_is_reached() -> None:
    hazard = Hazard(event="return", horizon_days=365, timezone="UTC", watched_days=400)
    curve = hazard.curve(np.array([365.0]), np.array([0.3]), rows(1), CONTRACT)
    assert curve[0, 0] == pytest.approx(0.3)
