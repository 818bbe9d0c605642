"""Tables of SQLite and PostgreSQL databases, read in batches as text."""

import difflib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

_BATCH = 20_000
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class DatabaseError(ValueError):
    """A database table that cannot be read; the message names it, never a password."""


@dataclass(frozen=True)
class Batch:
    """Some rows of a database table, as strings."""

    rows: pa.Table
    typed: frozenset[str]
    """Columns that hold anything but text in the database."""


def database_batches(url: str, table: str, batch: int = _BATCH) -> Generator[Batch]:
    """The rows of `table`, or of a view, in batches of at most `batch` rows; at least one batch.

    Raises DatabaseError when the database or table cannot be reached.
    """
    address = _address(url)
    with _connected(address) as connection:
        _require_table(connection, address, table)
        quote = connection.dialect.identifier_preparer.quote
        name = ".".join(quote(part) for part in table.split("."))
        streaming = connection.execution_options(stream_results=True, max_row_buffer=batch)
        with streaming.execute(text(f"SELECT * FROM {name}")) as result:
            names = list(result.keys())
            partitions = result.partitions(batch)
            yield _batch(names, next(partitions, []))
            for rows in partitions:
                yield _batch(names, rows)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise DatabaseError(
            "the database URL cannot be read; write sqlite:///file.db or "
            "postgresql://user:${PASSWORD}@host/database"
        ) from None
    address = address.set(drivername=_DRIVERS.get(address.drivername, address.drivername))
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise DatabaseError(f"{address.database} does not exist; correct the SQLite url")
    return address


@contextmanager
def _connected(address: URL) -> Iterator[Connection]:
    shown = address.render_as_string(hide_password=True)
    try:
        engine = create_engine(address)
    except (SQLAlchemyError, ImportError) as error:
        raise DatabaseError(f"{shown}: {error}; use sqlite:/// or postgresql://") from None
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DatabaseError(f"{shown} cannot be read: {reason}") from None
    finally:
        engine.dispose()


def _require_table(connection: Connection, address: URL, table: str) -> None:
    schema, _, name = table.rpartition(".")
    inspector = inspect(connection)
    present = [
        *inspector.get_table_names(schema or None),
        *inspector.get_view_names(schema or None),
    ]
    if name in present:
        return
    shown = address.render_as_string(hide_password=True)
    close = difflib.get_close_matches(name, present, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"tables: {', '.join(sorted(present)[:20])}"
    raise DatabaseError(f"{shown} has no table {table!r}; {hint}")


def _batch(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Batch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    typed = frozenset(
        name
        for name, values in zip(names, columns, strict=True)
        if any(value is not None and not isinstance(value, str) for value in values)
    )
    arrays = [pa.array([_text(value) for value in values], pa.string()) for values in columns]
    return Batch(pa.table(arrays, names=list(names)), typed)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)
