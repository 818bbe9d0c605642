"""Source files and database tables, read as text into DuckDB."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from features.config import SourceConfig, TableName
from features.sources.csv_files import CsvError, csv_records, detect, load_csv
from features.sources.database_tables import DatabaseError, database_batches
from features.sources.parquet_files import count_parquet, is_parquet, view_parquet


class SourceError(ValueError):
    """A source that cannot be read; the message names it and what to change."""


@dataclass(frozen=True)
class Sample:
    """The first rows of a source as text, for guessing what its columns mean."""

    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]
    delimiter: str | None
    encoding: str | None
    total_rows: int | None
    """Rows of the whole source where that is known without reading it."""


@dataclass(frozen=True)
class RawTable:
    """A source on a connection: VARCHAR columns, plus `source_file` and `source_row`.

    `source_row` counts the records of a file from 1, a CSV's header being record 1.
    """

    relation: str
    columns: tuple[str, ...]
    typed: frozenset[str]
    """Columns that were not text in the source: decimal and date settings do not apply."""
    broken: str
    """Relation of lines that do not parse: source_file, source_row, problem, line."""


def sample_source(source: SourceConfig, rows: int = 5000) -> Sample:
    """Read the first `rows` rows of `source` as text.

    Raises SourceError when it cannot be read.
    """
    try:
        if source.url:
            return _sample_database(source, rows)
        files = source_files(source)
        if is_parquet(files[0]):
            return _sample_parquet(files, rows)
        return _sample_csv(source, files, rows)
    except (CsvError, DatabaseError) as error:
        raise SourceError(str(error)) from None
    except duckdb.Error as error:
        raise SourceError(f"{source.path} cannot be read: {_first_line(error)}") from None


def open_source(
    connection: duckdb.DuckDBPyConnection, table: TableName, source: SourceConfig, scratch: Path
) -> RawTable:
    """Bring `source` onto `connection` as `raw_<table>` and `broken_<table>`, all of it as text.

    Parquet stays where it is, behind a view; CSV files and database tables are copied into the
    connection's database, by way of `scratch` where a file has to be rewritten first.

    Raises SourceError, naming the table, when it cannot be read.
    """
    relation, broken = f"raw_{table}", f"broken_{table}"
    connection.execute(
        f"CREATE OR REPLACE TABLE {broken} "
        "(source_file VARCHAR, source_row BIGINT, problem VARCHAR, line VARCHAR)"
    )
    try:
        if source.url:
            columns, typed = _load_database(connection, table, source)
        else:
            columns, typed = _load_files(connection, table, source, scratch)
    except (CsvError, DatabaseError, SourceError) as error:
        raise SourceError(f"{table}: {error}") from None
    except duckdb.Error as error:
        raise SourceError(f"{table}: {source.path} cannot be read: {_first_line(error)}") from None
    return RawTable(relation, columns, typed, broken)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def source_files(source: SourceConfig) -> list[Path]:
    """The files that `source.path` names: one file, what a glob matches, or a folder's files.

    Raises SourceError when there are none, or when neither path nor url and table are given.
    """
    if not source.path:
        raise SourceError("no path, and no url with a table: say where the data is")
    path = Path(source.path)
    if path.is_file():
        return [path]
    found = _folder_files(path) if path.is_dir() else _matching(path)
    if found:
        return found
    raise SourceError(_nothing_at(path))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _folder_files(folder: Path) -> list[Path]:
    for patterns in (("*.parquet", "*.pq"), ("*.csv", "*.csv.gz", "*.tsv", "*.txt", "*.txt.gz")):
        found = sorted(file for pattern in patterns for file in folder.rglob(pattern))
        if found:
            return found
    return []


def _matching(path: Path) -> list[Path]:
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), None)
    if wild is None:
        return []
    root = Path(*parts[:wild]) if wild else Path()
    return sorted(file for file in root.glob(str(Path(*parts[wild:]))) if file.is_file())


def _nothing_at(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a folder without CSV or Parquet files"
    if set(str(path)) & set("*?["):
        return f"no file matches {path}"
    return f"{path} does not exist; correct the path (in pipeline.yaml it starts at its folder)"


def _load_files(
    connection: duckdb.DuckDBPyConnection, table: TableName, source: SourceConfig, scratch: Path
) -> tuple[tuple[str, ...], frozenset[str]]:
    files = source_files(source)
    forms = {is_parquet(file) for file in files}
    if len(forms) > 1:
        raise SourceError(f"{source.path} mixes Parquet and CSV files; name one kind")
    if forms == {True}:
        kinds = view_parquet(connection, f"raw_{table}", files)
        return tuple(kinds), frozenset(name for name in kinds if kinds[name] != "VARCHAR")
    return _load_csv_files(connection, table, source, scratch), frozenset()


def _load_csv_files(
    connection: duckdb.DuckDBPyConnection, table: TableName, source: SourceConfig, scratch: Path
) -> tuple[str, ...]:
    columns: list[str] = []
    connection.execute(
        f"CREATE OR REPLACE TABLE raw_{table} (source_file VARCHAR, source_row BIGINT)"
    )
    for file in source_files(source):
        dialect = detect(file, source.delimiter, source.encoding)
        for name in dialect.columns:
            if name not in columns:
                columns.append(name)
                connection.execute(f"ALTER TABLE raw_{table} ADD COLUMN {_quoted(name)} VARCHAR")
        load_csv(connection, file, dialect, scratch)
        for target, loaded in ((f"raw_{table}", "csv_numbered"), (f"broken_{table}", "csv_broken")):
            connection.execute(
                f"INSERT INTO {target} BY NAME SELECT *, ? AS source_file FROM {loaded}",
                [str(file)],
            )
    return tuple(columns)


def _load_database(
    connection: duckdb.DuckDBPyConnection, table: TableName, source: SourceConfig
) -> tuple[tuple[str, ...], frozenset[str]]:
    rows = 0
    columns: tuple[str, ...] = ()
    typed: frozenset[str] = frozenset()
    for batch in database_batches(str(source.url), _table_name(source)):
        connection.register("batch", batch.rows)
        into = "INSERT INTO" if columns else "CREATE OR REPLACE TABLE"
        connection.execute(
            f"{into} raw_{table} {'' if columns else 'AS'} SELECT $table AS source_file, "
            "CAST($rows + row_number() OVER () AS BIGINT) AS source_row, * FROM batch",
            {"table": source.table, "rows": rows},
        )
        columns, typed = tuple(batch.rows.column_names), typed | batch.typed
        rows += batch.rows.num_rows
    connection.unregister("batch")
    return columns, typed


def _table_name(source: SourceConfig) -> str:
    if not source.table:
        raise SourceError("url is given without table; name the table or view to read")
    return source.table


def _sample_csv(source: SourceConfig, files: Sequence[Path], rows: int) -> Sample:
    dialect = detect(files[0], source.delimiter, source.encoding)
    width = len(dialect.columns)
    sampled = list(islice(csv_records(files[0], dialect), rows + 1))
    whole = len(sampled) <= rows and len(files) == 1
    fields = [
        tuple(value if value else None for value in (*record, *[""] * width)[:width])
        for record in sampled[:rows]
    ]
    total = len(sampled) if whole else None
    return Sample(dialect.columns, fields, dialect.delimiter, dialect.encoding, total)


def _sample_parquet(files: Sequence[Path], rows: int) -> Sample:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = tuple(view_parquet(connection, "sampled", files))
        fields = connection.execute(
            f"SELECT * EXCLUDE (source_file, source_row) FROM sampled LIMIT {rows}"
        ).fetchall()
    return Sample(columns, fields, None, None, count_parquet(files))


def _sample_database(source: SourceConfig, rows: int) -> Sample:
    with closing(database_batches(str(source.url), _table_name(source), rows)) as batches:
        batch = next(batches)
    fields = list(zip(*(column.to_pylist() for column in batch.rows.columns), strict=True))
    total = len(fields) if len(fields) < rows else None
    return Sample(tuple(batch.rows.column_names), fields, None, None, total)
