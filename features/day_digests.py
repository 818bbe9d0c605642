"""Digests of a snapshot's days: which days of a table changed since another snapshot."""

from collections.abc import Iterable
from pathlib import Path

import duckdb

from features.contracts import TABLES
from features.snapshot import parquet_files

_FILE = "days.parquet"
_DAILY = ("orders", "events")
"""Tables whose rows carry their local day."""


def write_day_digests(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: Iterable[str]
) -> None:
    """Write `days.parquet` beside the tables of the snapshot in `folder`.

    One row per table and local day: a sum of row hashes over the columns that never change
    once the row is there, so neither row order nor a refund made later shows. A table without
    a row a day has no digests.
    """
    daily = [name for name in tables if name in _DAILY]
    queries = [_digests(connection, folder, name) for name in daily]
    empty = "SELECT '' AS name, 0 AS day, '' AS digest WHERE FALSE"
    rows = "\nUNION ALL\n".join([empty, *queries])
    connection.execute(
        f"COPY (SELECT * FROM ({rows}) d ORDER BY name, day) "
        f"TO {_text(folder / _FILE)} (FORMAT parquet)"
    )


def day_digests(folder: Path, table: str) -> dict[int, str] | None:
    """Local day number to digest, for each day of `table` with rows.

    None where the snapshot keeps none for that table.
    """
    if table not in _DAILY or not (folder / _FILE).is_file():
        return None
    query = f"SELECT day, digest FROM {_text(folder / _FILE)} WHERE name = ?"
    with duckdb.connect() as connection:
        return dict(connection.execute(query, [table]).fetchall())


def first_changed_day(before: dict[int, str], now: dict[int, str]) -> int | None:
    """The first day whose rows are not what they were; None when every day is the same."""
    return min((day for day, _ in before.items() ^ now.items()), default=None)


def _digests(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> str:
    file = _text(parquet_files(folder / f"{name}.parquet"))
    found = connection.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()
    late = TABLES[name].known_at  # type: ignore[index]
    columns = [_quoted(row[0]) for row in found if row[0] not in late]
    return (
        f"SELECT '{name}' AS name, CAST(day AS INTEGER) AS day, "
        f"concat(count(*), ' ', sum(hash({', '.join(columns)}))) AS digest "
        f"FROM {file} GROUP BY day"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"
