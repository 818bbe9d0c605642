"""The generated company's support: tickets, and the dissatisfaction each one leaves."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.company.people import LANGUAGES, People
from features.company.texts import CATEGORIES, TICKET_TEXTS, TICKET_VARIANTS
from features.company.world import (
    Calendar,
    Columns,
    Effects,
    Flags,
    Floats,
    Integers,
    World,
    arrivals,
    names,
    numbers,
    pick,
    rows_of,
    words,
    working_hours,
)
from features.contracts import CHANNELS

CHANNEL_SHARES = (0.04, 0.14, 0.22, 0.16, 0.20, 0.07, 0.05, 0.06, 0.03, 0.03)
CHANNEL_HOURS = np.array([0.1, 0.1, 14.0, 0.3, 4.0, 10.0, 2.0, 0.02, 30.0, 12.0])
"""Median hours to the first response, by channel as `CHANNELS` lists them."""
RESPONSE_SPREAD = 1.3
TEAMS = ("jakarta", "surabaya", "medan", "partner")
TEAM_SHARES = (0.3, 0.3, 0.2, 0.2)
TEAM_FACTORS = np.array([0.8, 1.0, 1.1, 1.7])
AGENTS_PER_TEAM = 12
PRIORITIES = ("low", "normal", "high", "urgent")
PRIORITY_SHARES = (0.2, 0.6, 0.15, 0.05)
PRIORITY_FACTORS = np.array([1.3, 1.0, 0.8, 0.6])
CATEGORY_SHARES = (0.3, 0.2, 0.18, 0.14, 0.1, 0.08)
BAD_MONTHS, BAD_MONTH_DAYS = (0.35, 0.75), 30
"""Shares of the history at which support is overloaded for everybody, and for how long."""
BAD_MONTH_RESPONSE, BAD_MONTH_VOLUME = 3.0, 1.3

ESCALATION_SHARE, REOPENING_SHARE = 0.08, 0.11
SLOW_HOURS = 24.0
LOW_CSAT = 2
FELT_MEAN, FELT_SPREAD, FELT_SLOW, FELT_ESCALATED, FELT_MOOD = 4.2, 1.1, -1.0, -0.7, 0.3
LATE_TICKET_SHARE = 0.05
"""Share of would-be tickets that are still opened after dropout."""
CAUSES = ("slow_response", "reopened", "escalated", "low_csat")


@dataclass(frozen=True)
class Handling:
    """Who handles each ticket, and through what; choices are indices into the lists above."""

    channel: Integers
    category: Integers
    priority: Integers
    team: Integers
    agent: Integers
    transfers: Integers
    contacts: Integers
    variant: Integers

    def __getitem__(self, index: Integers) -> "Handling":
        """The rows at `index`."""
        return rows_of(self, index)


@dataclass(frozen=True)
class Tickets:
    """Tickets by owner and opening, in days; NaN where something never happens."""

    owner: Integers
    opened: Floats
    responded: Floats
    escalated: Floats
    resolved: Floats
    reopened: Floats
    felt: Integers
    """The CSAT score (1 to 5) the customer feels, asked or not."""
    late: Flags
    """Would be opened even after dropout."""
    handling: Handling

    @property
    def slow(self) -> Flags:
        """Whether no first response came within `SLOW_HOURS`."""
        return self.responded - self.opened > SLOW_HOURS / 24


@dataclass(frozen=True)
class Shocks:
    """What moves satisfaction: from the day after `day` it adds `size` to the log-hazard."""

    owner: Integers
    day: Integers
    size: Floats
    cause: Integers


def draw_tickets(people: People, world: World) -> Tickets:
    """Every ticket the customers would open if none of them dropped out."""
    rng, calendar = world.stream("tickets"), world.calendar
    bad = bad_days(calendar)
    volume = np.where(bad, BAD_MONTH_VOLUME, 1.0)
    since = np.floor(people.signed_up) + 1
    owner, opened = arrivals(rng, people.ticket_rate, since, calendar.simulated_days, volume)
    opened, count = working_hours(opened), len(owner)
    handling = _handling(rng, count)
    responded = opened + _response_days(rng, handling, bad[opened.astype(np.int64)])
    work = (2 + 10 * rng.gamma(1.5, 1.0, count) * (1 + handling.transfers)) / 24
    escalates = rng.random(count) < ESCALATION_SHARE
    reopened = responded + work + 0.2 + rng.exponential(2.0, count)
    slow = responded - opened > SLOW_HOURS / 24
    felt = FELT_MEAN + FELT_SLOW * slow + FELT_ESCALATED * escalates
    felt = felt + FELT_MOOD * people.mood[owner] + rng.normal(0, FELT_SPREAD, count)
    return Tickets(
        owner=owner,
        opened=opened,
        responded=responded,
        escalated=np.where(escalates, responded + work * rng.uniform(0.2, 0.9, count), np.nan),
        resolved=responded + work,
        reopened=np.where(rng.random(count) < REOPENING_SHARE, reopened, np.nan),
        felt=np.clip(np.round(felt), 1, 5).astype(np.int64),
        late=rng.random(count) < LATE_TICKET_SHARE,
        handling=handling,
    )


def bad_days(calendar: Calendar) -> Flags:
    """Which simulated days fall into a month in which support was overloaded."""
    day = np.arange(calendar.simulated_days)
    since = [day - int(share * calendar.days) for share in BAD_MONTHS]
    inside: Flags = np.any([(p >= 0) & (p < BAD_MONTH_DAYS) for p in since], axis=0)
    return inside


def draw_shocks(tickets: Tickets, effects: Effects) -> Shocks:
    """The dissatisfaction left by each ticket, at the moment it is felt.

    A slow first response is felt when `SLOW_HOURS` have passed, reopening and escalation
    when they happen, and a low felt CSAT at resolution.
    """
    felt_at = np.stack(
        [
            np.where(tickets.slow, tickets.opened + SLOW_HOURS / 24, np.nan),
            tickets.reopened,
            tickets.escalated,
            np.where(tickets.felt <= LOW_CSAT, tickets.resolved, np.nan),
        ]
    )
    sizes = np.array([getattr(effects, cause) for cause in CAUSES])
    cause, ticket = np.nonzero(np.isfinite(felt_at))
    day = felt_at[cause, ticket].astype(np.int64)
    return Shocks(owner=tickets.owner[ticket], day=day, size=sizes[cause], cause=cause)


def opened_tickets(tickets: Tickets, dropout: Integers, calendar: Calendar) -> Tickets:
    """The tickets that were really opened in the history, before dropout or late."""
    alive = tickets.opened < dropout[tickets.owner]
    real = (alive | tickets.late) & (tickets.opened < calendar.days)
    return rows_of(tickets, np.flatnonzero(real))


def ticket_ids(tickets: Tickets, people: People) -> pa.Array:
    """One identifier per ticket, unique over all blocks."""
    return names("T", people.number[0] * 1_000 + np.arange(len(tickets.owner)))


def tickets_table(tickets: Tickets, people: People, calendar: Calendar) -> Columns:
    """The `tickets` rows; what would follow the end of the history is null."""
    resolved, handling = calendar.seen(tickets.resolved), tickets.handling
    language = people.language[tickets.owner]
    text = (language * len(CATEGORIES) + handling.category) * TICKET_VARIANTS + handling.variant
    return {
        "customer_id": names("C", people.number[tickets.owner]),
        "ticket_id": ticket_ids(tickets, people),
        "opened_at": calendar.stamps(tickets.opened),
        "first_response_at": calendar.stamps(calendar.seen(tickets.responded)),
        "resolved_at": calendar.stamps(resolved),
        "reopened_at": calendar.stamps(calendar.seen(tickets.reopened)),
        "escalated_at": calendar.stamps(calendar.seen(tickets.escalated)),
        "channel": words(CHANNELS, handling.channel),
        "category": words(CATEGORIES, handling.category),
        "priority": words(PRIORITIES, handling.priority),
        "contacts": numbers(handling.contacts, np.isfinite(resolved)),
        "transfers": numbers(handling.transfers, np.isfinite(resolved)),
        "agent_id": words(_AGENTS, handling.agent, np.isfinite(resolved)),
        "text": words(TICKET_TEXTS, text),
        "language": words(LANGUAGES, language),
    }


_AGENTS = [f"{team}-{agent + 1:02d}" for team in TEAMS for agent in range(AGENTS_PER_TEAM)]


def _handling(rng: np.random.Generator, count: int) -> Handling:
    team, transfers = pick(rng, TEAM_SHARES, count), rng.poisson(0.35, count)
    return Handling(
        channel=pick(rng, CHANNEL_SHARES, count),
        category=pick(rng, CATEGORY_SHARES, count),
        priority=pick(rng, PRIORITY_SHARES, count),
        team=team,
        agent=team * AGENTS_PER_TEAM + rng.integers(0, AGENTS_PER_TEAM, count),
        transfers=transfers,
        contacts=1 + transfers + rng.poisson(0.5, count),
        variant=rng.integers(0, TICKET_VARIANTS, count),
    )


def _response_days(rng: np.random.Generator, handling: Handling, overloaded: Flags) -> Floats:
    """Lognormal waits: the median goes by channel, team, priority and overload."""
    median: Floats = CHANNEL_HOURS[handling.channel] * TEAM_FACTORS[handling.team]
    median = median * PRIORITY_FACTORS[handling.priority]
    median = median * np.where(overloaded, BAD_MONTH_RESPONSE, 1.0)
    hours: Floats = median * np.exp(RESPONSE_SPREAD * rng.standard_normal(len(median)))
    return hours / 24
