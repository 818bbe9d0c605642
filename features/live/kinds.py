"""Each kind of aggregate as a Python function over one window of one customer's rows."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features.aggregates import TREND_DAYS, Aggregate, How
from features.live.rows import Values
from features.standpoint import Clock, Standpoint

Answer = float | str | None
"""What the SQL of an aggregate gives before scaling; None for no rows."""


class Edges:
    """The cutoff, and the days before it, on one clock; each is worked out once."""

    def __init__(self, stand: Standpoint, clock: Clock) -> None:
        self.now = stand.on(clock)
        self._stand, self._clock = stand, clock
        self._before: dict[int, int] = {}

    def before(self, days: int) -> int:
        """The instant `days` calendar days before the cutoff."""
        if days not in self._before:
            self._before[days] = self._stand.on(self._clock, days)
        return self._before[days]


@dataclass(frozen=True, slots=True)
class Series:
    """Rows that an aggregate may read, ordered by the time that its window looks at.

    Rows without that time or without a value are left out.
    """

    times: Values
    values: Values
    places: Values
    """Positions of the rows among the facts, whose order is that of the source's place."""
    ts: Values
    """The rows' own times."""


Kind = Callable[[Series, int, int, Edges, Aggregate], Answer]
"""The answer from the rows from one position of a series to another, the end excluded.

There is at least one row. A kind may use the edges of windows and the whole declaration.
"""


def _count(_: Series, start: int, end: int, *__: object) -> Answer:
    return end - start


def _sum(series: Series, start: int, end: int, *_: object) -> Answer:
    return sum(series.values[start:end])


def _mean(series: Series, start: int, end: int, *_: object) -> Answer:
    return float(sum(series.values[start:end])) / (end - start)


def _deviation(series: Series, start: int, end: int, *_: object) -> Answer:
    """Sample standard deviation from whole sums, as in SQL."""
    number = end - start
    if number < 2:
        return None
    values = series.values[start:end]
    spread = number * sum(value * value for value in values) - sum(values) ** 2
    return math.sqrt(float(spread) / (float(number) * (number - 1)))


def _max(series: Series, start: int, end: int, *_: object) -> Answer:
    largest: Answer = max(series.values[start:end])
    return largest


def _median(series: Series, start: int, end: int, *_: object) -> Answer:
    values: list[int] = sorted(series.values[start:end])
    below, above = values[(len(values) - 1) // 2], values[len(values) // 2]
    return float(below) + (above - below) * 0.5


def _first(series: Series, start: int, end: int, _: Edges, part: Aggregate) -> Answer:
    return _placed(min, series, start, end, part)


def _last(series: Series, start: int, end: int, _: Edges, part: Aggregate) -> Answer:
    return _placed(max, series, start, end, part)


def _placed(
    choose: Callable[..., int], series: Series, start: int, end: int, part: Aggregate
) -> Answer:
    """The value of the row whose place is the least or the greatest."""
    if part.time == "ts":
        row = choose(start, end - 1)
    else:
        row = choose(range(start, end), key=series.places.__getitem__)
    value: Answer = series.values[row]
    return value


def _distinct(series: Series, start: int, end: int, *_: object) -> Answer:
    return len(set(series.values[start:end]))


def _modal(series: Series, start: int, end: int, *_: object) -> Answer:
    return max(Counter(series.values[start:end]).values())


def _since_last(series: Series, _: int, end: int, edges: Edges, __: Aggregate) -> Answer:
    latest: int = series.times[end - 1]
    return edges.now - latest


def _since_first(series: Series, start: int, _: int, edges: Edges, __: Aggregate) -> Answer:
    earliest: int = series.times[start]
    return edges.now - earliest


def _span(series: Series, start: int, end: int, *_: object) -> Answer:
    earliest, latest = series.times[start], series.times[end - 1]
    return float(latest - earliest)


def _slope(series: Series, start: int, end: int, edges: Edges, part: Aggregate) -> Answer:
    """Least-squares slope over equal buckets, empty ones counted as zero, as in SQL."""
    days, step = part.days or 0, part.bucket
    buckets, first = days // step, edges.before(days)
    total = sum(
        (2 * ((time - first) // step) - (buckets - 1)) * value
        for time, value in zip(series.ts[start:end], series.values[start:end], strict=True)
    )
    return float(total) * 6 / (buckets**3 - buckets)


def _trend(series: Series, start: int, end: int, edges: Edges, part: Aggregate) -> Answer:
    """Least-squares line through single values by their age in days, as in SQL."""
    now, day = edges.now, 1 if part.source.clock == "day" else 86_400
    number, values = end - start, series.values[start:end]
    ages = [(now - time) // day for time in series.ts[start:end]]
    products = sum(age * value for age, value in zip(ages, values, strict=True))
    bottom = number * sum(age * age for age in ages) - sum(ages) ** 2
    top = number * products - sum(ages) * sum(values)
    return -TREND_DAYS * float(top) / float(bottom) if bottom else None


KINDS: Mapping[How, Kind] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "sd": _deviation,
    "max": _max,
    "median": _median,
    "first": _first,
    "last": _last,
    "last_is": _last,
    "distinct": _distinct,
    "modal": _modal,
    "since_last": _since_last,
    "since_first": _since_first,
    "span": _span,
    "slope": _slope,
    "trend": _trend,
}
"""Kind of aggregate to its function; every kind that the SQL knows has one."""
