"""What Spark's workers do when sources are read: the same SQL as ever, each on its own part."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from features.config import PipelineConfig, TableName
from features.contracts import TABLES
from features.forgotten import Forgotten
from features.ingest.normalise import literal, quoted
from features.ingest.staging import Staged, admit, typed_rows
from features.sources.source import RawTable, open_source
from features.versions import rows_as_of

Batches = Iterator[pa.RecordBatch]

TABLE_ROW = "~row"
"""Column that numbers the rows of a Spark table."""

_ROWS = 20_000
# A worker process spills beyond this; there is one for each of the executor's cores.
_MEMORY = "1GB"


@dataclass(frozen=True)
class Kept:
    """Accepted rows on shared storage: where, and the relation that they make."""

    table: TableName
    relation: str
    folder: Path


@dataclass(frozen=True)
class Reading:
    """What a worker must know to read and type its part of a table's source."""

    table: TableName
    config: PipelineConfig
    now: datetime
    forgotten: Forgotten
    columns: tuple[str, ...]
    """Those of the whole source; a file that lacks one has it empty."""
    typed: frozenset[str] | None
    """Columns of the whole source that are not text; None when the part itself says so."""
    target: Kept | None
    """The table through which customers are looked up."""


@dataclass(frozen=True)
class Admission:
    """What a worker must know to judge typed rows beside each other."""

    staged: Staged
    zone: str
    believable: int | None
    """See `features.ingest.staging.last_believable`."""


def read_files(reading: Reading) -> Callable[[Batches], Batches]:
    """For rows of one column that names a file ('' for a database): `staged_rows` of each file."""

    def read(batches: Batches) -> Batches:
        for batch in batches:
            for file in batch.column(0).to_pylist():
                source = reading.config.sources[reading.table]
                part = source.model_copy(update={"path": file or None})
                with _database() as (connection, scratch):
                    raw = open_source(connection, reading.table, part, scratch)
                    yield from _typed(connection, reading, raw)

    return read


def read_table(reading: Reading, name: str) -> Callable[[Batches], Batches]:
    """For rows of the Spark table `name`, numbered by TABLE_ROW: their `staged_rows`."""

    def read(batches: Batches) -> Batches:
        with _database() as (connection, _):
            if _hold(connection, "arrived", batches):
                yield from _typed(connection, reading, _raw_of(connection, reading, name))

    return read


def admit_rows(admission: Admission) -> Callable[[Batches], Batches]:
    """For `staged_rows` that belong together: their `admitted_rows`."""
    staged = admission.staged

    def admitted(batches: Batches) -> Batches:
        with _database() as (connection, _):
            if not _hold(connection, "arrived", batches):
                return
            _unpack(connection, "staged", staged.relation)
            # Only a log of changes compares rows as they were written.
            if staged.source.trail:
                _unpack(connection, "raw", staged.raw.relation)
            admit(connection, staged, admission.zone, admission.believable)
            yield from _batches(connection, admitted_rows(staged))

    return admitted


def staged_rows(staged: Staged) -> str:
    """SQL for every row of a source as one of (staged, raw) or broken, each a struct."""
    raw = staged.raw
    cells = ", ".join(["source_file", "source_row", *map(quoted, raw.columns)])
    return (
        f'SELECT "~s" AS staged, "~r" AS raw, NULL AS broken FROM {staged.relation} AS "~s" '
        f'JOIN (SELECT {cells} FROM {raw.relation}) AS "~r" '
        'ON "~s".source_file = "~r".source_file AND "~s".source_row = "~r".source_row '
        f'UNION ALL SELECT NULL, NULL, "~b" FROM {raw.broken} AS "~b"'
    )


def admitted_rows(staged: Staged) -> str:
    """SQL for the rows to keep and for those rejected beside others (`late`), each a struct."""
    return (
        f'SELECT "~k" AS kept, NULL AS late FROM {staged.kept} AS "~k" UNION ALL SELECT NULL, '
        "{'source_file': source_file, 'source_row': source_row, 'verdict': verdict} "
        f"FROM {staged.relation} WHERE verdict IS NOT NULL"
    )


def show_kept(connection: duckdb.DuckDBPyConnection, kept: Kept) -> None:
    """Show accepted rows on shared storage under their table's name."""
    files = literal(str(kept.folder / "*.parquet"))
    connection.execute(
        f"CREATE OR REPLACE VIEW {kept.relation} AS "
        f"SELECT unnest(kept) FROM read_parquet({files}) WHERE kept IS NOT NULL"
    )
    if kept.relation != kept.table:
        connection.execute(f"CREATE OR REPLACE VIEW {kept.table} AS {rows_as_of(kept.table, None)}")


@contextmanager
def _database() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A worker's own database, on its own disk, gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="setia-") as folder,
        duckdb.connect(str(Path(folder) / "part.duckdb")) as connection,
    ):
        connection.execute(f"SET TimeZone = 'UTC'; SET threads = 1; SET memory_limit = '{_MEMORY}'")
        yield connection, Path(folder)


def _hold(connection: duckdb.DuckDBPyConnection, name: str, batches: Batches) -> bool:
    """Put `batches` into the table `name`; False when there is none."""
    first = next(batches, None)
    if first is None:
        return False

    def every() -> Batches:
        yield first
        yield from batches

    connection.register("arriving", pa.RecordBatchReader.from_batches(first.schema, every()))
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")
    connection.unregister("arriving")
    return True


def _unpack(connection: duckdb.DuckDBPyConnection, kind: str, relation: str) -> None:
    connection.execute(f"CREATE TABLE {relation} AS SELECT unnest({kind}) FROM arrived")


def _raw_of(connection: duckdb.DuckDBPyConnection, reading: Reading, name: str) -> RawTable:
    """The rows of a Spark table as `open_source` shows those of any other source."""
    relation, broken = f"raw_{reading.table}", f"broken_{reading.table}"
    cells = ", ".join(f"CAST({quoted(c)} AS VARCHAR) AS {quoted(c)}" for c in reading.columns)
    connection.execute(
        f"CREATE VIEW {relation} AS SELECT {literal(name)} AS source_file, "
        f"{quoted(TABLE_ROW)} AS source_row, {cells} FROM arrived"
    )
    connection.execute(broken_table(broken))
    return RawTable(relation, reading.columns, reading.typed or frozenset(), broken)


def broken_table(name: str) -> str:
    """SQL that makes the empty relation of lines that do not parse."""
    return (
        f"CREATE OR REPLACE TABLE {name} "
        "(source_file VARCHAR, source_row BIGINT, problem VARCHAR, line VARCHAR)"
    )


def _typed(connection: duckdb.DuckDBPyConnection, reading: Reading, raw: RawTable) -> Batches:
    if reading.target:
        show_kept(connection, reading.target)
    whole = _whole(connection, reading, raw)
    table, config = TABLES[reading.table], reading.config
    staged = typed_rows(connection, table, whole, config, reading.now, reading.forgotten)
    yield from _batches(connection, staged_rows(staged))


def _whole(connection: duckdb.DuckDBPyConnection, reading: Reading, raw: RawTable) -> RawTable:
    """`raw` with every column of the whole source, in its order."""
    held = {name.lower() for name in raw.columns}
    cells = [
        quoted(name) if name.lower() in held else f"CAST(NULL AS VARCHAR) AS {quoted(name)}"
        for name in reading.columns
    ]
    relation = f"whole_{reading.table}"
    connection.execute(
        f"CREATE VIEW {relation} AS SELECT source_file, source_row, {', '.join(cells)} "
        f"FROM {raw.relation}"
    )
    typed = raw.typed if reading.typed is None else reading.typed
    return RawTable(relation, reading.columns, typed, raw.broken)


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Batches:
    yield from connection.execute(query).to_arrow_reader(_ROWS)
