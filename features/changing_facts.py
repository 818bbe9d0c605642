"""Facts from tables whose rows change with time: made anew at each cutoff, on either engine."""

from collections.abc import Sequence
from datetime import datetime

import duckdb

from features.aggregates import Source
from features.snapshot import Snapshot
from features.spark.connection import SparkConnection
from features.versions import is_read_by, rows_as_of

Engine = duckdb.DuckDBPyConnection | SparkConnection


def changing_apart(
    sources: Sequence[Source], snapshot: Snapshot
) -> tuple[list[Source], list[Source]]:
    """The sources whose facts differ from cutoff to cutoff, and the others, made once for all."""
    versioned = [name for name, entry in snapshot.manifest.tables.items() if entry.is_versioned]
    changing = [each for each in sources if any(is_read_by(name, each.facts) for name in versioned)]
    return changing, [each for each in sources if each not in changing]


def make_facts(connection: Engine, sources: Sequence[Source]) -> None:
    """Make a table `facts_<source>` for each source."""
    for source in sources:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE facts_{source.name} AS {source.facts}")


def make_facts_as_of(
    connection: Engine, snapshot: Snapshot, sources: Sequence[Source], cutoff: datetime
) -> None:
    """Make the facts of `sources` from versioned tables as they stood at the cutoff."""
    for name, entry in snapshot.manifest.tables.items():
        if entry.is_versioned:
            rows = rows_as_of(name, cutoff)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {rows}")
    make_facts(connection, sources)
