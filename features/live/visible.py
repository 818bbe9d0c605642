"""What one customer's facts show at a cutoff, and the aggregates of them."""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import compress

from features.aggregates import Aggregate, Source
from features.live.conditions import condition
from features.live.kinds import KINDS, Answer, Edges, Kind, Series
from features.live.rows import Facts, Values

_OF_TIMES = ("since_last", "since_first", "span")
"""Kinds of aggregate whose values are the times themselves."""


@dataclass(frozen=True, slots=True)
class Question:
    """An aggregate with all that can be settled before any rows are seen."""

    part: Aggregate
    days: int | None
    until: int
    key: tuple[str, str, str]
    """Which rows it reads: their condition, the time its window looks at, and the column."""
    kind: Kind
    scale: int
    empty: float | None
    """The value when there is nothing to aggregate."""


def question(part: Aggregate) -> Question:
    """The aggregate made ready to be asked of customer after customer."""
    is_open = part.days is None and not part.until
    time = "ts" if is_open and part.how not in _OF_TIMES else part.time
    column = time if part.how in _OF_TIMES else part.column or "ts"
    # The last row of all is asked whether it meets the condition, not picked by it.
    key = (part.where, time, column) if part.how != "last_is" else ("", time, part.where)
    empty = 0.0 if part.is_zero_when_empty else None
    return Question(part, part.days, part.until, key, KINDS[part.how], part.scale, empty)


class Visible:
    """One source's facts as they stood at the cutoff: later rows gone, late columns hidden.

    What several aggregates read alike is picked out once.
    """

    def __init__(self, source: Source, facts: Facts, edges: Edges) -> None:
        end = bisect_left(facts["ts"], edges.now)
        rows = {name: values[:end] for name, values in facts.items()}
        late = {
            name: _shown(rows, name, times, edges.now) for name, times in source.known_at.items()
        }
        self._columns = {**rows, **late}
        self._is_seen = end > 0
        self._edges = edges
        self._series: dict[tuple[str, str, str], Series] = {}
        self._places: dict[str, Values] = {"": list(range(end))}

    def answer(self, asked: Question) -> Answer:
        """The aggregate's value in its feature's unit; None where it is missing."""
        if not self._is_seen:
            return asked.empty
        series = self._series.get(asked.key) or self._series_of(*asked.key)
        times, edges = series.times, self._edges
        start, end = 0, len(times)
        if asked.days is not None:
            start = bisect_left(times, edges.before(asked.days))
        if asked.until:
            end = bisect_left(times, edges.before(asked.until))
        if start >= end:
            return asked.empty
        found = asked.kind(series, start, end, edges, asked.part)
        if found is None or isinstance(found, str):
            return found
        return found / asked.scale

    def _series_of(self, where: str, time: str, column: str) -> Series:
        made = self._series[where, time, column] = self._picked(where, time, column)
        return made

    def _picked(self, where: str, time: str, column: str) -> Series:
        times, ts, values = self._columns[time], self._columns["ts"], self._values(column)
        places = self._meeting(where)
        if time != "ts":
            known = [place for place in places if times[place] is not None]
            places = sorted(known, key=times.__getitem__)
        if None in values:
            places = [place for place in places if values[place] is not None]
        if len(places) == len(ts) and time == "ts":
            return Series(ts, values, places, ts)
        own = [ts[place] for place in places]
        at = own if time == "ts" else [times[place] for place in places]
        return Series(at, [values[place] for place in places], places, own)

    def _values(self, column: str) -> Values:
        """A column of the facts, or 1 and 0 for rows that meet a condition and others."""
        if column in self._columns:
            return self._columns[column]
        return [int(truth is True) for truth in condition(column)(self._columns)]

    def _meeting(self, where: str) -> Values:
        """Positions of the rows that meet a condition, in order."""
        if where not in self._places:
            truths = condition(where)(self._columns)
            self._places[where] = list(compress(self._places[""], truths))
        return self._places[where]


def _shown(facts: Facts, name: str, times: tuple[str, ...], now: int) -> Values:
    values = facts[name]
    for time in times:
        values = [
            value if known is not None and known < now else None
            for value, known in zip(values, facts[time], strict=True)
        ]
    return values
