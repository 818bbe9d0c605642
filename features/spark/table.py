"""The feature table on Spark: facts kept for all cutoffs, then one query for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.changing_facts import changing_apart, make_facts, make_facts_as_of
from features.compile import features_query, sources_of
from features.declare import Feature
from features.snapshot import Snapshot
from features.spark.connection import SparkConnection

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Progress = Callable[[str, int, int], None]


@contextmanager
def feature_frames(
    connection: SparkConnection, snapshot: Snapshot, chosen: Sequence[Feature]
) -> Iterator[Callable[[str, datetime], "DataFrame"]]:
    """Features for queries of customers: a function of (spine, cutoff), good until the end.

    `spine` is SQL for (place, customer_id); columns come back as those two, then f0, f1, …
    """
    changing, lasting = changing_apart(sources_of(chosen), snapshot)
    make_facts(connection, lasting)

    def frame_at(spine: str, cutoff: datetime) -> "DataFrame":
        connection.execute(f"CREATE OR REPLACE TEMP TABLE spine AS {spine}")
        make_facts_as_of(connection, snapshot, changing, cutoff)
        keys = ("place", "customer_id")
        return connection.execute(features_query(chosen, cutoff, snapshot.zone, keys)).frame

    try:
        yield frame_at
    finally:
        connection.close()


def feature_table_on_spark(
    connection: SparkConnection,
    snapshot: Snapshot,
    chosen: Sequence[Feature],
    spine: pa.Table,
    progress: Progress | None,
) -> pa.Table:
    """What `features.table.feature_table` gives, worked out on Spark and brought here."""
    cutoffs = sorted(set(spine["cutoff"].to_pylist()))
    kinds = {"numeric": pa.float64(), "category": pa.string()}
    schema = pa.schema([("place", pa.int64()), *((f.name, kinds[f.kind]) for f in chosen)])
    parts = [schema.empty_table()]
    with feature_frames(connection, snapshot, chosen) as frame_at:
        for done, cutoff in enumerate(cutoffs):
            if progress:
                progress("features", done, len(cutoffs))
            connection.register("asked", _asked_at(spine, cutoff))
            rows = frame_at("SELECT * FROM asked", cutoff).drop("customer_id").toArrow()
            parts.append(rows.rename_columns(schema.names).cast(schema))
    if progress:
        progress("features", len(cutoffs), len(cutoffs))
    values = pa.concat_tables(parts).sort_by("place").drop_columns("place")
    named = spine.select(["customer_id", "cutoff"])
    for name in values.column_names:
        named = named.append_column(name, values[name])
    return named


def _asked_at(spine: pa.Table, cutoff: datetime) -> pa.Table:
    at = pa.scalar(cutoff, spine.schema.field("cutoff").type)
    rows = pc.indices_nonzero(pc.equal(spine["cutoff"], at))
    return pa.table(
        {"place": rows.cast(pa.int64()), "customer_id": spine["customer_id"].take(rows)}
    )
