"""The feature table: what was known about each customer at each cutoff."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from features.catalogue import ALL
from features.changing_facts import changing_apart, make_facts_as_of
from features.compile import QueryParts, company_numbers_of, company_query, query_parts, sources_of
from features.customers import attribute_features
from features.declare import Feature
from features.facts import provide_facts
from features.feature_contract import FeatureColumn, FeatureContract
from features.live.company import number_key
from features.snapshot import Snapshot, SnapshotError
from features.spark.snapshot import spark_behind
from features.spark.table import feature_table_on_spark
from features.spine import SPINE_SCHEMA, require_usable

Progress = Callable[[str, int, int], None]

ROWS_AT_ONCE = 50_000
"""Rows of the feature table per query: what bounds memory, whatever the number of customers."""


class TableError(ValueError):
    """A feature table cannot be written as asked; the message says what to change."""


def supported_features(snapshot: Snapshot) -> list[Feature]:
    """The catalogue's features whose contract columns the snapshot has, then its attributes."""
    tables = snapshot.manifest.tables
    mapped = {(name, column) for name, entry in tables.items() for column in entry.columns}
    chosen = [feature for feature in ALL if feature.source in tables and feature.needs <= mapped]
    attributes = tables["customers"].attributes if "customers" in tables else {}
    return chosen + (attribute_features(attributes) if attributes else [])


def catalogue_contract(snapshot: Snapshot) -> FeatureContract:
    """The contract of the snapshot's feature table, without categories filled in."""
    return FeatureContract(
        columns=tuple(
            FeatureColumn(name=feature.name, kind=feature.kind, definition=feature.definition)
            for feature in supported_features(snapshot)
        )
    )


def feature_table(
    snapshot: Snapshot, spine: pa.Table, progress: Progress | None = None
) -> pa.Table:
    """Every supported feature for each row of `spine` (customer_id, cutoff), in its order.

    Numbers are DOUBLE, categories text; null is a missing value, never NaN. The same snapshot
    and spine give the same bits at every run. `progress` is told ("features", done, cutoffs).

    Raises CutoffError for a cutoff that is not the start of a local day or has no history,
    and SnapshotError when no feature's columns are mapped.
    """
    chosen = _chosen(snapshot, spine)
    if spark := spark_behind(snapshot):
        return feature_table_on_spark(spark, snapshot, chosen, spine, progress)
    places, parts = [], [_schema(chosen).empty_table()]
    for rows, values in _parts(snapshot, chosen, spine, progress):
        places.append(rows)
        parts.append(values)
    return _in_order(spine, pa.concat_tables(parts), places)


def feature_parts(
    snapshot: Snapshot, spine: pa.Table
) -> Iterator[tuple[npt.NDArray[np.int64], pa.Table]]:
    """`feature_table` part by part: places in `spine`, and the values there.

    Raises as `feature_table` does.
    """
    chosen = _chosen(snapshot, spine)
    if spark := spark_behind(snapshot):
        yield np.arange(len(spine)), feature_table_on_spark(spark, snapshot, chosen, spine, None)
        return
    for rows, values in _parts(snapshot, chosen, spine, None):
        yield rows.to_numpy().astype(np.int64), values
        del values  # Else it would stay beside the next part while that is made.


def write_features(
    snapshot: Snapshot, spine: pa.Table, path: Path, progress: Progress | None = None
) -> int:
    """Write the feature table to `path` (.csv or .parquet) part by part.

    Rows come cutoff by cutoff, in the spine's order within each; memory does not grow with
    their number. Returns the number of features; raises as `feature_table` does, and TableError
    for any other ending.
    """
    _require_ending(path)
    chosen = _chosen(snapshot, spine)
    if spark := spark_behind(snapshot):
        write_table(feature_table_on_spark(spark, snapshot, chosen, spine, progress), path)
        return len(chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([*SPINE_SCHEMA, *_schema(chosen)])
    kind = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
    with kind(path, schema) as writer:
        for rows, values in _parts(snapshot, chosen, spine, progress):
            writer.write_table(_named(spine.take(rows), values))
            del values  # Else it would stay beside the next part while that is made.
    return len(chosen)


def _chosen(snapshot: Snapshot, spine: pa.Table) -> list[Feature]:
    """The features to compute, once cutoffs and snapshot are found fit for it."""
    require_usable(snapshot, _cutoffs(spine))
    chosen = supported_features(snapshot)
    if not chosen:
        raise SnapshotError(
            "no feature can be computed from this snapshot; map more columns, or declare "
            "attributes of customers"
        )
    return chosen


def _cutoffs(spine: pa.Table) -> list[datetime]:
    return sorted(spine["cutoff"].unique().to_pylist())


def _parts(
    snapshot: Snapshot, chosen: Sequence[Feature], spine: pa.Table, progress: Progress | None
) -> Iterator[tuple[pa.Array, pa.Table]]:
    """Places in the spine and the feature values there, by cutoff and so many rows at a time."""
    connection = _connection(snapshot)
    changing, lasting = changing_apart(sources_of(chosen), snapshot)
    provide_facts(connection, snapshot, lasting, progress)
    cutoffs, schema = _cutoffs(spine), _schema(chosen)
    asked = [(cutoff, list(_batches(spine, cutoff))) for cutoff in cutoffs]
    done, total = 0, sum(len(batches) for _, batches in asked)
    for cutoff, batches in asked:
        make_facts_as_of(connection, snapshot, changing, cutoff)
        parts = query_parts(chosen, cutoff, snapshot.zone)
        company = [connection.execute(q).to_arrow_table() for q in parts.company.values()]
        with _one_thread(connection):
            for rows in batches:
                _tell(progress, done, total)
                customers = spine["customer_id"].take(rows)
                yield rows, _at(connection, parts, company, customers, schema)
                done += 1
    connection.close()
    _tell(progress, total, total)


@contextmanager
def _one_thread(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Queries on so few rows have little to share, and cost a quarter less on one thread."""
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute("RESET threads")


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress("features", done, total)


def _batches(spine: pa.Table, cutoff: datetime) -> Iterator[pa.Array]:
    rows = pc.indices_nonzero(pc.equal(spine["cutoff"], pa.scalar(cutoff, SPINE_SCHEMA[1].type)))
    return (rows.slice(start, ROWS_AT_ONCE) for start in range(0, len(rows), ROWS_AT_ONCE))


def company_numbers(snapshot: Snapshot, cutoff: datetime) -> dict[str, float | None]:
    """The numbers of the whole company as of `cutoff`, by key, that features draw on.

    Saved with the scores, they let a live request work out a customer's features from that
    customer's rows alone: see `features.live.customer`.
    """
    chosen = supported_features(snapshot)
    keys = [number_key(number) for number in company_numbers_of(chosen)]
    if not keys:
        return {}
    connection = _connection(snapshot)
    sources = sources_of(feature for feature in chosen if feature.company_relative)
    changing, lasting = changing_apart(sources, snapshot)
    provide_facts(connection, snapshot, lasting)
    make_facts_as_of(connection, snapshot, changing, cutoff)
    values = connection.execute(company_query(chosen, cutoff, snapshot.zone)).fetchone()
    connection.close()
    return dict(zip(keys, values or (), strict=True))


def _schema(chosen: Sequence[Feature]) -> pa.Schema:
    kinds = {"numeric": pa.float64(), "category": pa.string()}
    return pa.schema([(feature.name, kinds[feature.kind]) for feature in chosen])


def _connection(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """A connection of our own, so that facts made on it are seen by nobody else."""
    connection = snapshot.connection.cursor()
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO epoch_seconds(t) AS CAST(floor(epoch(t)) AS BIGINT)"
    )
    return connection


def _at(
    connection: duckdb.DuckDBPyConnection,
    parts: QueryParts,
    company: Sequence[pa.Table],
    customers: pa.ChunkedArray,
    schema: pa.Schema,
) -> pa.Table:
    """One row of features per customer, in the order given, under the names of `schema`."""
    places = pa.array(range(len(customers)), pa.int64())
    connection.register("given", pa.table({"place": places, "customer_id": customers}))
    connection.execute("CREATE OR REPLACE TEMP TABLE spine AS SELECT * FROM given")
    connection.unregister("given")
    connection.register("answers", _answers(connection, parts, company, places))
    query = f"SELECT place, {', '.join(parts.formulas)} FROM answers"
    values = connection.execute(query).to_arrow_table()
    connection.unregister("answers")
    ordered = values.take(pc.sort_indices(values["place"])).drop_columns("place")
    return ordered.rename_columns(schema.names).cast(schema)


def _answers(
    connection: duckdb.DuckDBPyConnection,
    parts: QueryParts,
    company: Sequence[pa.Table],
    places: pa.Array,
) -> pa.Table:
    """What the formulas combine: the numbers of each customer in `spine`, then the company's."""
    for name, query in parts.rows.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    answers = pa.table({"place": places})
    for query in parts.customers.values():
        found = connection.execute(query).to_arrow_table()
        answers = _beside(answers, found.combine_chunks())
    for numbers in company:
        for name in numbers.column_names:
            answers = answers.append_column(name, pa.repeat(numbers[name][0], len(places)))
    return answers


def _beside(answers: pa.Table, found: pa.Table) -> pa.Table:
    """The answers with those of one more query, null at places it says nothing of.

    The engine's own join of so many columns takes several times as long.
    """
    rows = pc.index_in(answers["place"], found["asked"])
    more = found.drop_columns("asked").take(rows)
    for name in more.column_names:
        answers = answers.append_column(name, more[name])
    return answers


def _in_order(spine: pa.Table, values: pa.Table, places: Sequence[pa.Array]) -> pa.Table:
    """Put the rows, computed cutoff by cutoff, back where the spine has them."""
    order = pa.concat_arrays([pa.array([], pa.uint64()), *places])
    # A copy of the whole table is spared where they are in that order already.
    if not order.equals(pa.array(np.arange(len(order), dtype=np.uint64))):
        values = values.take(pc.array_sort_indices(order))
    return _named(spine, values)


def _named(spine: pa.Table, values: pa.Table) -> pa.Table:
    """The spine's columns with the values beside them."""
    columns = [spine["customer_id"], spine["cutoff"], *values.columns]
    return pa.table(columns, names=[*SPINE_SCHEMA.names, *values.column_names])


def _require_ending(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise TableError(f"{path} ends in neither .csv nor .parquet; name it so")


def write_table(table: pa.Table, path: Path) -> None:
    """Write a feature table to `path`: CSV when it ends in .csv, Parquet when in .parquet.

    Raises TableError for any other ending.
    """
    _require_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
