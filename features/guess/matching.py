"""Which source column stands for which canonical column, and how sure that is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb

from features.config import TableName
from features.contracts import TABLES, Column, Kind
from features.guess.headers import MEANINGS, UNITS, duration_unit, is_indonesian, name_score, words
from features.guess.profiles import DateOrder, Profile, date_order, decimal_sign, middle, profile
from features.ingest.normalise import choice_value

Confidence = Literal["sure", "likely", "unsure"]

_SURE, _LIKELY, _LEAST = 0.85, 0.6, 0.3
_WHOLE_NAME = 0.8
_SAID: Mapping[Kind, str] = {
    "time": "times",
    "money": "numbers",
    "number": "numbers",
    "whole": "whole numbers",
    "boolean": "yes or no",
    "choice": "known choice",
}
_STAND_INS: Mapping[str, Kind] = {
    "unit_price": "money",
    "first_response_duration": "number",
    "resolution_duration": "number",
}
_MISLEADING: Mapping[str, frozenset[str]] = {
    "customer_id": frozenset(("name", "nama", "segment", "phone", "telepon", "country", "type")),
    "ordered_at": frozenset(("due", "updated", "birth", "lahir", "delivery", "shipped", "kirim")),
    "opened_at": frozenset(("due", "updated", "first", "last")),
    "amount": frozenset(
        (
            "tax",
            "pajak",
            "shipping",
            "ongkir",
            "ongkos",
            "discount",
            "diskon",
            "refunded",
            "refund",
            "retur",
            "fee",
            "unit",
            "satuan",
            "points",
            "poin",
        )
    ),
}
_SMALL_QUANTITY, _LARGE_QUANTITY = 20, 100
_MOST_CHOICES = 50


@dataclass(frozen=True)
class ColumnGuess:
    """One canonical column, the source column or expression taken for it, and why."""

    canonical: str
    source: str
    score: float
    """From 0 to 1: how well name and values fit together."""
    why: str

    @property
    def confidence(self) -> Confidence:
        """The score in words."""
        if self.score >= _SURE:
            return "sure"
        return "likely" if self.score >= _LIKELY else "unsure"


@dataclass(frozen=True)
class Sheet:
    """A sampled source: a profile for each column, and how the file as a whole writes values."""

    table: TableName
    profiles: Mapping[str, Profile]
    rows: Sequence[tuple[str | None, ...]]
    decimal: str
    decimal_certain: bool
    order: DateOrder
    indonesian: bool

    def values(self, column: str) -> list[str | None]:
        """The sampled cells of `column`, in row order."""
        place = list(self.profiles).index(column)
        return [row[place] for row in self.rows]


def read_sheet(
    table: TableName, columns: Sequence[str], rows: Sequence[tuple[str | None, ...]]
) -> Sheet:
    """Profile every column of a sample and settle its decimal sign and date order."""
    cells: Iterable[tuple[str | None, ...]] = (
        zip(*rows, strict=True) if rows else [()] * len(columns)
    )
    profiles = {
        name: profile(name, list(values)) for name, values in zip(columns, cells, strict=True)
    }
    listed, indonesian = list(profiles.values()), is_indonesian(tuple(columns))
    decimal, certain = decimal_sign(listed, indonesian=indonesian)
    shapes = [column.time for column in listed if column.time is not None]
    american = any(column.currency == "USD" for column in listed)
    order = date_order(shapes, day_first=not american)
    return Sheet(table, profiles, rows, decimal, certain, order, indonesian)


def match_columns(sheet: Sheet) -> dict[str, ColumnGuess]:
    """Give each canonical column (and stand-in) the source column that fits it best.

    The best pair is taken first; a source column is given away once.
    """
    pairs = [
        (score, canonical, header)
        for canonical in MEANINGS[sheet.table]
        for header, column in sheet.profiles.items()
        if (score := pair_score(sheet, canonical, column)) >= _LEAST
    ]
    chosen: dict[str, ColumnGuess] = {}
    taken: set[str] = set()
    for score, canonical, header in sorted(pairs, key=lambda pair: -pair[0]):
        if canonical not in chosen and header not in taken:
            chosen[canonical] = ColumnGuess(
                canonical, header, score, _reason(sheet, canonical, sheet.profiles[header])
            )
            taken.add(header)
    return chosen


def pair_score(sheet: Sheet, canonical: str, column: Profile) -> float:
    """How well `column` would serve as `canonical`: the name's score times the values' fit."""
    named = _named(sheet.table, canonical, column.name)
    return named * _fit(sheet, canonical, column) if named else 0.0


def near_misses(sheet: Sheet, chosen: Mapping[str, ColumnGuess]) -> list[str]:
    """Columns named like a canonical one that found none, whose values say otherwise."""
    return [
        f"{header!r} is named like {canonical}, but its values are no {_SAID[kind]}: left out"
        for canonical in TABLES[sheet.table].names
        if canonical not in chosen and (kind := _declared(sheet.table, canonical).kind) in _SAID
        for header, column in sheet.profiles.items()
        if column.values
        and _named(sheet.table, canonical, header) >= _SURE
        and _fit(sheet, canonical, column) < _LEAST
    ]


def _named(table: TableName, canonical: str, header: str) -> float:
    said = words(header)
    if canonical.endswith("_duration"):
        said = tuple(word for word in said if word not in UNITS and word != "in")
    named = name_score(" ".join(said), MEANINGS[table][canonical])
    misleading = not _MISLEADING.get(canonical, frozenset()).isdisjoint(said)
    return 0.0 if misleading and named < _WHOLE_NAME else named


def _fit(sheet: Sheet, canonical: str, column: Profile) -> float:
    declared = _declared(sheet.table, canonical)
    if not column.values:
        return 0.0 if declared.required else 0.6
    if declared.kind == "time":
        return column.time.share if column.time else 0.0
    if declared.kind in ("money", "number", "whole"):
        return _number_fit(sheet, canonical, column)
    if declared.kind == "boolean":
        return column.yes_no_share
    if declared.kind == "choice":
        return _choice_fit(declared, column)
    return _id_fit(sheet, declared, column)


def _declared(table: TableName, canonical: str) -> Column:
    if canonical in _STAND_INS:
        return Column(canonical, _STAND_INS[canonical])
    return TABLES[table].column(canonical)


def _number_fit(sheet: Sheet, canonical: str, column: Profile) -> float:
    if column.date_like_number or (
        canonical.endswith("_duration") and duration_unit(column.name) is None
    ):
        return 0.0
    share = column.number_share(sheet.decimal)
    numbers = column.numbers(sheet.decimal)
    size = abs(middle([abs(number) for number in numbers]))
    small_and_whole = size < _SMALL_QUANTITY and all(v.lstrip("-").isdigit() for v in column.values)
    too_small = canonical == "amount" and small_and_whole
    too_large = canonical == "quantity" and size >= _LARGE_QUANTITY
    return share * (0.75 if too_small or too_large else 1.0)


def _choice_fit(declared: Column, column: Profile) -> float:
    if declared.otherwise is not None:
        return 1.0 if column.distinct <= _MOST_CHOICES else 0.0
    read = choice_value("word", declared)
    known = duckdb.execute(
        f"SELECT bool_and({read} IS NOT NULL) FROM (SELECT unnest(?::VARCHAR[]) AS word)",
        [sorted(set(column.values))],
    ).fetchall()
    return 1.0 if known[0][0] else 0.0


def _id_fit(sheet: Sheet, declared: Column, column: Profile) -> float:
    if column.time is not None and not column.date_like_number and column.time.share > 0.9:
        return 0.0
    each_row_differs = len(column.values) >= 20 and column.repeats == 1
    holds_many = sheet.table in ("orders", "events", "tickets")
    if declared.name == "customer_id" and holds_many and each_row_differs:
        return 0.8
    unique = TABLES[sheet.table].unique or ()
    return 0.7 if declared.name in unique and column.repeats > 1.05 else 1.0


def _reason(sheet: Sheet, canonical: str, column: Profile) -> str:
    whole = _named(sheet.table, canonical, column.name) >= _SURE
    named = "by name" if whole else "by part of the name"
    if not column.values:
        return f"{named}; every sampled value is empty"
    kind = _declared(sheet.table, canonical).kind
    if kind == "time" and column.time:
        read = round(column.time.share * len(column.values))
        form = column.time.format(day_first=sheet.order.day_first) or "ISO"
        order = f"; {sheet.order.why}" if column.time.parts else ""
        return f"{named}; {read:,} of {len(column.values):,} read as {form} times{order}"
    if kind in ("money", "number", "whole"):
        numbers = column.numbers(sheet.decimal)
        negative = sum(number < 0 for number in numbers) / max(1, len(numbers))
        returns = ", taken as returns" if canonical == "amount" else ""
        below = f", {negative:.1%} negative{returns}" if negative else ""
        return f"{named}; {len(numbers):,} of {len(column.values):,} are numbers{below}"
    if kind == "id":
        return f"{named}; {column.distinct:,} ids in the sample, {column.repeats:.1f} rows for each"
    return f"{named}; {column.distinct:,} different values"
