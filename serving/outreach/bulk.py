"""Many rows for one table, made ready before the transaction that inserts them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert


@dataclass(frozen=True)
class ReadyRows:
    """Rows in the driver's own form: inserting them holds the database's turn only briefly."""

    statement: str
    rows: list[Any]

    def insert(self, connection: Connection) -> None:
        """Insert them all."""
        if self.rows:
            connection.exec_driver_sql(self.statement, self.rows)


def ready_rows(dialect: Dialect, table: Table, rows: Iterable[Mapping[str, Any]]) -> ReadyRows:
    """`rows`, each with every column of `table`, as an insert on `dialect` takes them.

    Converting values is three quarters of the work of inserting rows one table at a time.
    """
    names = table.columns.keys()
    compiled = insert(table).compile(dialect=dialect, column_keys=names)
    to_driver = [
        (column.name, column.type.dialect_impl(dialect).bind_processor(dialect) or _same)
        for column in table.columns
    ]
    if compiled.positional:
        ready: list[Any] = [
            tuple(convert(row[name]) for name, convert in to_driver) for row in rows
        ]
    else:
        ready = [{name: convert(row[name]) for name, convert in to_driver} for row in rows]
    return ReadyRows(str(compiled), ready)


def _same(value: Any) -> Any:
    return value
