"""Every feature of tickets in plain loops, written from the meanings in the feature catalogue.

Nothing here knows the SQL, the compiler or the declarations. Days are 24 hours: UTC only.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.features.ticket_trail import Ticket

Values = dict[str, float | None]

LIVE = {"in_person", "phone", "chat", "messaging", "chatbot", "self_service"}
ALONE = {"self_service", "chatbot", "forum"}
GROUPS = {
    "voice": {"phone", "in_person"},
    "written": {"email", "chat", "messaging", "social"},
    "self_service": ALONE,
    **{f"by_{name}": {name} for name in ("in_person", "phone", "email", "chat", "messaging")},
    **{f"by_{name}": {name} for name in ("social", "self_service", "chatbot", "forum", "other")},
}
TOPICS = ("refund", "complaint", "billing", "delivery", "technical")
"""None of them: the categories of these logs are numbered or have no telling words."""


@dataclass(frozen=True)
class Told:
    """One ticket beside those of the same customer before it; times in hours or days."""

    opened_at: datetime
    channel: str
    category: str | None
    reopened_at: datetime | None
    is_open: bool
    answer_hours: float | None
    solution_hours: float | None
    transfers: int | None
    agent_id: str | None
    channel_before: str | None
    days_since_category: float
    days_since_alone: float

    @property
    def is_late(self) -> bool:
        """Whether the first answer took longer than 1 hour on a live channel, 24 on another."""
        limit = 1 if self.channel in LIVE else 24
        return self.answer_hours is not None and self.answer_hours > limit


def told(tickets: Iterable[Ticket]) -> list[Told]:
    """One customer's tickets in the order of their opening."""
    ordered = sorted(tickets, key=lambda ticket: (ticket.last.opened_at, ticket.last.ticket_id))
    return [_told(ticket, ordered[:place]) for place, ticket in enumerate(ordered)]


def _told(ticket: Ticket, before: Sequence[Ticket]) -> Told:
    last, solved = ticket.last, ticket.resolved_at is not None
    alike = [t for t in before if last.category and t.last.category == last.category]
    alone = [t for t in before if t.last.channel in ALONE]
    return Told(
        opened_at=last.opened_at,
        channel=last.channel,
        category=last.category,
        reopened_at=ticket.reopened_at,
        is_open=not solved,
        answer_hours=_hours(last.opened_at, ticket.first_response_at),
        solution_hours=_hours(last.opened_at, ticket.resolved_at),
        transfers=last.transfers if solved else None,
        agent_id=last.agent_id if solved else None,
        channel_before=before[-1].last.channel if before else None,
        days_since_category=_days_after(last.opened_at, alike),
        days_since_alone=_days_after(last.opened_at, alone),
    )


def _hours(opened_at: datetime, end: datetime | None) -> float | None:
    return (end - opened_at).total_seconds() / 3600 if end else None


def _days_after(opened_at: datetime, before: Sequence[Ticket]) -> float:
    return _days(before[-1].last.opened_at, opened_at) if before else math.inf


def _days(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 86_400


Test = Callable[[Told], bool]
RATES: dict[str, tuple[Test, Test]] = {
    "late_answer": (lambda t: t.is_late, lambda t: t.answer_hours is not None),
    "reopened": (lambda t: t.reopened_at is not None, lambda _: True),
    "resolution": (lambda t: not t.is_open, lambda _: True),
    "transferred": (lambda t: bool(t.transfers), lambda t: not t.is_open),
    "repeated_in_7_days": (lambda t: t.days_since_category <= 7, lambda t: bool(t.category)),
    "repeated_in_30_days": (lambda t: t.days_since_category <= 30, lambda t: bool(t.category)),
    "slow_solution": (lambda t: (t.solution_hours or 0) > 72, lambda t: not t.is_open),
    "channel_change": (
        lambda t: t.channel_before not in (None, t.channel),
        lambda t: t.channel_before is not None,
    ),
}
"""What counts, and among which tickets."""
SHRUNK = ("late_answer", "reopened", "resolution", "transferred", "repeated_in_30_days")


class Company:
    """What is known at a cutoff of the tickets of all customers."""

    def __init__(self, owned: Mapping[str, Sequence[Told]], cutoff: datetime) -> None:
        self.cutoff = cutoff
        every = [ticket for tickets in owned.values() for ticket in tickets]
        month = len(since(every, cutoff, 30))
        month_before = len(since(every, cutoff, 60)) - month
        self.waits = {days: _means(since(every, cutoff, days)) for days in (30, 90, 365)}
        self.values: Values = {
            "tickets_company_count_change_30d": _change(month, month_before),
            **{
                f"tickets_company_{what}_hours_mean_{days}d": self.waits[days][what]
                for what in ("first_response", "resolution")
                for days in (30, 90)
            },
        }
        years = [since(tickets, cutoff, 365) for tickets in owned.values()]
        self.likeness = {name: _likeness(years, *RATES[name]) for name in SHRUNK}


def _likeness(
    customers: Iterable[Sequence[Told]], hit: object, trial: object
) -> tuple[float, float]:
    """The company's rate, and how far a customer's tickets resemble each other (Kleinman 1973)."""
    counts = [(_count(tickets, hit), _count(tickets, trial)) for tickets in customers]
    tried = [(x, n) for x, n in counts if n]
    hits, trials = sum(x for x, _ in tried), sum(n for _, n in tried)
    if not 0 < hits < trials:
        return (hits / trials if trials else math.nan), 0.0
    rate, customers_less_one = hits / trials, len(tried) - 1
    squares = sum(math.floor(1e6 * x * x / n) for x, n in tried) / 1e6
    spread = (squares - hits * rate) / (rate * (1 - rate)) - customers_less_one
    room = trials - sum(n * n for _, n in tried) / trials - customers_less_one
    return rate, min(1.0, max(0.0, spread / room)) if room > 0 else 0.0


def since(tickets: Iterable[Told], cutoff: datetime, days: int) -> list[Told]:
    """The tickets opened in the last so many days."""
    return [t for t in tickets if t.opened_at >= cutoff - timedelta(days=days)]


def _count(tickets: Iterable[Told], condition: Test) -> int:
    return sum(condition(ticket) for ticket in tickets)


def ticket_features(mine: Sequence[Told], company: Company) -> Values:
    """Every feature of one customer's tickets at the company's cutoff."""
    at = company.cutoff
    windows = {days: since(mine, at, days) for days in (7, 30, 60, 90, 180, 365)}
    values: Values = {
        f"tickets_count_{days}d": len(windows[days]) for days in (7, 30, 90, 180, 365)
    }
    for days in (30, 90):
        recent, both = len(windows[days]), len(windows[2 * days])
        values[f"tickets_change_{days}d"] = _change(recent, both - recent)
    return {
        **values,
        **_standing(mine, at),
        **_counts(windows),
        **_rates(windows, company),
        **_times(mine, windows, company),
        **_people(windows),
        **company.values,
    }


def _standing(mine: Sequence[Told], at: datetime) -> Values:
    ages = [_days(t.opened_at, at) for t in mine if t.is_open]
    waits = [_days(t.opened_at, at) for t in mine if t.is_open and t.answer_hours is None]
    last = mine[-1] if mine else None
    return {
        "tickets_days_since_last": _days(last.opened_at, at) if last else None,
        "tickets_open": len(ages),
        "tickets_open_days_max": max(ages, default=None),
        "tickets_unanswered": len(waits),
        "tickets_unanswered_days_max": max(waits, default=None),
        "tickets_last_is_open": float(last.is_open) if last else None,
        "tickets_last_was_reopened": float(last.reopened_at is not None) if last else None,
        "tickets_last_is_repeat": float(last.days_since_category <= 30) if last else None,
        "tickets_reopened_count_90d": _reopened(mine, at, 90),
        "tickets_reopened_count_365d": _reopened(mine, at, 365),
    }


def _reopened(mine: Iterable[Told], at: datetime, days: int) -> int:
    return sum(t.reopened_at is not None and _days(t.reopened_at, at) <= days for t in mine)


def _counts(windows: Mapping[int, Sequence[Told]]) -> Values:
    values: Values = {"tickets_categories_365d": len({t.category for t in windows[365]} - {None})}
    for days in (90, 365):
        tickets = windows[days]
        handed = [t for t in tickets if t.channel not in ALONE and t.days_since_alone <= 3]
        values |= {f"tickets_{topic}_count_{days}d": 0 for topic in TOPICS}
        values[f"tickets_after_self_service_count_{days}d"] = len(handed)
        for name, channels in GROUPS.items():
            if days == 90 or name.startswith("by_"):
                values[f"tickets_{name}_count_{days}d"] = sum(
                    t.channel in channels for t in tickets
                )
        for name, rate in (
            ("channel_changes", "channel_change"),
            ("repeated_in_7_days_count", "repeated_in_7_days"),
            ("repeated_in_30_days_count", "repeated_in_30_days"),
            ("late_answer_count", "late_answer"),
            ("resolved_count", "resolution"),
        ):
            values[f"tickets_{name}_{days}d"] = _count(tickets, RATES[rate][0])
    return values


def _rates(windows: Mapping[int, Sequence[Told]], company: Company) -> Values:
    values: Values = {}
    for name, (hit, trial) in RATES.items():
        for days in (90, 365) if name in ("late_answer", "resolution") else (365,):
            hits, trials = _count(windows[days], hit), _count(windows[days], trial)
            values[f"tickets_{name}_rate_{days}d"] = _ratio(hits, trials)
    for name in SHRUNK:
        (hit, trial), (level, alike) = RATES[name], company.likeness[name]
        hits, trials = _count(windows[365], hit), _count(windows[365], trial)
        weight = trials * alike / (1 + (trials - 1) * alike) if trials else 0
        drawn = level + weight * (hits / trials - level) if trials else None
        values[f"tickets_{name}_rate_shrunk_365d"] = drawn
    return values


def _times(mine: Sequence[Told], windows: Mapping[int, Sequence[Told]], company: Company) -> Values:
    values: Values = {}
    earlier = _means(mine[: len(mine) - len(windows[90])])
    for what in ("first_response", "resolution"):
        year, ever = _taken(windows[365])[what], _taken(mine)[what]
        means = {days: _means(windows[days])[what] for days in (90, 365)}
        values |= {
            f"tickets_{what}_hours_mean_90d": means[90],
            f"tickets_{what}_hours_mean_365d": means[365],
            f"tickets_{what}_hours_median_365d": statistics.median(year) if year else None,
            f"tickets_{what}_hours_max_365d": max(year, default=None),
            f"tickets_{what}_hours_last": ever[-1] if ever else None,
            f"tickets_{what}_hours_over_own_past_90d": _ratio(means[90], earlier[what]),
            **{
                f"tickets_{what}_hours_over_company_{days}d": _ratio(
                    means[days], company.waits[days][what]
                )
                for days in (90, 365)
            },
        }
    return values


def _people(windows: Mapping[int, Sequence[Told]]) -> Values:
    passed = {d: [t.transfers for t in windows[d] if t.transfers is not None] for d in (90, 365)}
    agents = Counter(t.agent_id for t in windows[365] if t.agent_id is not None)
    channels = Counter(t.channel for t in windows[365])
    return {
        "tickets_transfers_90d": sum(passed[90]),
        "tickets_transfers_365d": sum(passed[365]),
        "tickets_transfers_per_resolved_365d": _mean(passed[365]),
        "tickets_agents_365d": len(agents),
        "tickets_main_agent_share_365d": _ratio(_most(agents), agents.total()),
        "tickets_channels_365d": len(channels),
        "tickets_main_channel_share_365d": _ratio(_most(channels), channels.total()),
    }


def _most(counts: Counter[str]) -> int:
    return max(counts.values(), default=0)


def _taken(tickets: Iterable[Told]) -> dict[str, list[float]]:
    listed = list(tickets)
    return {
        "first_response": [t.answer_hours for t in listed if t.answer_hours is not None],
        "resolution": [t.solution_hours for t in listed if t.solution_hours is not None],
    }


def _means(tickets: Iterable[Told]) -> Values:
    return {what: _mean(hours) for what, hours in _taken(tickets).items()}


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _change(recent: float, before: float) -> float | None:
    return _ratio(recent - before, before)


def _ratio(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or not bottom else top / bottom


def differences(found: Values, expected: Values) -> dict[str, tuple[float | None, float | None]]:
    """The expected features that were found otherwise, with both values."""
    return {
        name: (found[name], value)
        for name, value in expected.items()
        if not _is_same(found[name], value)
    }


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
