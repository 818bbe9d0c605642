"""The feature table: what was known about each customer at each cutoff."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from features.catalogue import ALL
from features.compile import features_query, sources_of
from features.customers import attribute_features
from features.declare import Feature
from features.feature_contract import FeatureColumn, FeatureContract
from features.snapshot import Snapshot, SnapshotError
from features.spine import SPINE_SCHEMA, require_usable

Progress = Callable[[str, int, int], None]


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
    cutoffs: list[datetime] = sorted(set(spine["cutoff"].to_pylist()))
    require_usable(snapshot, cutoffs)
    chosen = supported_features(snapshot)
    if not chosen:
        raise SnapshotError(
            "no feature can be computed from this snapshot; map more columns, or declare "
            "attributes of customers"
        )
    connection = _facts(snapshot, chosen)
    places, parts = [], [_schema(chosen).empty_table()]
    for done, cutoff in enumerate(cutoffs):
        if progress:
            progress("features", done, len(cutoffs))
        rows = pc.indices_nonzero(
            pc.equal(spine["cutoff"], pa.scalar(cutoff, SPINE_SCHEMA[1].type))
        )
        places.append(rows)
        parts.append(_at(connection, chosen, spine["customer_id"].take(rows), cutoff, snapshot))
    connection.close()
    if progress:
        progress("features", len(cutoffs), len(cutoffs))
    return _in_order(spine, pa.concat_tables(parts), places)


def _schema(chosen: Sequence[Feature]) -> pa.Schema:
    kinds = {"numeric": pa.float64(), "category": pa.string()}
    return pa.schema([(feature.name, kinds[feature.kind]) for feature in chosen])


def _facts(snapshot: Snapshot, chosen: Sequence[Feature]) -> duckdb.DuckDBPyConnection:
    """A connection of our own that holds each source's facts, once for all cutoffs."""
    connection = snapshot.connection.cursor()
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO epoch_seconds(t) AS CAST(floor(epoch(t)) AS BIGINT)"
    )
    for source in sources_of(chosen):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE facts_{source.name} AS {source.facts}")
    return connection


def _at(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[Feature],
    customers: pa.ChunkedArray,
    cutoff: datetime,
    snapshot: Snapshot,
) -> pa.Table:
    order = pa.array(range(len(customers)), pa.int64())
    connection.register("asked", pa.table({"place": order, "customer_id": customers}))
    connection.execute("CREATE OR REPLACE TEMP TABLE spine AS SELECT * FROM asked")
    connection.unregister("asked")
    query = features_query(chosen, cutoff, snapshot.zone)
    values = connection.execute(query).to_arrow_table()
    return values.rename_columns([feature.name for feature in chosen]).cast(_schema(chosen))


def _in_order(spine: pa.Table, values: pa.Table, places: Sequence[pa.Array]) -> pa.Table:
    """Put the rows, computed cutoff by cutoff, back where the spine has them."""
    if places:
        values = values.take(pc.array_sort_indices(pa.concat_arrays(places)))
    named = spine.select(["customer_id", "cutoff"])
    for name in values.column_names:
        named = named.append_column(name, values[name])
    return named


def write_table(table: pa.Table, path: Path) -> None:
    """Write a feature table to `path`: CSV when it ends in .csv, Parquet when in .parquet.

    Raises TableError for any other ending.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise TableError(f"{path} ends in neither .csv nor .parquet; name it so")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
