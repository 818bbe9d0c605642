"""The generated company's calendar, planted effects and random streams."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.windows import start_of_day

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = dict[str, pa.Array]
Record = TypeVar("Record")

TIMEZONE = "Asia/Jakarta"
FADE_DAYS = 45
"""Usage fades over so many days before a customer drops out."""


@dataclass(frozen=True)
class Effects:
    """The planted strengths; 0 removes an effect. Log-hazards unless said otherwise."""

    slow_response: float = 1.4
    reopened: float = 1.1
    escalated: float = 1.2
    low_csat: float = 1.2
    fewer_orders: float = 0.7
    """What dissatisfaction also does to the purchase rate: times exp(-this * discontent)."""
    persuadable: float = -1.5
    """What a contact adds for a customer who stays because someone cared."""
    sleeping_dog: float = 0.6
    """What a contact adds for a customer whom it reminds to leave."""
    acquisition: float = 0.35
    """Added to customers who came through adverts, taken from those who were referred."""
    value_rate_correlation: float = 0.35
    """Gaussian-copula correlation of purchase rate and mean order value, in [-1, 1]."""
    seasonality: float = 0.25
    """Log-amplitude of the yearly purchase season, which peaks in mid-December."""
    weekday: float = 1.0
    """Exponent of the weekday pattern; 0 makes every weekday alike."""
    usage_fade: float = 0.7
    """Share of usage gone on the last day before dropout."""


@dataclass(frozen=True)
class Calendar:
    """The days of the history, counted from 0 at the first local midnight."""

    end: date
    """The first local day without data."""
    days: int

    @property
    def start(self) -> date:
        """The first local day of the history."""
        return self.end - timedelta(days=self.days)

    @property
    def simulated_days(self) -> int:
        """Days simulated; those past `days` only let usage fade before a later dropout."""
        return self.days + FADE_DAYS

    def dates(self) -> NDArray[np.datetime64]:
        """Every simulated local day."""
        return np.datetime64(self.start, "D") + np.arange(self.simulated_days)

    def stamps(self, times: Floats) -> pa.Array:
        """Days since the start as UTC timestamps to the second; NaN becomes null."""
        # Jakarta keeps no summer time, so a local day is always 86,400 seconds.
        origin = int(start_of_day(self.start, ZoneInfo(TIMEZONE)).timestamp())
        known = np.isfinite(times)
        seconds = np.floor(np.where(known, times, 0.0) * 86_400).astype(np.int64) + origin
        return pa.array(seconds * 1_000_000, mask=~known).cast(pa.timestamp("us", tz="UTC"))

    def seen(self, times: Floats) -> Floats:
        """`times`, with NaN for whatever the end of the history hides."""
        return np.where(times < self.days, times, np.nan)


@dataclass(frozen=True)
class World:
    """The frame in which one block of customers is drawn."""

    calendar: Calendar
    effects: Effects
    seed: int
    block: int

    def stream(self, topic: str) -> np.random.Generator:
        """The random stream of one topic in this block.

        Topics draw apart, so setting an effect to 0 leaves every other draw as it was.
        """
        return np.random.default_rng([self.seed, self.block, zlib.crc32(topic.encode())])


def rows_of(record: Record, index: Integers) -> Record:
    """The rows at `index` of a dataclass whose fields are arrays of one length."""
    columns = [getattr(record, column.name)[index] for column in fields(record)]  # type: ignore[arg-type]
    return type(record)(*columns)


def working_hours(times: Floats) -> Floats:
    """`times` moved within their day to between 07:00 and 23:00, keeping their order."""
    day = np.floor(times)
    return day + (7 + 16 * (times - day)) / 24


def arrivals(
    rng: np.random.Generator, rates: Floats, since: Floats, until: float, profile: Floats
) -> tuple[Integers, Floats]:
    """Poisson arrivals of many customers: (owner, time in days), sorted by both.

    Customer i arrives at `rates[i] * profile[day]` a day from `since[i]` to `until`.
    Times come by inverting the cumulative profile, so no candidate is thrown away.
    """
    grid = np.arange(len(profile) + 1, dtype=np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(profile)])
    first = np.interp(since, grid, cumulative)
    width = np.maximum(np.interp(until, grid, cumulative) - first, 0.0)
    owner = np.repeat(np.arange(len(rates)), rng.poisson(rates * width))
    position = first[owner] + rng.random(len(owner)) * width[owner]
    times = np.interp(position, cumulative, grid)
    order = np.lexsort((times, owner))
    return owner[order], times[order]


def pick(rng: np.random.Generator, shares: Sequence[float], count: int) -> Integers:
    """`count` indices drawn with the given shares."""
    edges = np.cumsum(shares) / np.sum(shares)
    return np.minimum(np.searchsorted(edges, rng.random(count), side="right"), len(edges) - 1)


def words(choices: Sequence[str], index: Integers, known: Flags | None = None) -> pa.Array:
    """The chosen words as strings; null where not `known`."""
    chosen = pa.array(index, mask=None if known is None else ~known)
    return pa.array(choices, pa.string()).take(chosen)


def names(prefix: str, numbers: Integers) -> pa.Array:
    """Identifiers such as C0000042."""
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 7, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, pa.scalar(""))


def numbers(values: Floats | Integers, known: Flags | None = None) -> pa.Array:
    """Doubles; null where not `known`."""
    return pa.array(values.astype(np.float64), mask=None if known is None else ~known)
