"""How generated customers use the service: sessions that fade, and subscriptions that end."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.company.people import People
from features.company.world import (
    FADE_DAYS,
    Columns,
    Flags,
    Floats,
    Integers,
    World,
    arrivals,
    names,
    numbers,
    pick,
    words,
    working_hours,
)

EVENTS = ("visit", "search", "view_product", "add_to_cart", "open_help")
STEP_SHARES = (0.0, 0.3, 0.4, 0.2, 0.1)
"""What follows a visit, by event."""
STEPS_MEAN, STEP_SECONDS = 1.8, 40
EVENT_CHANNELS = ("app", "web")
END_REASONS = ("voluntary", "payment_failure")
PLANS = ("basic", "plus", "premium")
MONTHLY_PRICES = np.array([49_000.0, 99_000.0, 199_000.0])
SUBSCRIBER_SHARE = 0.4
PAYMENT_FAILURE_RATE = 1 / 800
RESUME_SHARE, RESUME_DAYS = 0.6, 10.0
"""Share of failed payments repaired by a new subscription, and the mean wait for it."""
CANCEL_DAYS = 7.0
"""Mean days from dropout to the cancellation that records it."""


@dataclass(frozen=True)
class Subscriptions:
    """The subscriptions customers would hold if none dropped out, first ones then resumed ones."""

    owner: Integers
    started: Floats
    fails: Floats
    """When the payment fails, whatever the customer wants."""
    plan: Integers
    auto_renew: Flags

    def running(self, day: float, customers: int) -> Flags:
        """Who holds a subscription on `day`, unless they have dropped out."""
        current = (self.started <= day) & (day < self.fails)
        return np.bincount(self.owner[current], minlength=customers) > 0


def draw_subscriptions(people: People, world: World) -> Subscriptions:
    """Who subscribes on signing up, and when payments fail."""
    rng = world.stream("subscriptions")
    owner = np.flatnonzero(rng.random(len(people)) < SUBSCRIBER_SHARE)
    started = people.signed_up[owner] + 5 / 1440
    fails = started + rng.exponential(1 / PAYMENT_FAILURE_RATE, len(owner))
    plan = pick(rng, (0.5, 0.35, 0.15), len(owner))
    renews = rng.random(len(owner)) < 0.8
    resumed = np.flatnonzero(rng.random(len(owner)) < RESUME_SHARE)
    again = fails[resumed] + rng.exponential(RESUME_DAYS, len(resumed))
    fails_again = again + rng.exponential(1 / PAYMENT_FAILURE_RATE, len(resumed))
    return Subscriptions(
        owner=np.concatenate([owner, owner[resumed]]),
        started=np.concatenate([started, again]),
        fails=np.concatenate([fails, fails_again]),
        plan=np.concatenate([plan, plan[resumed]]),
        auto_renew=np.concatenate([renews, renews[resumed]]),
    )


def subscriptions_table(
    held: Subscriptions, dropout: Integers, people: People, world: World
) -> Columns:
    """The `subscriptions` rows; a voluntary end follows dropout by some days."""
    rng, calendar = world.stream("cancellations"), world.calendar
    leaves = dropout[held.owner]
    cancels = leaves + rng.exponential(CANCEL_DAYS, len(leaves))
    # Nobody is seen to leave in the days simulated past the end.
    cancels = np.where(leaves < calendar.days, cancels, np.inf)
    ended = calendar.seen(np.minimum(cancels, held.fails))
    begun = np.flatnonzero(held.started < np.minimum(leaves, calendar.days))
    kept = begun[np.lexsort((held.started[begun], held.owner[begun]))]
    failed = (held.fails <= cancels)[kept].astype(np.int64)
    return {
        "customer_id": names("C", people.number[held.owner[kept]]),
        "subscription_id": names("S", people.number[0] * 2 + np.arange(len(kept))),
        "started_at": calendar.stamps(held.started[kept]),
        "ended_at": calendar.stamps(ended[kept]),
        "plan": words(PLANS, held.plan[kept]),
        "monthly_price": numbers(MONTHLY_PRICES[held.plan[kept]]),
        "auto_renew": pa.array(held.auto_renew[kept]),
        "end_reason": words(END_REASONS, failed, np.isfinite(ended[kept])),
    }


def events_table(people: People, dropout: Integers, world: World) -> Columns:
    """The `events` rows: sessions until dropout, thinner and thinner before it."""
    rng, calendar = world.stream("usage"), world.calendar
    owner, time = _sessions(rng, people, dropout, world)
    steps = 1 + rng.poisson(STEPS_MEAN - 1, len(time))
    session = np.repeat(np.arange(len(time)), steps)
    step = np.arange(len(session)) - np.repeat(np.cumsum(steps) - steps, steps)
    follow_up = pick(rng, STEP_SHARES, len(session))
    return {
        "customer_id": names("C", people.number[owner[session]]),
        "occurred_at": calendar.stamps(time[session] + step * STEP_SECONDS / 86_400),
        "event": words(EVENTS, np.where(step == 0, 0, follow_up)),
        "value": numbers(np.round(rng.gamma(2.0, 1.5, len(session)), 2)),
        "session_id": names("V", people.number[0] * 1_000 + session),
        "channel": words(EVENT_CHANNELS, pick(rng, (0.7, 0.3), len(time))[session]),
    }


def presence(time: Floats, dropout: Integers, fade: float) -> Floats:
    """The share of usage left at `time`: 1, falling to 1 - `fade` at dropout, then 0."""
    left = dropout - time
    falling = 1 - fade * (1 - np.clip(left / FADE_DAYS, 0, 1))
    return np.where(left > 0, falling, 0.0)


def _sessions(
    rng: np.random.Generator, people: People, dropout: Integers, world: World
) -> tuple[Integers, Floats]:
    even = np.ones(world.calendar.simulated_days)
    since = np.floor(people.signed_up) + 1
    owner, time = arrivals(rng, people.usage_rate, since, world.calendar.days, even)
    time = working_hours(time)
    kept = rng.random(len(time)) < presence(time, dropout[owner], world.effects.usage_fade)
    return owner[kept], time[kept]
