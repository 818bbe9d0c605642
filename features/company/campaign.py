"""The generated company's randomised campaign: who was contacted, and what it changed."""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from features.company.people import People
from features.company.world import (
    Calendar,
    Columns,
    Effects,
    Flags,
    Floats,
    Integers,
    names,
    numbers,
    pick,
    words,
)

FIRST_WAVE, WAVE_EVERY_DAYS = 180, 90
WAVE_SHARE = 0.4
"""Share of the eligible customers taken into a wave; half of them are held out."""
WAVE_TENURE_DAYS, WAVE_ORDER_DAYS = 60, 120
"""A wave takes customers who signed up that long ago and ordered that recently."""
PERSUADABLE_DEBT, CONTENT_DEBT, LONG_TENURE_DAYS = 0.3, 0.1, 180

GROUPS = ("unmoved", "persuadable", "sleeping_dog")
ARMS = ("treatment", "holdout")
CONTACT_CHANNELS = ("email", "messaging", "phone")
OFFERS = ("voucher_10", "free_delivery", "priority_care", "no_offer")


@dataclass(frozen=True)
class Contacts:
    """Campaign entries, treated or held out, in order of wave and customer."""

    owner: Integers
    at: Floats
    wave: Integers
    treated: Flags
    group: Integers
    effect: Floats
    """The log-hazard a contact adds, whether or not it was made."""
    offer: Integers


@dataclass(frozen=True)
class Standing:
    """How every customer of a block stands on one day."""

    day: int
    debt: Floats
    subscribed: Flags
    ordered_lately: Flags


def is_wave(day: int, calendar: Calendar) -> bool:
    """Whether a wave goes out on `day`; the last one leaves time to see what it changed."""
    last = calendar.days - WAVE_EVERY_DAYS
    return FIRST_WAVE <= day <= last and (day - FIRST_WAVE) % WAVE_EVERY_DAYS == 0


def contact_groups(people: People, debt: Floats, subscribed: Flags, day: int) -> Integers:
    """What a contact on `day` does to each customer, as an index into `GROUPS`."""
    tenured = day - people.signed_up >= LONG_TENURE_DAYS
    persuadable = tenured & (debt >= PERSUADABLE_DEBT)
    sleeping = tenured & subscribed & (debt < CONTENT_DEBT)
    return np.where(persuadable, 1, np.where(sleeping, 2, 0))


def contact_effects(groups: Integers, effects: Effects) -> Floats:
    """The log-hazard a contact adds, by group."""
    return np.array([0.0, effects.persuadable, effects.sleeping_dog])[groups]


def draw_wave(
    rng: np.random.Generator, people: People, standing: Standing, effects: Effects
) -> Contacts:
    """One wave: a random share of those who look active, split at random into two arms."""
    count, day = len(people), standing.day
    # Drawn for everybody, so that who is eligible never moves another customer's draw.
    chosen, treated = rng.random(count) < WAVE_SHARE, rng.random(count) < 0.5
    hour, offer = 9 + 8 * rng.random(count), pick(rng, (1, 1, 1, 1), count)
    eligible = standing.ordered_lately & (day - people.signed_up >= WAVE_TENURE_DAYS)
    owner = np.flatnonzero(eligible & chosen)
    groups = contact_groups(people, standing.debt, standing.subscribed, day)[owner]
    return Contacts(
        owner=owner,
        at=day + hour[owner] / 24,
        wave=np.full(len(owner), (day - FIRST_WAVE) // WAVE_EVERY_DAYS),
        treated=treated[owner],
        group=groups,
        effect=contact_effects(groups, effects),
        offer=offer[owner],
    )


def join_waves(waves: list[Contacts]) -> Contacts:
    """Several waves as one."""
    columns = [[getattr(wave, column.name) for wave in waves] for column in fields(Contacts)]
    return Contacts(*(np.concatenate(parts) for parts in columns))


def contacts_table(contacts: Contacts, people: People, calendar: Calendar) -> Columns:
    """The `contacts` rows; a held-out customer has an arm and a time but no message."""
    reachable = np.where(people.email_consent, 0, np.where(people.sms_consent, 1, 2))
    return {
        **_entry(contacts, people, calendar),
        "channel": words(CONTACT_CHANNELS, reachable[contacts.owner], contacts.treated),
        "arm": words(ARMS, np.where(contacts.treated, 0, 1)),
        "offer": words(OFFERS, contacts.offer, contacts.treated),
    }


def contact_truth(
    contacts: Contacts, dropout: Integers, people: People, calendar: Calendar
) -> Columns:
    """What each contact would truly do, and whether the customer was still there."""
    return {
        **_entry(contacts, people, calendar),
        "contact_group": words(GROUPS, contacts.group),
        "contact_effect": numbers(contacts.effect),
        "present": pa.array(dropout[contacts.owner] > contacts.at),
    }


def _entry(contacts: Contacts, people: People, calendar: Calendar) -> Columns:
    campaigns = [f"care-{wave + 1}" for wave in range(int(contacts.wave.max(initial=0)) + 1)]
    return {
        "customer_id": names("C", people.number[contacts.owner]),
        "contacted_at": calendar.stamps(contacts.at),
        "campaign": words(campaigns, contacts.wave),
    }
