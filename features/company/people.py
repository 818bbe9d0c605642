"""Who the generated customers are: what is recorded of them, and the traits behind it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.special import gammaincinv, ndtr

from features.company.world import (
    Calendar,
    Columns,
    Flags,
    Floats,
    Integers,
    World,
    names,
    numbers,
    pick,
    words,
)

RATE_SHAPE, RATE_MEAN = 2.0, 0.045
"""Purchases a day: Gamma with this shape and mean."""
HAZARD_SHAPE, HAZARD_MEAN = 1.5, 0.0005
"""Dropouts a day with nothing wrong: Gamma with this shape and mean."""
ORDER_VALUE_MEDIAN, ORDER_VALUE_SPREAD = 240_000.0, 0.55
"""Mean order value in rupiah: lognormal with this median and log standard deviation."""
TICKET_SHAPE, TICKET_MEAN = 2.0, 0.008
"""Tickets a day."""
USAGE_SHAPE, USAGE_MEAN = 2.0, 0.09
"""Sessions a day."""
JOINING_SHARE = 0.92
"""Customers join at a constant rate over this share of the history."""

ACQUISITIONS = ("organic", "adverts", "referral", "marketplace")
SEGMENTS = ("consumer", "small_business")
REGIONS = ("Jakarta", "West Java", "East Java", "Bali", "North Sumatra", "South Sulawesi", "Papua")
ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
ZONE_OF_REGION = np.array([0, 0, 0, 1, 0, 1, 2])
LANGUAGES = ("id", "en")
PREFERRED_CHANNELS = ("email", "messaging", "phone")


@dataclass(frozen=True)
class People:
    """One block of customers; every array has one entry per customer."""

    number: Integers
    signed_up: Floats
    purchase_rate: Floats
    base_hazard: Floats
    order_value: Floats
    ticket_rate: Floats
    usage_rate: Floats
    mood: Floats
    """How kindly a customer answers surveys, whatever happened; standard normal."""
    acquisition: Integers
    segment: Integers
    region: Integers
    language: Integers
    preferred: Integers
    age: Floats
    email_consent: Flags
    sms_consent: Flags

    def __len__(self) -> int:
        """How many customers the block has."""
        return len(self.number)


def draw_people(world: World, first: int, count: int) -> People:
    """The customers numbered `first` to `first + count - 1`."""
    rng = world.stream("people")
    rate, value = _rate_and_value(rng, world.effects.value_rate_correlation, count)
    acquisition = pick(rng, (0.4, 0.3, 0.15, 0.15), count)
    push = world.effects.acquisition * np.array([0.0, 1.0, -1.0, 0.0])[acquisition]
    joined = np.floor(rng.random(count) * JOINING_SHARE * world.calendar.days)
    return People(
        number=np.arange(first, first + count),
        signed_up=joined + 8 / 24 + rng.random(count) / 2,
        purchase_rate=rate,
        base_hazard=_gamma(rng, HAZARD_SHAPE, HAZARD_MEAN, count) * np.exp(push),
        order_value=value,
        # Who buys more asks more, so a bare ticket count is no sign of risk.
        ticket_rate=_gamma(rng, TICKET_SHAPE, TICKET_MEAN, count) * np.sqrt(rate / RATE_MEAN),
        usage_rate=_gamma(rng, USAGE_SHAPE, USAGE_MEAN, count) * np.sqrt(rate / RATE_MEAN),
        mood=rng.standard_normal(count),
        acquisition=acquisition,
        segment=pick(rng, (0.85, 0.15), count),
        region=pick(rng, (0.3, 0.2, 0.18, 0.1, 0.1, 0.08, 0.04), count),
        language=pick(rng, (0.7, 0.3), count),
        preferred=pick(rng, (0.45, 0.4, 0.15), count),
        age=np.clip(np.round(rng.normal(36, 11, count)), 18, 80),
        email_consent=rng.random(count) < 0.8,
        sms_consent=rng.random(count) < 0.55,
    )


def customers_table(people: People, calendar: Calendar) -> Columns:
    """The `customers` rows, with attributes `acquisition` and `age`."""
    return {
        "customer_id": names("C", people.number),
        "signed_up_at": calendar.stamps(people.signed_up),
        "segment": words(SEGMENTS, people.segment),
        "region": words(REGIONS, people.region),
        "language": words(LANGUAGES, people.language),
        "timezone": words(ZONES, ZONE_OF_REGION[people.region]),
        "preferred_channel": words(PREFERRED_CHANNELS, people.preferred),
        "email_consent": pa.array(people.email_consent),
        "sms_consent": pa.array(people.sms_consent),
        "acquisition": words(ACQUISITIONS, people.acquisition),
        "age": numbers(people.age),
    }


def _gamma(rng: np.random.Generator, shape: float, mean: float, count: int) -> Floats:
    return rng.gamma(shape, mean / shape, count)


def _rate_and_value(
    rng: np.random.Generator, correlation: float, count: int
) -> tuple[Floats, Floats]:
    """Purchase rates and mean order values joined by a Gaussian copula."""
    rate_normal = rng.standard_normal(count)
    rest = np.sqrt(1 - correlation**2) * rng.standard_normal(count)
    rate = gammaincinv(RATE_SHAPE, ndtr(rate_normal)) * RATE_MEAN / RATE_SHAPE
    value_normal = correlation * rate_normal + rest
    return rate, ORDER_VALUE_MEDIAN * np.exp(ORDER_VALUE_SPREAD * value_normal)
