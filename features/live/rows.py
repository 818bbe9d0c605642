"""One customer's canonical rows as columns, read as the facts read them in SQL."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from itertools import repeat
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from features.text.reading import with_text_read
from features.versions import KNOWN_FROM, KNOWN_UNTIL

Values = list[Any]
"""One value a row, None where there is none; aligned with the other columns."""
Facts = Mapping[str, Values]
"""Columns of a source's facts, `ts` among them, with rows in the order of the source's place."""
CustomerRows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Canonical table to one customer's rows: contract column to a typed value."""

_MOST = 1e12
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class TableRows:
    """The rows of one canonical table; each column is taken out once, a missing one is None."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> None:
        self.rows = rows
        self._zone = zone
        self._read: dict[tuple[str, str], Values] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Values:
        """Values as they were given."""
        return self._once("as given", name)

    def seconds(self, name: str) -> Values:
        """Times as whole epoch seconds, rounded down."""
        return self._once("seconds", name)

    def days(self, name: str) -> Values:
        """Times, none of them missing, as local calendar days since 1970-01-01."""
        return self._once("days", name)

    def fixed(self, name: str) -> Values:
        """Numbers as whole ten-thousandths; None beyond 1e12."""
        return self._once("fixed", name)

    def whole(self, name: str) -> Values:
        """Whole numbers and booleans as integers."""
        return self._once("whole", name)

    def where(self, name: str) -> "TableRows":
        """The rows that have something in `name`."""
        return TableRows([row for row in self.rows if row.get(name) is not None], self._zone)

    @cached_property
    def purchases(self) -> "TableRows":
        """The orders that are not returns."""
        kept = [row for row in self.rows if not row.get("is_return")]
        return self if len(kept) == len(self.rows) else TableRows(kept, self._zone)

    @cached_property
    def written(self) -> "TableRows":
        """The rows that have a text, each read into numbers unless it was before."""
        read = [with_text_read(row) for row in self.rows]
        return TableRows([row for row in read if row.get("text_length") is not None], self._zone)

    def _once(self, reading: str, name: str) -> Values:
        key = (reading, name)
        if key not in self._read:
            self._read[key] = self._reading(reading, name)
        return self._read[key]

    def _reading(self, reading: str, name: str) -> Values:
        if reading == "as given":
            return _column(self.rows, name)
        given = self.column(name)
        if reading == "seconds":
            return [None if time is None else math.floor(time.timestamp()) for time in given]
        if reading == "days":
            local = map(datetime.astimezone, given, repeat(self._zone))
            return [day - _EPOCH_DAY for day in map(datetime.toordinal, local)]
        if reading == "fixed":
            return whole_ten_thousandths(given)
        return [None if number is None else round(number) for number in given]


class History:
    """All of one customer's rows as they stood at `cutoff`; a table not given is empty."""

    def __init__(self, tables: CustomerRows, cutoff: datetime, zone: ZoneInfo) -> None:
        self._tables = tables
        self._cutoff = cutoff
        self._zone = zone
        self._made: dict[str, TableRows] = {}

    def __getitem__(self, table: str) -> TableRows:
        if table not in self._made:
            rows = self._tables.get(table, ())
            if rows and KNOWN_FROM in rows[0]:
                rows = [row for row in rows if self._stood(row)]
            self._made[table] = TableRows(rows, self._zone)
        return self._made[table]

    def _stood(self, state: Mapping[str, Any]) -> bool:
        until = state.get(KNOWN_UNTIL)
        is_begun: bool = state[KNOWN_FROM] < self._cutoff
        return is_begun and (until is None or until >= self._cutoff)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Values:
    try:
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name) for row in rows]


def whole_ten_thousandths(numbers: Values) -> Values:
    """Numbers in ten-thousandths, halves away from zero as the engines round; None beyond 1e12."""
    return [
        nearest
        if number is not None
        and -_MOST <= number <= _MOST
        and -0.5 < (scaled := number * 1e4) - (nearest := round(scaled)) < 0.5
        else _half_away(number)
        for number in numbers
    ]


def _half_away(number: float | None) -> int | None:
    """One number that lies halfway, which Python would round to even, or that has no place."""
    if number is None or not -_MOST <= number <= _MOST:
        return None
    return math.floor(abs(number * 1e4) + 0.5) * (1 if number > 0 else -1)


def in_order(columns: Mapping[str, Values], *keys: str) -> Facts:
    """The same columns with rows sorted by `keys`, missing values last."""
    sorting = list(zip(*(_last_if_missing(columns[key]) for key in keys), strict=True))
    order = sorted(range(len(sorting)), key=sorting.__getitem__)
    if order == list(range(len(order))):
        return columns
    return {name: [values[row] for row in order] for name, values in columns.items()}


def _last_if_missing(values: Values) -> Values:
    return [(value is None, value) for value in values] if None in values else values
