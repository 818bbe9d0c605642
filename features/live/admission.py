"""Rows given in a call, judged and shaped by the rules that ingest has for a source's rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.config import TableName
from features.contracts import SURVEY_SCALES, TABLES, Column, Table
from features.ingest.mapping import nearest
from features.ingest.rules import survey_scale
from features.live.readings import Reading, reading_of
from features.live.rows import CustomerRows
from features.live.shape import CompanyShape

Row = dict[str, Any]

LARGEST_TIMES = 10
"""An amount beyond so many times the largest the company has had is taken for a mistake."""
_CLOCKS_DIFFER = timedelta(minutes=2)


@dataclass(frozen=True)
class RowFault:
    """One value of a call that cannot be taken: where it stands, and what would be right."""

    table: TableName
    row: int
    column: str
    detail: str


class RowsRefused(ValueError):
    """Rows of a call that break the contract; `faults` has each of them."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        first = faults[0]
        super().__init__(
            f"{len(faults)} value(s) break the data contract (first: {first.table}, row "
            f"{first.row}, {first.column}: {first.detail})"
        )
        self.faults = tuple(faults)


class Admission:
    """The rules of one company, made ready once and then asked call by call."""

    def __init__(self, shape: CompanyShape) -> None:
        self._shape = shape
        self._readings = {name: _readings(name, shape) for name in shape.columns}

    def __call__(
        self,
        customer_id: str,
        given: Mapping[TableName, Sequence[Mapping[str, Any]]],
        now: datetime,
    ) -> CustomerRows:
        """The customer's rows as the snapshot would hold them.

        `given` has canonical columns as JSON writes them, numbers finite; a row may leave out
        what it has not, and `customer_id`. No time may lie after `now`, save agreed ends.

        Raises RowsRefused with every value that breaks the contract.
        """
        admitted: dict[str, list[Row]] = {}
        faults: list[RowFault] = []
        for name, rows in given.items():
            found = _Table(TABLES[name], self._shape, self._readings.get(name, {}), now)
            admitted[name] = [
                found.admit(place, {**row, "customer_id": row.get("customer_id", customer_id)})
                for place, row in enumerate(rows)
            ]
            faults += [*found.faults, *_of_others(name, customer_id, admitted[name])]
        if faults:
            raise RowsRefused(faults)
        return admitted


def _readings(name: TableName, shape: CompanyShape) -> dict[str, Reading]:
    """Every column that a row of the table may fill, and how it is read."""
    table = TABLES[name]
    filled = {"customer_id", *shape.columns[name]}
    columns = [column for column in table.columns if column.name in filled]
    if name == "customers":
        kinds: Mapping[str, Any] = {"numeric": "number", "category": "text"}
        columns += [Column(each, kinds[kind]) for each, kind in shape.attributes.items()]
    return {column.name: reading_of(column, shape.zone) for column in columns}


class _Table:
    """The rows of one table of one call, and what is wrong with them."""

    def __init__(
        self,
        table: Table,
        shape: CompanyShape,
        readings: Mapping[str, Reading],
        now: datetime,
    ) -> None:
        self.faults: list[RowFault] = []
        self._table = table
        self._shape = shape
        self._readings = readings
        self._latest = now + _CLOCKS_DIFFER
        self._limits = _limits(table, shape)
        self._seen: set[tuple[Any, ...]] = set()

    def admit(self, place: int, given: Mapping[str, Any]) -> Row:
        """The row typed and shaped; what is wrong with it is added to `faults`."""
        row: Row = {}
        wrong: list[tuple[str, str]] = []
        for name, value in given.items():
            try:
                row[name] = self._value(name, value)
            except ValueError as error:
                wrong.append((name, str(error)))
        self._align(row)
        wrong += [*self._missing(row, wrong), *self._broken(row)]
        self.faults += [RowFault(self._table.name, place, name, detail) for name, detail in wrong]
        return row if wrong else _shaped(self._table.name, row, self._shape)

    def _value(self, name: str, value: Any) -> Any:
        if name not in self._readings:
            raise ValueError(_unknown(self._table, name, list(self._readings)))
        return None if value is None else self._readings[name](value)

    def _align(self, row: Row) -> None:
        """A bare date that is the day of the time it must not precede is read as that time."""
        for first, second in self._table.order:
            start, end = row.get(first), row.get(second)
            if start is None or end is None or not end < start <= self._latest:
                continue
            zone = self._shape.zone
            day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
            if end.astimezone(zone).replace(tzinfo=None) == day.replace(tzinfo=None):
                row[second] = start

    def _missing(self, row: Row, wrong: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        unread = {name for name, _ in wrong}
        for name in self._table.required:
            if row.get(name) is None and name not in unread:
                yield name, f"every row of {self._table.name} needs it"
        times = [name for name in (self._table.time, self._table.time_fallback) if name]
        if len(times) == 2 and all(row.get(name) is None for name in times) and not unread:
            yield times[0], f"one of {times[0]} and {times[1]} is needed"

    def _broken(self, row: Row) -> Iterator[tuple[str, str]]:
        yield from self._absurd(row)
        yield from _off_scale(self._table, row, self._shape)
        yield from self._untimely(row)
        yield from self._repeated(row)

    def _absurd(self, row: Row) -> Iterator[tuple[str, str]]:
        for name, (lowest, highest, why) in self._limits.items():
            value = row.get(name)
            if value is not None and not lowest <= value <= highest:
                yield name, f"{value:g} is not between {lowest:g} and {highest:g}{why}"

    def _untimely(self, row: Row) -> Iterator[tuple[str, str]]:
        for name in self._table.times:
            time = row.get(name)
            if time is not None and name not in self._table.future and time > self._latest:
                yield name, f"{time.isoformat()} lies in the future; send it once it has happened"
        for first, second in self._table.order:
            start, end = row.get(first), row.get(second)
            if start is not None and end is not None and end < start:
                yield second, f"{end.isoformat()} is before {first}, {start.isoformat()}"

    def _repeated(self, row: Row) -> Iterator[tuple[str, str]]:
        names = [name for name in self._table.unique or () if name in self._readings]
        key = tuple(row.get(name) for name in names)
        if not names or None in key:
            return
        if key in self._seen:
            yield names[0], f"{key[0]!r} is given twice; send each row once, as it stands now"
        self._seen.add(key)


def _limits(table: Table, shape: CompanyShape) -> dict[str, tuple[float, float, str]]:
    """Column to the lowest and highest value that is believed, and why."""
    limits = {}
    for column in table.columns:
        lowest, highest = column.minimum, column.maximum
        if lowest is None or highest is None:
            continue
        why = ""
        if largest := shape.largest.get(table.name, {}).get(column.name):
            lowest = max(lowest, -largest * LARGEST_TIMES)
            highest = min(highest, largest * LARGEST_TIMES)
            why = f", {LARGEST_TIMES} times the largest the company has had"
        limits[column.name] = (lowest, highest, why)
    return limits


def _unknown(table: Table, name: str, valid: Sequence[str]) -> str:
    if not valid:
        return f"this company's data has no {table.name}, so the model knows none; leave them out"
    if name in table.names:
        return f"this company's {table.name} have no {name}, so the model knows none; leave it out"
    return f"not a column of {table.name}; {nearest(name, valid)}"


def _off_scale(table: Table, row: Row, shape: CompanyShape) -> Iterator[tuple[str, str]]:
    kind, score = row.get("kind"), row.get("score")
    if table.name != "surveys" or kind is None or score is None:
        return
    lowest, highest = survey_scale(shape.scales, kind)
    if not lowest <= score <= highest:
        yield "score", f"{kind} goes from {lowest:g} to {highest:g}, not {score:g}"


def _of_others(table: TableName, customer_id: str, rows: Sequence[Row]) -> Iterator[RowFault]:
    for place, row in enumerate(rows):
        if row.get("customer_id") not in (None, customer_id):
            detail = f"{row['customer_id']!r} is another customer than {customer_id!r}"
            yield RowFault(table, place, "customer_id", detail)


def _shaped(table: TableName, row: Row, shape: CompanyShape) -> Row:
    if table == "orders":
        return _shaped_order(row)
    if table == "surveys" and row.get("score") is not None:
        return {**row, "score": _standard_score(row["kind"], row["score"], shape)}
    return row


def _shaped_order(row: Row) -> Row:
    """A return keeps no amount: what went back is a refund, known when it was booked."""
    is_return = row["amount"] < 0 or (row.get("quantity") or 0) < 0
    if not is_return:
        return {**row, "is_return": False}
    return {
        **row,
        "amount": 0.0,
        "refunded_at": row["ordered_at"],
        "refund_amount": abs(row["amount"]),
        "margin": min(row.get("margin") or 0.0, 0.0),
        "is_return": True,
    }


def _standard_score(kind: str, score: float, shape: CompanyShape) -> float:
    """The score on the contract's own scale."""
    lowest, highest = SURVEY_SCALES[kind]
    low, high = survey_scale(shape.scales, kind)
    if (low, high) == (lowest, highest):
        return score
    return lowest + (score - low) * ((highest - lowest) / (high - low))
