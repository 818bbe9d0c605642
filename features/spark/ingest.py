"""Ingest on Spark: workers read and judge the rows, Spark brings together and sorts them."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from features.config import PipelineConfig, SourceConfig, TableName
from features.contracts import TABLES, ContractError
from features.forgotten import Forgotten
from features.ingest.mapping import lookup_target
from features.ingest.normalise import literal, quoted
from features.ingest.staging import Staged, admit, last_believable, typed_rows
from features.sources.csv_files import CsvError, detect
from features.sources.parquet_files import is_parquet, view_parquet
from features.sources.source import RawTable, SourceError, sample_source, source_files
from features.spark.pieces import (
    TABLE_ROW,
    Admission,
    Batches,
    Kept,
    Reading,
    admit_rows,
    admitted_rows,
    broken_table,
    read_files,
    read_table,
    show_kept,
    staged_rows,
)
from features.spark.session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_OURS = re.compile(r"^(?:[\w.]+\.)?(SourceError|ContractError|CsvError): (.*)", re.MULTILINE)


@dataclass(frozen=True)
class SparkIngest:
    """Stages tables on Spark and shows them to `connection`, which counts and reports."""

    session: "SparkSession"
    connection: duckdb.DuckDBPyConnection
    config: PipelineConfig
    scratch: Path
    """A folder that every worker sees under the same path."""
    now: datetime
    forgotten: Forgotten
    kept: dict[TableName, Kept] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        connection: duckdb.DuckDBPyConnection,
        config: PipelineConfig,
        scratch: Path,
        now: datetime,
        forgotten: Forgotten,
    ) -> "SparkIngest":
        """Ingest on the configured Spark. Raises SparkUnavailable where there is none."""
        session = spark_session(config.spark)
        return cls(session, connection, config, scratch.resolve(), now, forgotten)

    def stage(self, name: TableName) -> Staged:
        """Read and judge a table; what `features.ingest.staging.stage` shows, `connection` shows.

        Raises SourceError when the source cannot be read, ContractError when it does not fit.
        """
        columns, typed = self._columns(name)
        staged = self._empty(name, columns, typed or frozenset())
        target = lookup_target(self.config.sources[name])
        reading = Reading(
            name,
            self.config,
            self.now,
            self.forgotten,
            columns,
            typed,
            self.kept[target] if target else None,
        )
        self._read(reading, staged)
        believable = last_believable(self.connection, staged)
        self._admit(Admission(staged, self.config.timezone, believable))
        return staged

    def write(
        self,
        _: duckdb.DuckDBPyConnection,
        staged: Staged,
        order: Sequence[str],
        file: Path,
    ) -> None:
        """Write the kept rows of `staged` as the folder `file`, sorted through its parts."""
        from pyspark.sql.functions import expr

        rows = self._parquet(self._folder("admitted", staged.table.name))
        rows = rows.where("kept IS NOT NULL").select("kept.*")
        _write(rows.orderBy(*(expr(each).asc_nulls_last() for each in order)), file)

    def _columns(self, name: TableName) -> tuple[tuple[str, ...], frozenset[str] | None]:
        """The columns of a table's source, and which are not text (None: known when read)."""
        source = self.config.sources[name]
        if _is_spark_table(source):
            kinds = dict(self.session.table(str(source.table)).dtypes)
            return tuple(kinds), frozenset(each for each in kinds if kinds[each] != "string")
        if source.url:
            return sample_source(source, 1).columns, None
        files = source_files(source)
        if len({is_parquet(file) for file in files}) > 1:
            raise SourceError(f"{name}: {source.path} mixes Parquet and CSV files; name one kind")
        if is_parquet(files[0]):
            kinds = view_parquet(self.connection, f"footers_{name}", files)
            return tuple(kinds), frozenset(each for each in kinds if kinds[each] != "VARCHAR")
        return self._headers(name, files, source), frozenset()

    def _headers(
        self, name: TableName, files: Sequence[Path], source: SourceConfig
    ) -> tuple[str, ...]:
        """The columns of all CSV files; finding an encoding means reading, so workers do it."""
        delimiter, encoding = source.delimiter, source.encoding

        def header(file: str) -> tuple[str, ...]:
            try:
                return detect(Path(file), delimiter, encoding).columns
            except CsvError as error:
                raise SourceError(f"{name}: {error}") from None

        listed = [str(file.resolve()) for file in files]
        with _said_here():
            found = self.session.sparkContext.parallelize(listed, len(listed)).map(header).collect()
        return tuple(dict.fromkeys(column for columns in found for column in columns))

    def _empty(self, name: TableName, columns: Sequence[str], typed: frozenset[str]) -> Staged:
        """The table staged from no rows at all: its relations as they will be."""
        cells = "".join(f", {quoted(column)} VARCHAR" for column in columns)
        self.connection.execute(
            f"CREATE TABLE raw_{name} (source_file VARCHAR, source_row BIGINT{cells})"
        )
        self.connection.execute(broken_table(f"broken_{name}"))
        raw = RawTable(f"raw_{name}", tuple(columns), typed, f"broken_{name}")
        table, config = TABLES[name], self.config
        staged = typed_rows(self.connection, table, raw, config, self.now, self.forgotten)
        admit(self.connection, staged, self.config.timezone, None)
        return staged

    def _read(self, reading: Reading, staged: Staged) -> None:
        """Let workers read the source; its rows then stand behind the relations of `staged`."""
        schema = self._schema(staged_rows(staged))
        folder = self._folder("read", reading.table)
        source = self.config.sources[reading.table]
        with _said_here():
            _write(self._parts(source).mapInArrow(self._reader(reading, source), schema), folder)
        files = _files(folder)
        for kind, relation in (
            ("staged", staged.relation),
            ("raw", staged.raw.relation),
            ("broken", staged.raw.broken),
        ):
            self._show(relation, f"SELECT unnest({kind}) FROM {files} WHERE {kind} IS NOT NULL")

    def _reader(self, reading: Reading, source: SourceConfig) -> Callable[[Batches], Batches]:
        if _is_spark_table(source):
            return read_table(reading, str(source.table))
        return read_files(reading)

    def _parts(self, source: SourceConfig) -> "DataFrame":
        """What is dealt to the workers: rows of a Spark table, else files, a database being one."""
        from pyspark.sql.functions import expr

        if _is_spark_table(source):
            number = expr("monotonically_increasing_id() + 1").alias(TABLE_ROW)
            return self.session.table(str(source.table)).select("*", number)
        files = [""] if source.url else [str(file) for file in source_files(source)]
        listed = self.session.sparkContext.parallelize([(file,) for file in files], len(files))
        return self.session.createDataFrame(listed, "file STRING")

    def _admit(self, admission: Admission) -> None:
        """Let workers judge rows that belong together; the verdicts join those of `staged`."""
        from pyspark.sql.functions import col

        staged = admission.staged
        name = staged.table.name
        schema = self._schema(admitted_rows(staged))
        rows = self._parquet(self._folder("read", name)).where(
            "staged IS NOT NULL AND staged.verdict IS NULL"
        )
        rows = rows.select("staged", "raw") if staged.source.trail else rows.select("staged")
        unique = [column for column in staged.table.unique or () if column in staged.mapped]
        together = ["ticket_id"] if staged.source.trail else unique
        if together:
            rows = rows.repartition(*(col(f"staged.{column}") for column in together))
        folder = self._folder("admitted", name)
        with _said_here():
            _write(rows.mapInArrow(admit_rows(admission), schema), folder)
        self.kept[name] = Kept(name, staged.kept, folder)
        self._drop(staged.kept)
        show_kept(self.connection, self.kept[name])
        self._show(
            staged.relation,
            f"SELECT seen.* REPLACE (coalesce(seen.verdict, beside.verdict) AS verdict) FROM "
            f"(SELECT unnest(staged) FROM {_files(self._folder('read', name))} "
            "WHERE staged IS NOT NULL) seen LEFT JOIN "
            f"(SELECT unnest(late) FROM {_files(folder)} WHERE late IS NOT NULL) beside "
            "ON seen.source_file = beside.source_file AND seen.source_row = beside.source_row",
        )

    def _show(self, relation: str, query: str) -> None:
        self._drop(relation)
        self.connection.execute(f"CREATE VIEW {relation} AS {query}")

    def _drop(self, relation: str) -> None:
        found = self.connection.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = ?", [relation]
        ).fetchone()
        if found:
            kind = "VIEW" if found[0] == "VIEW" else "TABLE"
            self.connection.execute(f"DROP {kind} {relation}")

    def _schema(self, query: str) -> "StructType":
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(self.connection.execute(query).to_arrow_table().schema)

    def _folder(self, step: str, name: TableName) -> Path:
        return self.scratch / step / name

    def _parquet(self, folder: Path) -> "DataFrame":
        return self.session.read.parquet(folder.as_uri())


def _is_spark_table(source: SourceConfig) -> bool:
    return source.table is not None and source.url is None and source.path is None


def _files(folder: Path) -> str:
    return f"read_parquet({literal(str(folder / '*.parquet'))})"


def _write(rows: "DataFrame", folder: Path) -> None:
    rows.write.option("compression", "zstd").parquet(folder.resolve().as_uri())


@contextmanager
def _said_here() -> Iterator[None]:
    """What a worker raised of ours, raised here without Spark's account of it."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = _OURS.search(str(error))
        if found is None:
            raise
        kind = ContractError if found[1] == "ContractError" else SourceError
        raise kind(found[2]) from None
