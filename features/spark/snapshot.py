"""A snapshot opened on Spark: the same files behind the same names."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from features.config import SparkConfig
from features.snapshot import Snapshot, read_manifest
from features.spark.connection import SparkConnection, spoken
from features.spark.session import spark_session
from features.versions import rows_as_of, versions_of

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession


def open_on_spark(folder: Path, settings: SparkConfig) -> Snapshot:
    """Open the snapshot in `folder` with a Spark view for each table.

    The files must lie where every worker reads them under the same path. Raises SnapshotError
    when there is no snapshot, SparkUnavailable when there is no Spark.
    """
    manifest = read_manifest(folder)
    session = spark_session(settings)
    define_functions(session, manifest.timezone)
    tables = {}
    for name, entry in manifest.tables.items():
        relation = versions_of(name) if entry.is_versioned else name
        tables[relation] = session.read.parquet((folder / f"{name}.parquet").resolve().as_uri())
        if relation != name:
            tables[relation].createOrReplaceTempView(relation)
            tables[name] = session.sql(spoken(rows_as_of(name, None)))
    connection = SparkConnection(session, tables)
    # Readers call the methods that both have; `spark_behind` tells them apart where it matters.
    return Snapshot(cast("duckdb.DuckDBPyConnection", connection), folder, manifest)


def spark_behind(snapshot: Snapshot) -> SparkConnection | None:
    """A connection of its own to the Spark on which `snapshot` was opened; None on DuckDB."""
    connection: object = snapshot.connection
    return connection.cursor() if isinstance(connection, SparkConnection) else None


def define_functions(session: "SparkSession", timezone: str) -> None:
    """Define the functions that our SQL calls and that no two engines call alike."""
    for function in (
        "epoch_seconds(t TIMESTAMP) RETURNS BIGINT RETURN unix_seconds(t)",
        "local_day(t TIMESTAMP) RETURNS INT RETURN "
        f"datediff(CAST(from_utc_timestamp(t, '{timezone}') AS DATE), DATE '1970-01-01')",
    ):
        session.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {function}")
