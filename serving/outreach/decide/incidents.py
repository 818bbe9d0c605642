"""Incidents: a spike of similar tickets, found by comparing a day with the weeks before it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

LASTS = timedelta(days=7)
"""So long those affected are owed an apology, which waits until their ticket is solved."""
_BASE_DAYS, _FEWEST_BASE_DAYS = 56, 14
_FEWEST_TICKETS = 5
_ODD = 1e-4


@dataclass(frozen=True)
class Incident:
    """24 hours with far more tickets of one category than before."""

    category: str
    ended_at: datetime
    tickets: int
    usual: float
    """Mean number of a day in the eight weeks before the last one."""
    customers: frozenset[str]


def is_spike(tickets: int, before: Sequence[int], alike: Sequence[int]) -> bool:
    """Whether a day with so many tickets is none of the kind that the days `before` were.

    It has at least 5, more than any day before, and by the conditional test of two Poisson rates
    (Przyborowski and Wilenski 1940) so many more than the days `alike`, those of the same
    weekday, that it happens by chance once in 10,000 days.
    """
    if len(before) < _FEWEST_BASE_DAYS or tickets < max(_FEWEST_TICKETS, max(before) + 1):
        return False
    return _binomial_tail(tickets, tickets + sum(alike), 1 / (len(alike) + 1)) < _ODD


def find_incidents(tickets: duckdb.DuckDBPyConnection, now: datetime) -> list[Incident]:
    """Incidents of the last LASTS in the relation `tickets`, each of 24 hours counted from `now`.

    Every day of the last week is held against the eight weeks before it, so that the second day
    of an incident is not excused by the first. A ticket without a category is like no other.
    """
    counts = _daily_counts(tickets, now)
    found = []
    for category, days in counts.items():
        before = days[LASTS.days :]
        for place, count in enumerate(days[: LASTS.days]):
            if is_spike(count, before, before[place :: LASTS.days]):
                end = now - timedelta(days=place)
                hit = _affected(tickets, category, end)
                usual = sum(before) / len(before)
                found.append(Incident(category, end, count, usual, hit))
    return found


def _daily_counts(tickets: duckdb.DuckDBPyConnection, now: datetime) -> dict[str, list[int]]:
    """Category to tickets a day, the latest first, as far back as there are tickets at all."""
    most = LASTS.days + _BASE_DAYS
    rows = tickets.execute(
        f"""
        WITH aged AS (
            SELECT category, CAST(floor(epoch($now - opened_at) / 86400) AS INTEGER) AS age
            FROM tickets WHERE opened_at < $now AND opened_at >= $now - INTERVAL {most} DAY
        )
        SELECT category, age, count(*), (SELECT max(age) FROM aged) FROM aged
        WHERE category IS NOT NULL GROUP BY category, age ORDER BY category, age
        """,
        {"now": now},
    ).fetchall()
    counts: dict[str, list[int]] = {}
    for category, age, count, oldest in rows:
        counts.setdefault(category, [0] * (oldest + 1))[age] = count
    return counts


def _affected(tickets: duckdb.DuckDBPyConnection, category: str, end: datetime) -> frozenset[str]:
    rows = tickets.execute(
        "SELECT DISTINCT customer_id FROM tickets WHERE category = $category "
        "AND opened_at >= $start AND opened_at < $end",
        {"category": category, "start": end - timedelta(days=1), "end": end},
    ).fetchall()
    return frozenset(customer_id for (customer_id,) in rows)


def _binomial_tail(least: int, trials: int, p: float) -> float:
    """The probability of `least` successes or more."""
    log_odds = [math.log(p), math.log1p(-p)]
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(k + 1)
            - math.lgamma(trials - k + 1)
            + k * log_odds[0]
            + (trials - k) * log_odds[1]
        )
        for k in range(least, trials + 1)
    )
