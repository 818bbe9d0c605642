"""When generated customers drop out: a daily hazard moved by support and by contact."""

import itertools
from dataclasses import dataclass

import numpy as np

from features.company.campaign import (
    GROUPS,
    WAVE_ORDER_DAYS,
    Contacts,
    Standing,
    contact_effects,
    contact_groups,
    draw_wave,
    is_wave,
    join_waves,
)
from features.company.orders import Purchases
from features.company.people import People
from features.company.support import CAUSES, Shocks
from features.company.usage import Subscriptions
from features.company.world import (
    Calendar,
    Columns,
    Floats,
    Integers,
    World,
    names,
    numbers,
    rows_of,
    words,
)

HALF_LIFE_DAYS = 60.0
DAILY_DECAY = 0.5 ** (1 / HALF_LIFE_DAYS)
SURVEY_EVERY_DAYS = 90


@dataclass(frozen=True)
class Block:
    """What one block of customers brings to the walk through the days."""

    people: People
    shocks: Shocks
    subscriptions: Subscriptions
    purchases: Purchases
    """What content customers would buy if nobody dropped out."""


@dataclass(frozen=True)
class Dropout:
    """The course of one block's satisfaction, and its end."""

    day: Integers
    """The first day without the customer; `simulated_days` for those who stay."""
    purchases: Purchases
    """What was bought after all."""
    contacts: Contacts
    debt_on: dict[int, Floats]
    """Dissatisfaction (log-hazard) on survey days and on the day the history ends."""


class _Walk:
    """The state of one block as its days go by."""

    def __init__(self, block: Block, world: World) -> None:
        self.block, self.world = block, world
        self.rng, count = world.stream("dropout"), len(block.people)
        self.patience = self.rng.exponential(1.0, count)
        self.dropout = np.full(count, world.calendar.simulated_days)
        self.last_order = np.full(count, -np.inf)
        self.debt, self.care = np.zeros(count), np.zeros(count)

    def leave(self, day: int) -> None:
        """Those whose summed hazard passes their patience drop out as `day` begins."""
        people = self.block.people
        present = (self.dropout > day) & (people.signed_up < day)
        hazard = people.base_hazard * np.exp(self.debt + self.care)
        self.patience -= np.where(present, hazard, 0.0)
        self.dropout[present & (self.patience <= 0)] = day

    def buy(self, day: int, wishes: Integers, reluctance: Floats) -> Integers:
        """The positions among `wishes` of the purchases made on `day`."""
        owner = self.block.purchases.owner[wishes]
        discontent = np.maximum(self.debt + self.care, 0.0)[owner]
        bought = reluctance[wishes] > self.world.effects.fewer_orders * discontent
        made = wishes[bought & (self.dropout[owner] > day)]
        self.last_order[self.block.purchases.owner[made]] = day
        return made

    def contact(self, day: int) -> Contacts:
        """The wave of `day`; treated customers care more, or less, from the next day on."""
        people, held = self.block.people, self.block.subscriptions
        standing = Standing(
            day=day,
            debt=self.debt,
            subscribed=held.running(day, len(people)),
            ordered_lately=self.last_order >= day - WAVE_ORDER_DAYS,
        )
        wave = draw_wave(self.rng, people, standing, self.world.effects)
        self.care[wave.owner] += np.where(wave.treated, wave.effect, 0.0)
        return wave

    def forget(self) -> None:
        """A day passes over debt and care."""
        self.debt, self.care = self.debt * DAILY_DECAY, self.care * DAILY_DECAY


def simulate_dropout(block: Block, world: World) -> Dropout:
    """Walk through the days, dropping customers out by their hazard.

    On each day h = base_hazard * exp(debt + care), and a wished purchase is made with
    probability exp(-fewer_orders * max(debt + care, 0)). Debt and care halve every
    `HALF_LIFE_DAYS`; what happens on a day counts in full from the next day on. A customer
    leaves when the summed hazard passes a patience drawn from Exp(1).
    """
    walk, calendar = _Walk(block, world), world.calendar
    reluctance = world.stream("reluctance").exponential(1.0, len(block.purchases.time))
    shocks = _by_day(block.shocks.day, calendar)
    wishes = _by_day(block.purchases.time.astype(np.int64), calendar)
    debt_on, made, waves = {}, [], []
    for day in range(calendar.simulated_days):
        if day % SURVEY_EVERY_DAYS == 0 or day == calendar.days:
            debt_on[day] = walk.debt.copy()
        walk.leave(day)
        made.append(walk.buy(day, wishes[day], reluctance))
        walk.forget()
        if is_wave(day, calendar):
            waves.append(walk.contact(day))
        np.add.at(walk.debt, block.shocks.owner[shocks[day]], block.shocks.size[shocks[day]])
    purchases = rows_of(block.purchases, np.sort(np.concatenate(made)))
    return Dropout(walk.dropout, purchases, join_waves(waves), debt_on)


def cause_sums(shocks: Shocks, dropout: Integers, calendar: Calendar) -> Floats:
    """Log-hazard summed over the customer's days, by cause (rows) and customer (columns).

    A shock adds size * q**(n-1) on its n-th day; the sum over N days is the geometric
    series size * (1 - q**N) / (1 - q).
    """
    last = np.minimum(dropout, calendar.days)
    felt_days = np.maximum(last[shocks.owner] - shocks.day - 1, 0)
    weight = shocks.size * (1 - DAILY_DECAY**felt_days) / (1 - DAILY_DECAY)
    cells = shocks.cause * len(dropout) + shocks.owner
    flat = np.bincount(cells, weight, minlength=len(CAUSES) * len(dropout))
    return flat.astype(np.float64).reshape(len(CAUSES), len(dropout))


def customer_truth(block: Block, dropout: Dropout, world: World) -> Columns:
    """The traits behind each customer, what dissatisfied them, and what a contact would do now."""
    people, calendar = block.people, world.calendar
    debt, sums = dropout.debt_on[calendar.days], cause_sums(block.shocks, dropout.day, calendar)
    subscribed = block.subscriptions.running(calendar.days, len(people))
    groups = contact_groups(people, debt, subscribed, calendar.days)
    return {
        "customer_id": names("C", people.number),
        "purchase_rate": numbers(people.purchase_rate),
        "base_hazard": numbers(people.base_hazard),
        "order_value": numbers(people.order_value),
        "dropped_out_at": calendar.stamps(calendar.seen(dropout.day.astype(np.float64))),
        **{f"{cause}_sum": numbers(sums[row]) for row, cause in enumerate(CAUSES)},
        "main_cause": words(CAUSES, sums.argmax(axis=0), sums.max(axis=0) > 0),
        "debt": numbers(debt),
        "contact_group": words(GROUPS, groups),
        "contact_effect": numbers(contact_effects(groups, world.effects)),
    }


def _by_day(days: Integers, calendar: Calendar) -> list[Integers]:
    """Positions of what happens on each simulated day."""
    order = np.argsort(days, kind="stable")
    edges = np.searchsorted(days[order], np.arange(calendar.simulated_days + 1))
    return [order[a:b] for a, b in itertools.pairwise(edges)]
