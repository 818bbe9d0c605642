"""Guessing how a company's own file maps to the contract, and saying how sure each guess is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from features.config import SourceConfig, TableName
from features.contracts import TABLES
from features.guess.extent import Extent, SourceReader
from features.guess.headers import currency_word
from features.guess.matching import ColumnGuess, Sheet, read_sheet
from features.guess.profiles import Profile
from features.guess.settling import SettledSheet, settle
from features.guess.trails import FOLDED
from features.sources.source import sample_source

AttributeKind = Literal["numeric", "category"]

_TOLERATED = SourceConfig().max_reject_rate
_DATABASES = ("sqlite:", "postgres:", "postgresql:")
_MOST_CATEGORIES = 50


class GuessError(ValueError):
    """Nothing can be guessed from a source; the message says what is wrong with it."""


@dataclass(frozen=True)
class SourceGuess:
    """What one file seems to hold: a mapping ready for the configuration, and the reasons."""

    table: TableName
    source: SourceConfig
    columns: tuple[ColumnGuess, ...]
    unused: tuple[str, ...]
    """Source columns that no canonical column took."""
    attributes: Mapping[str, AttributeKind]
    """For customers: unused columns that could serve as attributes."""
    problems: tuple[str, ...]
    """Required columns nobody could be found for: the user must choose."""
    notes: tuple[str, ...]
    """What was noticed and should be checked, one sentence each."""
    odd_products: tuple[str, ...]
    """For orders: product ids unlike the others, perhaps fees or samples to exclude."""
    extent: Extent
    currency: str | None
    indonesian: bool

    def column(self, canonical: str) -> ColumnGuess | None:
        """The guess for one canonical column, or None."""
        return next((guess for guess in self.columns if guess.canonical == canonical), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Canonical columns that neither a source column nor a constant fills."""
        given = {guess.canonical for guess in self.columns} | set(self.source.constants)
        folded = FOLDED if self.source.trail else ()
        names = TABLES[self.table].names
        return tuple(name for name in names if name not in given and name not in folded)

    def listing(self) -> list[tuple[str, str, str, str]]:
        """Rows for a terminal: canonical column, source column, confidence, why."""
        return [
            (guess.canonical, guess.source, f"{guess.confidence} ({guess.score:.2f})", guess.why)
            for guess in self.columns
        ]


def guess_source(table: TableName, path_or_url: str) -> SourceGuess:
    """Guess how a file, or a database table written as URL#TABLE, maps to `table`.

    Raises GuessError for a source without rows or a URL without a table, and SourceError when
    the source cannot be read.
    """
    located = _located(path_or_url)
    sample = sample_source(located, rows=1)
    if not sample.rows:
        raise GuessError(f"{table}: {located.path or located.table} holds no rows to guess from")
    source = located.model_copy(update=_reading(sample.delimiter, sample.encoding))
    reader = SourceReader(table, source)
    guess = guess_sheet(read_sheet(table, reader.columns, reader.spread_rows()), source)
    customer = guess.source.columns.get("customer_id")
    whole = reader.extent(
        customer if customer in reader.columns else None,
        _main_time(guess),
        guess.source.date_format,
    )
    product = guess.column("product_id")
    odd = reader.odd_ids(product.source) if product else ()
    return replace(_with_extent(guess, whole), odd_products=odd)


def guess_sheet(sheet: Sheet, source: SourceConfig) -> SourceGuess:
    """Guess the mapping of a sample already read; `source` says where it came from."""
    settled = settle(sheet)
    unused = _unused(sheet, settled)
    return SourceGuess(
        table=sheet.table,
        source=source.model_copy(
            update={
                "columns": {guess.canonical: guess.source for guess in settled.columns},
                "constants": dict(settled.constants),
                "decimal": sheet.decimal,
                "date_format": settled.date_format,
                "trail": settled.trail,
            }
        ),
        columns=settled.columns,
        unused=unused,
        attributes=_attributes(sheet, unused) if sheet.table == "customers" else {},
        problems=_problems(sheet, settled),
        notes=(*settled.notes, *_value_notes(sheet, settled)),
        odd_products=(),
        extent=Extent(len(sheet.rows), 0),
        currency=_currency(sheet),
        indonesian=sheet.indonesian,
    )


def _located(path_or_url: str) -> SourceConfig:
    if not path_or_url.startswith(_DATABASES):
        return SourceConfig(path=str(Path(path_or_url).absolute()))
    url, _, table = path_or_url.partition("#")
    if not table:
        scheme = url.partition(":")[0]
        raise GuessError(
            f"the {scheme} URL names no table; write it after a #, as in {scheme}://…#orders"
        )
    return SourceConfig(url=url, table=table)


def _reading(delimiter: str | None, encoding: str | None) -> dict[str, str]:
    usual = {"delimiter": ",", "encoding": "utf-8"}
    found = {"delimiter": delimiter, "encoding": encoding and encoding.lower()}
    return {name: value for name, value in found.items() if value and value != usual[name]}


def _main_time(guess: SourceGuess) -> str | None:
    table = TABLES[guess.table]
    names = (table.time, table.time_fallback, "signed_up_at")
    found = (guess.column(name) for name in names if name)
    return next((column.source for column in found if column), None)


def _unused(sheet: Sheet, settled: SettledSheet) -> tuple[str, ...]:
    used = {part for guess in settled.columns for part in _parts(guess.source)}
    if settled.trail:
        used |= {settled.trail.changed_at, settled.trail.status, settled.trail.sequence or ""}
    return tuple(name for name in sheet.profiles if name not in used)


def _parts(expression: str) -> set[str]:
    product = set(expression.split(" * "))
    start, _, duration = expression.partition(" + ")
    looked_up = expression.partition(" -> ")[0]
    return product | {expression, start, duration.rpartition(" ")[0], looked_up}


def _attributes(sheet: Sheet, unused: Sequence[str]) -> dict[str, AttributeKind]:
    kinds: dict[str, AttributeKind] = {}
    for name in unused:
        column = sheet.profiles[name]
        if column.distinct > 2 and column.number_share(sheet.decimal) > 0.99:
            kinds[name] = "numeric"
        elif 2 <= column.distinct <= _MOST_CATEGORIES and column.time is None:
            kinds[name] = "category"
    return kinds


def _problems(sheet: Sheet, settled: SettledSheet) -> tuple[str, ...]:
    table = TABLES[sheet.table]
    given = {guess.canonical for guess in settled.columns} | set(settled.constants)
    missing = [name for name in table.required if name not in given]
    if table.time_fallback and not {table.time, table.time_fallback} & given:
        missing.append(table.time_fallback)
    listed = ", ".join(map(repr, sheet.profiles))
    return tuple(
        f"{table.name}: no column looks like {name}, which is required; "
        f"choose one of {listed} and write it under sources.{table.name}.columns.{name}"
        for name in missing
    )


def _value_notes(sheet: Sheet, settled: SettledSheet) -> list[str]:
    notes = []
    if not sheet.decimal_certain:
        notes.append(f"1.500 could be 1.5 or 1500; {sheet.decimal!r} is taken as the decimal sign")
    profiles = {guess.canonical: sheet.profiles.get(guess.source) for guess in settled.columns}
    for name in TABLES[sheet.table].unique or ():
        column = profiles.get(name)
        if column and column.repeats > 1.01:
            doubt = (
                "it is taken for a log of changes, one complete row each: check the statuses"
                if settled.trail
                else f"is it a log of changes, not one row per {TABLES[sheet.table].grain}? "
                "Duplicates are rejected"
            )
            notes.append(f"{column.name!r} repeats {column.repeats:.1f} times; {doubt}")
    score = profiles.get("score")
    if score and score.missing > _TOLERATED:
        notes.append(f"{score.missing:.0%} of the rows have no score: sent, but never answered?")
    customer = profiles.get("customer_id")
    if customer and customer.has_float_ids:
        notes.append(f"ids in {customer.name!r} are written as decimals ({customer.values[0]})")
    return notes


def _currency(sheet: Sheet) -> str | None:
    columns = sheet.profiles.values()
    stated = [_stated_currency(column) for column in columns]
    signs = [column.currency for column in columns]
    headers = [currency_word(column.name) for column in columns]
    return next((code for code in [*stated, *signs, *headers] if code), None)


def _stated_currency(column: Profile) -> str | None:
    codes = {value.upper() for value in column.values}
    code = codes.pop() if "currency" in column.name.lower() and len(codes) == 1 else ""
    return code if len(code) == 3 and code.isalpha() else None


def _with_extent(guess: SourceGuess, whole: Extent) -> SourceGuess:
    share = whole.without_customer / whole.rows if whole.rows else 0.0
    if share <= _TOLERATED:
        return replace(guess, extent=whole)
    if guess.table == "orders":
        source = guess.source.model_copy(update={"guests": True})
        return replace(guess, extent=whole, source=source)
    note = f"{share:.1%} of the rows have no customer and will be rejected"
    return replace(guess, extent=whole, notes=(*guess.notes, note))
