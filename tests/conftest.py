"""Fixtures shared by all tests: small snapshots made by hand."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.contracts import TABLES
from features.snapshot import Manifest, Snapshot, TableEntry, open_snapshot
from features.text.reading import with_text_read
from features.windows import local_day, start_of_day

Rows = Sequence[Mapping[str, Any]]
MakeSnapshot = Callable[..., Snapshot]

ARROW = {
    "time": pa.timestamp("us", tz="UTC"),
    "money": pa.float64(),
    "number": pa.float64(),
    "whole": pa.float64(),
    "boolean": pa.bool_(),
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def make_snapshot() -> MakeSnapshot:
    """Write canonical tables from plain rows and open them.

    Only columns that appear in some row count as mapped; further keys of `customers` are
    attributes, numeric when every value is a number. The watermark is the start of the day
    after the last time of any kind, unless given.
    """
    return write_snapshot


def write_snapshot(
    folder: Path,
    tables: Mapping[str, Rows],
    timezone: str = "UTC",
    watermark: datetime | None = None,
) -> Snapshot:
    folder.mkdir(parents=True, exist_ok=True)
    zone = ZoneInfo(timezone)
    entries = {name: _write(folder, name, rows, zone) for name, rows in tables.items()}
    times = [time for name, rows in tables.items() for time in _times(name, rows)]
    active = [name for name in tables if TABLES[name].is_activity]
    started = [_main_time(name, row) for name in active for row in tables[name]]
    digest = hashlib.sha256(json.dumps(tables, default=str, sort_keys=True).encode())
    manifest = Manifest(
        tables=entries,
        first=min(started, default=EPOCH),
        watermark=watermark or _day_after(max(times, default=EPOCH), zone),
        timezone=timezone,
        currency="EUR",
        fingerprint=digest.hexdigest(),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return open_snapshot(folder)


def _write(folder: Path, name: str, rows: Rows, zone: ZoneInfo) -> TableEntry:
    table = TABLES[name]
    given = {key for row in rows for key in row} - {"is_return"} | set(table.required)
    rows = [with_text_read(row) for row in rows]
    attributes = {key: _attribute(rows, key) for key in sorted(given - set(table.names))}
    fields = {column.name: ARROW.get(column.kind, pa.string()) for column in table.kept}
    for key, kind in attributes.items():
        fields[key] = pa.float64() if kind == "numeric" else pa.string()
    data = {key: pa.array([row.get(key) for row in rows], kind) for key, kind in fields.items()}
    main = [_main_time(name, row) for row in rows]
    if name in ("orders", "events"):
        days = [(local_day(time, zone) - EPOCH.date()).days for time in main]
        data["day"] = pa.array(days, pa.int32())
    if name == "orders":
        returns = [bool(row.get("is_return", False)) for row in rows]
        data["is_return"] = pa.array(returns, pa.bool_())
    pq.write_table(pa.table(data), folder / f"{name}.parquet")
    known = [time for time in main if time is not None]
    return TableEntry(
        rows=len(rows),
        columns=tuple(key for key in table.names if key in given),
        attributes=attributes,
        first=min(known, default=None),
        last=max(known, default=None),
    )


def _attribute(rows: Rows, key: str) -> str:
    values = [row[key] for row in rows if row.get(key) is not None]
    return "numeric" if all(isinstance(value, int | float) for value in values) else "category"


def _main_time(name: str, row: Mapping[str, Any]) -> Any:
    table = TABLES[name]
    return row.get(table.time or "") or row.get(table.time_fallback or "")


def _times(name: str, rows: Rows) -> list[datetime]:
    counted = set(TABLES[name].times) - {"signed_up_at", "valid_from"}
    return [row[key] for row in rows for key in counted if row.get(key) is not None]


def _day_after(instant: datetime, zone: ZoneInfo) -> datetime:
    return start_of_day(local_day(instant, zone) + timedelta(days=1), zone)
