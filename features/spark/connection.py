"""A Spark session behind the few methods of a DuckDB connection that readers of a snapshot call."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WORDS: tuple[tuple[str, str], ...] = (
    (r"\* EXCLUDE \(", "* EXCEPT ("),
    (r"\bTIMESTAMPTZ '", "TIMESTAMP '"),
    (r"\$([a-z_]+)\b", r":\1"),
)
"""Where Spark writes our statements otherwise than DuckDB does: pattern to replacement."""

_CREATE = re.compile(r"\s*CREATE (?:OR REPLACE )?TEMP (TABLE|VIEW) (\w+) AS (.*)", re.DOTALL)
# Both are said once, when the snapshot is opened.
_SAID = re.compile(r"\s*(SET |CREATE (OR REPLACE )?(TEMP )?MACRO )")


def spoken(statement: str) -> str:
    """`statement`, written for DuckDB, in Spark's words."""
    for pattern, replacement in WORDS:
        statement = re.sub(pattern, replacement, statement)
    return statement


class SparkConnection:
    """Runs our SQL on Spark and hands the result over as Arrow, as DuckDB's connection does.

    What a cursor creates is seen by all, but goes when the cursor is closed, and what it stood
    before comes back.
    """

    def __init__(self, session: "SparkSession", tables: Mapping[str, "DataFrame"]) -> None:
        """Speak to `session`, where `tables` are shown under their names."""
        self.session = session
        self._tables = tables
        self._own: dict[str, DataFrame] = {}
        self._frame: DataFrame | None = None
        for name, frame in tables.items():
            frame.createOrReplaceTempView(name)

    def cursor(self) -> "SparkConnection":
        """A connection of its own to the same session and tables."""
        return SparkConnection(self.session, self._tables)

    def execute(
        self, statement: str, parameters: list[Any] | dict[str, Any] | None = None
    ) -> "SparkConnection":
        """Run `statement`, with `?` or `$name` standing for the parameters.

        A query runs when its result is asked for; a table is kept, on disk where memory is
        short, from its first use.
        """
        if _SAID.match(statement):
            return self
        created = _CREATE.match(statement)
        query = created[3] if created else statement
        frame = self.session.sql(spoken(query), args=parameters or None)
        if not created:
            self._frame = frame
        else:
            self._show(created[2], frame.persist() if created[1] == "TABLE" else frame)
        return self

    def register(self, name: str, rows: pa.Table) -> None:
        """Show `rows` as the table `name`."""
        self._show(name, self.session.createDataFrame(rows))

    def unregister(self, name: str) -> None:
        """Forget the table `name`."""
        self._own.pop(name).unpersist()
        self._restore(name)

    def to_arrow_table(self) -> pa.Table:
        """The result of the last query."""
        table = self.frame.toArrow()
        # Spark knows of some columns that they hold no null, and says so in their type.
        return table.cast(pa.schema([field.with_nullable(True) for field in table.schema]))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the result of the last query."""
        return [tuple(row) for row in self.frame.collect()]

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row of the result of the last query, if it has one."""
        return next(iter(self.fetchall()), None)

    def close(self) -> None:
        """Forget what this connection created."""
        for name in list(self._own):
            self.unregister(name)

    @property
    def frame(self) -> "DataFrame":
        """The result of the last query, still on Spark."""
        if self._frame is None:
            raise RuntimeError("no query was run on this connection; execute one first")
        return self._frame

    def _show(self, name: str, frame: "DataFrame") -> None:
        if name in self._own:
            self._own[name].unpersist()
        self._own[name] = frame
        frame.createOrReplaceTempView(name)

    def _restore(self, name: str) -> None:
        if name in self._tables:
            self._tables[name].createOrReplaceTempView(name)
        else:
            self.session.catalog.dropTempView(name)
