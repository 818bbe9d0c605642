"""Each customer's rows as the last scoring run knew them, read by id in well under a millisecond.

Batch writes the file beside the scores and renames it into place; the service only reads it.
"""

import os
import sqlite3
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from features.contracts import TABLES
from features.forgotten import NOBODY, Forgotten
from features.ingest.normalise import literal
from features.versions import KNOWN_FROM, KNOWN_UNTIL, versions_of

if TYPE_CHECKING:
    from features.snapshot import Manifest, Snapshot

FILE = "history.db"

Row = dict[str, Any]
Rows = dict[str, list[Row]]

_SCHEMA = """
CREATE TABLE about (data_until TEXT NOT NULL);
CREATE TABLE customers (customer_id TEXT PRIMARY KEY, rows BLOB NOT NULL) WITHOUT ROWID;
"""
_AT_ONCE = 20_000
"""Customers whose rows are gathered together, which bounds the memory."""
_TIMES = frozenset(name for table in TABLES.values() for name in table.times) | {
    KNOWN_FROM,
    KNOWN_UNTIL,
}


def write_history(path: Path, snapshot: "Snapshot", forgotten: Forgotten = NOBODY) -> None:
    """Write every customer's rows of `snapshot`, which is open on DuckDB, to `path`.

    Those who are `forgotten` are left out.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    fresh = Path(name)
    try:
        with closing(sqlite3.connect(fresh)) as connection, connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.executescript(_SCHEMA)
            connection.execute(
                "INSERT INTO about VALUES (?)", (last_fact(snapshot.manifest).isoformat(),)
            )
            packed = (row for row in _packed(snapshot) if row[0] not in forgotten)
            connection.executemany("INSERT INTO customers VALUES (?, ?)", packed)
        fresh.chmod(0o600)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def last_fact(manifest: "Manifest") -> datetime:
    """The time of the last fact of all."""
    tables = manifest.tables.values()
    return max((table.last for table in tables if table.last), default=manifest.first)


def _packed(snapshot: "Snapshot") -> Iterator[tuple[str, bytes]]:
    """Customer and compressed JSON: canonical table to rows."""
    relations = {
        name: versions_of(name) if entry.is_versioned else name
        for name, entry in snapshot.manifest.tables.items()
        if name != "contacts"
    }
    connection = snapshot.connection.cursor()
    every = " UNION ALL ".join(f"SELECT customer_id FROM {name}" for name in relations.values())
    distinct = f"SELECT DISTINCT customer_id FROM ({every}) seen ORDER BY customer_id"
    ids = connection.execute(distinct).fetchall()
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        # Files are sorted by customer, so that a range reads only its part of them.
        within = f"customer_id BETWEEN {literal(some[0][0])} AND {literal(some[-1][0])}"
        for customer_id, text in connection.execute(_rows_query(relations, within)).fetchall():
            yield customer_id, zlib.compress(text.encode(), 1)


def _rows_query(relations: Mapping[str, str], within: str) -> str:
    """SQL for customers and a JSON object each: table to rows, in one order whatever the engine."""
    parts = [
        f"""SELECT customer_id, '"{name}":[' || string_agg(row, ',' ORDER BY row) || ']' AS part """
        f"FROM (SELECT customer_id, CAST(to_json({relation}) AS VARCHAR) AS row "
        f"FROM {relation} WHERE {within}) GROUP BY customer_id"
        for name, relation in relations.items()
    ]
    return (
        "SELECT customer_id, '{' || string_agg(part, ',' ORDER BY part) || '}' "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY customer_id ORDER BY customer_id"
    )


class History:
    """The customers' rows, opened for reading; whole even after a newer file takes its place.

    `close()` closes the file, as does the end of the last request that uses it.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`; sqlite3.Error when it is no such file."""
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self.close = weakref.finalize(self, self._connection.close)
        (until,) = self._connection.execute("SELECT data_until FROM about").fetchone()
        self.data_until = datetime.fromisoformat(until)
        """The time of the last fact that the rows know of."""

    def rows(self, customer_id: str) -> Rows:
        """Canonical table to the customer's rows; empty for one that the run did not know."""
        query = "SELECT rows FROM customers WHERE customer_id = ?"
        found = self._connection.execute(query, (customer_id,)).fetchone()
        return unpacked(orjson.loads(zlib.decompress(found[0]))) if found else {}


def unpacked(tables: Mapping[str, Sequence[Row]]) -> Rows:
    """Rows as JSON holds them, with their times as instants again."""
    return {name: [_timed(row) for row in rows] for name, rows in tables.items()}


def _timed(row: Row) -> Row:
    return {
        name: datetime.fromisoformat(value) if name in _TIMES and value is not None else value
        for name, value in row.items()
    }
