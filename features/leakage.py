"""The leakage proof: features recomputed on a history cut off at the cutoff must not change."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.contracts import TABLES, Table
from features.snapshot import Manifest, Snapshot, TableEntry, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table
from features.versions import KNOWN_FROM, KNOWN_UNTIL, versions_of


@dataclass(frozen=True)
class ChangedFeature:
    """A feature that saw past its cutoff, with one customer who shows it."""

    name: str
    cutoff: datetime
    customers: int
    customer_id: str
    whole: float | str | None
    """Its value on the whole history."""
    truncated: float | str | None
    """Its value when everything from the cutoff on is deleted."""


def truncate(snapshot: Snapshot, cutoff: datetime, folder: Path) -> Snapshot:
    """Write the snapshot into `folder` as it would have stood at `cutoff`, and open it.

    Rows whose main time is not before the cutoff are gone, and so is every late value that
    became known later. A customers row stays when valid and signed up by then. Of a versioned
    table the states known by then stay, and the last of them has no end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = {
        table.name: _truncated(snapshot, table, cutoff, folder)
        for table in TABLES.values()
        if table.name in snapshot.manifest.tables
    }
    manifest: Manifest = snapshot.manifest.model_copy(
        update={"tables": entries, "watermark": min(cutoff, snapshot.manifest.watermark)}
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return open_snapshot(folder)


def changed_features(snapshot: Snapshot, cutoffs: Sequence[datetime]) -> list[ChangedFeature]:
    """Every feature that changes at a cutoff when later history is deleted; [] is the proof.

    All customers of the snapshot are compared, bit by bit.
    """
    return [change for cutoff in cutoffs for change in _changed_at(snapshot, cutoff)]


def _changed_at(snapshot: Snapshot, cutoff: datetime) -> list[ChangedFeature]:
    spine = _everyone(snapshot, cutoff)
    whole = feature_table(snapshot, spine)
    with tempfile.TemporaryDirectory() as folder:
        past = truncate(snapshot, cutoff, Path(folder))
        truncated = feature_table(past, spine)
        past.connection.close()
    changes = [_change(name, whole, truncated) for name in whole.column_names[2:]]
    return [change for change in changes if change is not None]


def _everyone(snapshot: Snapshot, cutoff: datetime) -> pa.Table:
    parts = [f"SELECT customer_id FROM {name}" for name in snapshot.manifest.tables]
    query = f"SELECT DISTINCT customer_id FROM ({' UNION ALL '.join(parts)}) u ORDER BY customer_id"
    found = snapshot.connection.cursor().execute(query).to_arrow_table()
    cutoffs = pa.array([cutoff] * len(found), SPINE_SCHEMA.field("cutoff").type)
    return found.append_column("cutoff", cutoffs).cast(SPINE_SCHEMA)


def _change(name: str, whole: pa.Table, truncated: pa.Table) -> ChangedFeature | None:
    before, after = whole[name], truncated[name]
    same = pc.or_(
        pc.fill_null(pc.equal(before, after), False),
        pc.and_(pc.is_null(before), pc.is_null(after)),
    )
    places = pc.indices_nonzero(pc.invert(same)).to_pylist()
    if not places:
        return None
    first = places[0]
    return ChangedFeature(
        name=name,
        cutoff=whole["cutoff"][first].as_py(),
        customers=len(places),
        customer_id=whole["customer_id"][first].as_py(),
        whole=before[first].as_py(),
        truncated=after[first].as_py(),
    )


def _truncated(snapshot: Snapshot, table: Table, cutoff: datetime, folder: Path) -> TableEntry:
    entry = snapshot.manifest.tables[table.name]
    late = dict(table.kept_known_at) | ({KNOWN_UNTIL: KNOWN_UNTIL} if entry.is_versioned else {})
    relation = versions_of(table.name) if entry.is_versioned else table.name
    shown = [
        f"CASE WHEN {time} < $cutoff THEN {column} END AS {column}" for column, time in late.items()
    ]
    kept = [column for column in _columns(snapshot, relation) if column not in late]
    quoted = ['"' + column.replace('"', '""') + '"' for column in kept]
    rows = _rows_before(table) + (f" AND {KNOWN_FROM} < $cutoff" if entry.is_versioned else "")
    query = f"SELECT {', '.join(quoted + shown)} FROM {relation} WHERE {rows}"
    target = str(folder / f"{table.name}.parquet").replace("'", "''")
    connection = snapshot.connection.cursor()
    connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet)", {"cutoff": cutoff})
    count = connection.execute(f"SELECT count(*) FROM '{target}'").fetchone()
    return entry.model_copy(update={"rows": count[0] if count else 0})


def _columns(snapshot: Snapshot, relation: str) -> list[str]:
    empty = snapshot.connection.cursor().execute(f"SELECT * FROM {relation} LIMIT 0")
    return [str(column[0]) for column in empty.description or []]


def _rows_before(table: Table) -> str:
    if table.time is None:
        return " AND ".join(f"coalesce({time} < $cutoff, TRUE)" for time in table.times)
    fallback = f", {table.time_fallback}" if table.time_fallback else ""
    return f"coalesce({table.time}{fallback}) < $cutoff"
