"""How far a whole source reaches: rows, first and last time, and how soon customers come back."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from features.config import SourceConfig, TableName
from features.ingest.normalise import cleaned, quoted, time_value
from features.sources.source import open_source

_ODD_SHARE = 0.05
_SPREAD_ROWS = 10_000


@dataclass(frozen=True)
class Extent:
    """Facts about all rows of a source, not only the sampled ones."""

    rows: int
    without_customer: int
    first: datetime | None = None
    """Earliest main time, as written (no time zone applied)."""
    last: datetime | None = None
    return_days: float | None = None
    """Median over customers of the mean number of days between their active days."""

    @property
    def days(self) -> int:
        """Whole days from the first to the last time; 0 when there are none."""
        return (self.last - self.first).days if self.first and self.last else 0


class SourceReader:
    """One source opened on a connection of its own, for the questions guessing asks of it."""

    def __init__(self, table: TableName, source: SourceConfig) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        with tempfile.TemporaryDirectory() as scratch:
            self._raw = open_source(self._connection, table, source, Path(scratch))

    @property
    def columns(self) -> tuple[str, ...]:
        """The source's column names."""
        return self._raw.columns

    def spread_rows(self) -> list[tuple[str | None, ...]]:
        """About 10,000 rows from all over the source, the same ones each time, in file order."""
        total = self._count()
        listed = ", ".join(quoted(column) for column in self.columns)
        every = max(1, total // _SPREAD_ROWS)
        return self._connection.execute(
            f"SELECT {listed} FROM {self._raw.relation} WHERE hash(source_row) % {every} = 0 "
            "ORDER BY source_file, source_row"
        ).fetchall()

    def odd_ids(self, column: str) -> tuple[str, ...]:
        """Ids that do not start with (or hold) a digit where nearly all do: fees, samples, tests.

        The commonest twenty, most rows first; none when such ids are usual here.
        """
        found: list[tuple[str, int]] = self._connection.execute(
            f"SELECT trim({quoted(column)}) AS id, count(*) AS n FROM {self._raw.relation} "
            "WHERE id <> '' GROUP BY ALL ORDER BY n DESC, id"
        ).fetchall()
        rows = sum(count for _, count in found)
        for usual in (re.compile(r"\d"), re.compile(r".*\d")):
            odd = [(name, count) for name, count in found if not usual.match(name)]
            if sum(count for _, count in odd) <= _ODD_SHARE * rows:
                return tuple(name for name, _ in odd[:20])
        return ()

    def extent(self, customer: str | None, time: str | None, date_format: str | None) -> Extent:
        """Read the rows, the missing customers and the span of the `time` column, all rows."""
        rows = self._count()
        without = self._missing(customer) if customer else 0
        if time is None:
            return Extent(rows, without)
        read = time_value(cleaned(quoted(time), "time"), "UTC", date_format)
        first, last = self._connection.execute(
            f"SELECT CAST(min(t) AS TIMESTAMP), CAST(max(t) AS TIMESTAMP) "
            f"FROM (SELECT {read} AS t FROM {self._raw.relation})"
        ).fetchall()[0]
        return Extent(rows, without, first, last, self._return_days(customer, read))

    def _count(self) -> int:
        return int(self._one(f"SELECT count(*) FROM {self._raw.relation}"))

    def _missing(self, column: str) -> int:
        cell = cleaned(quoted(column), "id")
        return int(self._one(f"SELECT count(*) FROM {self._raw.relation} WHERE {cell} IS NULL"))

    def _return_days(self, customer: str | None, read: str) -> float | None:
        if customer is None:
            return None
        who = cleaned(quoted(customer), "id")
        value = self._one(
            "SELECT median(gap) FROM (SELECT (max(d) - min(d)) / (count(DISTINCT d) - 1) AS gap "
            f"FROM (SELECT {who} AS customer, CAST({read} AS DATE) AS d "
            f"FROM {self._raw.relation}) WHERE customer IS NOT NULL "
            "GROUP BY customer HAVING count(DISTINCT d) > 1)"
        )
        return None if value is None else float(value)

    def _one(self, query: str) -> float:
        rows: Sequence[tuple[float]] = self._connection.execute(query).fetchall()
        return rows[0][0]
