"""The ingested tables of one workspace, opened for reading."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
from pydantic import BaseModel, ConfigDict

from features.versions import rows_as_of, versions_of


class SnapshotError(ValueError):
    """There is no usable snapshot; the message says which command makes one."""


class TableEntry(BaseModel):
    """One ingested table: its rows, the contract columns that were mapped, and its span."""

    model_config = ConfigDict(frozen=True)

    rows: int
    columns: tuple[str, ...]
    attributes: dict[str, Literal["numeric", "category"]] = {}
    """Attribute columns of `customers`, and how each is read."""
    first: datetime | None
    last: datetime | None
    is_versioned: bool = False
    """Whether a row is one state of a ticket, known from `known_from` until `known_until`."""


class Manifest(BaseModel):
    """What `snapshots/manifest.json` says of the snapshot beside it."""

    model_config = ConfigDict(frozen=True)

    tables: dict[str, TableEntry]
    first: datetime
    """The earliest activity (order, event or subscription start)."""
    watermark: datetime
    """The data is complete before this instant: the start of the day after the last fact."""
    timezone: str
    currency: str
    fingerprint: str
    """SHA-256 over the accepted rows of every table, whatever their order."""


# On Spark a function of the same name; the two engines cut instants into local days differently.
_LOCAL_DAY = """
CREATE MACRO local_day(t) AS
CAST(date_diff('day', DATE '1970-01-01', CAST(timezone('{zone}', t) AS DATE)) AS INTEGER)
"""


def parquet_files(path: Path) -> str:
    """What DuckDB reads for `path`: the file, or the files of the folder that Spark writes."""
    return str(path / "*.parquet") if path.is_dir() else str(path)


@dataclass(frozen=True)
class Snapshot:
    """Canonical tables as views on one connection, and the manifest that describes them.

    A versioned table's view has its rows as they stand at the end; see `features.versions`.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    manifest: Manifest
    facts: Path | None = None
    """Folder in which facts are kept between runs; None makes them anew each time."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone whose calendar days the snapshot uses."""
        return ZoneInfo(self.manifest.timezone)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the snapshot in `folder`; SnapshotError when there is none."""
    try:
        return Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise SnapshotError(f"{folder} holds no snapshot; run `setia check` first") from None


def open_snapshot(
    folder: Path, facts: Path | None = None, memory_limit: str | None = None
) -> Snapshot:
    """Open the snapshot in `folder` (`<workspace>/snapshots`) with a view for each table.

    The engine takes at most `memory_limit` ("2GB") and spills beside the facts, if given.

    Raises SnapshotError when `setia check` has not written one yet.
    """
    manifest = read_manifest(folder)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_LOCAL_DAY.format(zone=manifest.timezone))
    for name, entry in manifest.tables.items():
        file = parquet_files(folder / f"{name}.parquet").replace("'", "''")
        relation = versions_of(name) if entry.is_versioned else name
        connection.execute(f"CREATE VIEW {relation} AS SELECT * FROM read_parquet('{file}')")
        if relation != name:
            connection.execute(f"CREATE VIEW {name} AS {rows_as_of(name, None)}")
    if memory_limit:
        connection.execute("SET memory_limit = ?", [memory_limit])
    if facts:
        connection.execute("SET temp_directory = ?", [str(facts / ".spill")])
    return Snapshot(connection, folder, manifest, facts)
