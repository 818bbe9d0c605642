"""The ingested tables of one workspace, opened for reading."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
from pydantic import BaseModel, ConfigDict


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


@dataclass(frozen=True)
class Snapshot:
    """Canonical tables as views on one connection, and the manifest that describes them."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    manifest: Manifest

    @property
    def zone(self) -> ZoneInfo:
        """The time zone whose calendar days the snapshot uses."""
        return ZoneInfo(self.manifest.timezone)


def open_snapshot(folder: Path) -> Snapshot:
    """Open the snapshot in `folder` (`<workspace>/snapshots`) with a view for each table.

    Raises SnapshotError when `setia check` has not written one yet.
    """
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise SnapshotError(f"{folder} holds no snapshot; run `setia check` first") from None
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in manifest.tables:
        file = str(folder / f"{name}.parquet").replace("'", "''")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")
    return Snapshot(connection, folder, manifest)
