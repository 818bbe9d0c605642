"""A spike of similar tickets is found on its day, and ordinary weeks raise no alarm."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from serving.outreach.decide.incidents import find_incidents, is_spike
from tests.serving.outreach.outreach_company import DAY, WATERMARK, order
from tests.serving.scored_company import NOW

STEADY = [2] * 56


def spike(tickets: int, before: list[int]) -> bool:
    """Of the days before, the latest first, those a week, two weeks … ago are alike."""
    return is_spike(tickets, before, before[6::7])


def test_a_day_far_above_all_before_is_a_spike() -> None:
    assert spike(11, STEADY)
    assert not spike(10, STEADY)
    assert binom.sf(10, 11 + 16, 1 / 9) < 1e-4 < binom.sf(9, 10 + 16, 1 / 9)


def test_few_tickets_a_busy_day_before_or_a_short_past_make_none() -> None:
    assert not spike(4, [0] * 56)
    assert spike(5, [0] * 56)
    assert not spike(12, [*STEADY[:-1], 12])
    assert not spike(12, STEADY[:13])


def test_ordinary_days_raise_no_alarm_whatever_the_weekday() -> None:
    """20,000 days of 1 to 40 tickets, Mondays double: at most 1 in 10,000 is called a spike."""
    rng = np.random.default_rng(3)
    alarms = 0
    for mean in (1.0, 5.0, 20.0):
        weekly = np.array([2.0, 1, 1, 1, 1, 0.5, 0.5]) * mean
        days = rng.poisson(np.tile(weekly, 960)).tolist()
        alarms += sum(spike(days[at], days[at - 56 : at][::-1]) for at in range(56, len(days)))
    assert alarms <= 2


@pytest.fixture
def tickets(tmp_path: Path, make_snapshot: Any) -> Any:
    def of(rows: list[dict[str, Any]]) -> Any:
        given = {"tickets": rows, "orders": [order("a", NOW - DAY)]}
        return make_snapshot(tmp_path, given, "Asia/Jakarta", WATERMARK).connection

    return of


def opened(days: float, customer_id: str, category: str | None = "delivery") -> dict[str, Any]:
    at = NOW - timedelta(days=days)
    return {
        "customer_id": customer_id,
        "ticket_id": f"{customer_id}-{days}-{category}",
        "opened_at": at,
        "category": category,
    }


def test_those_affected_are_named_for_a_week(tickets: Any) -> None:
    usual = [opened(day + 0.5, "someone", kind) for day in range(70) for kind in ("delivery", "x")]
    spike = [opened(2.3, f"c{place}") for place in range(9)]
    connection = tickets([*usual, *spike])
    (found,) = find_incidents(connection, NOW)
    assert (found.category, found.tickets, found.usual) == ("delivery", 10, 1.0)
    assert found.customers == {f"c{place}" for place in range(9)} | {"someone"}
    assert found.ended_at == NOW - 2 * DAY
    assert find_incidents(connection, NOW + 4 * DAY)[0].ended_at == NOW - 2 * DAY
    assert find_incidents(connection, NOW + 6 * DAY) == []


def test_the_second_day_of_an_incident_counts_too(tickets: Any) -> None:
    usual = [opened(day + 0.5, "someone") for day in range(70)]
    spike = [opened(day, f"c{place}-{day}") for place in range(9) for day in (0.3, 1.3)]
    found = find_incidents(tickets([*usual, *spike]), NOW)
    assert [one.ended_at for one in found] == [NOW, NOW - DAY]


def test_tickets_without_a_category_are_like_no_other(tickets: Any) -> None:
    usual = [opened(day + 0.5, "someone") for day in range(70)]
    spike = [opened(0.3, f"c{place}", None) for place in range(50)]
    assert find_incidents(tickets([*usual, *spike]), NOW) == []
