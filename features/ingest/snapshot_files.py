"""The snapshot on disk: canonical tables as sorted Parquet files, and their manifest."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from features.config import PipelineConfig, TableName
from features.day_digests import write_day_digests
from features.ingest.normalise import literal, quoted
from features.ingest.staging import Staged
from features.snapshot import Manifest, TableEntry
from features.windows import local_day, start_of_day

# An end further past the last start than this is read as agreed ahead, not as having happened.
_AGREED_AHEAD = "INTERVAL 31 DAY"

WriteRows = Callable[[duckdb.DuckDBPyConnection, Staged, Sequence[str], Path], None]
"""What writes the kept rows of a table, sorted, to a file: see `copy_rows`."""


def write_snapshot(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[TableName, Staged],
    config: PipelineConfig,
    folder: Path,
    now: datetime,
    write: WriteRows,
) -> Manifest:
    """Write the accepted rows of every table, and the manifest, into the empty `folder`.

    Without any activity (labels given in a table) the snapshot stands at `now`.

    Files are sorted by customer, time and then every column, so equal data gives equal bytes.
    """
    entries = {
        name: _write_table(connection, staged, folder / f"{name}.parquet", write)
        for name, staged in tables.items()
    }
    first, last = activity_span(connection, tables) or (now, now)
    manifest = Manifest(
        tables=entries,
        first=first,
        watermark=_next_day(last, config.zone),
        timezone=config.timezone,
        currency=config.currency,
        fingerprint=_fingerprint(connection, tables),
    )
    write_day_digests(connection, folder, tables)
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return manifest


def copy_rows(
    connection: duckdb.DuckDBPyConnection, staged: Staged, order: Sequence[str], file: Path
) -> None:
    """Write the kept rows of `staged` to `file`, sorted by the expressions in `order`."""
    connection.execute(
        f"COPY (SELECT * FROM {staged.kept} ORDER BY {', '.join(order)}) "
        f"TO {literal(str(file))} (FORMAT parquet, COMPRESSION zstd)"
    )


def activity_span(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[TableName, Staged]
) -> tuple[datetime, datetime] | None:
    """The first and the last known time of activity (orders, events, subscriptions), if any."""
    spans = [
        span(connection, name, str(staged.table.time))
        for name, staged in tables.items()
        if staged.table.is_activity
    ]
    firsts = [first for first, _ in spans if first]
    if not firsts:
        return None
    last = max(last for _, last in spans if last)
    if "subscriptions" in tables:
        ended = _last_end(connection, last)
        last = max(last, ended) if ended else last
    return min(firsts), last


def span(
    connection: duckdb.DuckDBPyConnection, relation: str, time: str
) -> tuple[datetime | None, datetime | None]:
    """The first and the last `time` (a column or expression) of `relation`."""
    row = connection.execute(
        f"SELECT epoch_us(min({time})), epoch_us(max({time})) FROM {relation}"
    ).fetchone()
    first, last = row or (None, None)
    return _instant(first), _instant(last)


def _instant(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _last_end(connection: duckdb.DuckDBPyConnection, last: datetime) -> datetime | None:
    believed = f"TIMESTAMPTZ {literal(last.isoformat(' '))} + {_AGREED_AHEAD}"
    return span(
        connection, f"(SELECT ended_at FROM subscriptions WHERE ended_at <= {believed})", "ended_at"
    )[1]


def _next_day(instant: datetime, zone: ZoneInfo) -> datetime:
    return start_of_day(local_day(instant, zone) + timedelta(days=1), zone)


def main_time(staged: Staged) -> str | None:
    """SQL for the time that places a row of the accepted view; None for customers."""
    table = staged.table
    if table.time and table.time_fallback:
        return f"coalesce({table.time}, {table.time_fallback})"
    return table.time


def _write_table(
    connection: duckdb.DuckDBPyConnection, staged: Staged, file: Path, write: WriteRows
) -> TableEntry:
    name, time = staged.table.name, main_time(staged)
    columns = _columns(connection, staged.kept)
    leading = ["customer_id", time] if time else ["customer_id"]
    order = [*leading, *(column for column in columns if column != '"customer_id"')]
    write(connection, staged, order, file)
    first, last = span(connection, name, time) if time else (None, None)
    rows = connection.execute(f"SELECT count(*) FROM {staged.kept}").fetchone()
    return TableEntry(
        rows=rows[0] if rows else 0,
        columns=_mapped(connection, staged),
        attributes=staged.source.attributes,
        first=first,
        last=last,
        is_versioned=staged.source.trail is not None,
    )


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    return [quoted(row[0]) for row in connection.execute(f"DESCRIBE {name}").fetchall()]


def _mapped(connection: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[str, ...]:
    """The columns the source fills; returns fill the refund columns of orders too."""
    if staged.table.name != "orders":
        return staged.mapped
    returns = connection.execute("SELECT 1 FROM orders WHERE is_return LIMIT 1").fetchone()
    refunds = {"refunded_at", "refund_amount"} if returns else set()
    return tuple(name for name in staged.table.names if name in refunds | set(staged.mapped))


def _fingerprint(connection: duckdb.DuckDBPyConnection, tables: Mapping[TableName, Staged]) -> str:
    """SHA-256 over the sum of every row's MD5, so that neither order nor file splitting counts."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        relation = tables[name].kept
        columns = _columns(connection, relation)
        row = ", ".join(f"coalesce(CAST({column} AS VARCHAR), chr(0))" for column in columns)
        sums = connection.execute(
            "SELECT count(*), sum(md5_number_lower(row)), sum(md5_number_upper(row)) "
            f"FROM (SELECT concat_ws(chr(31), {row}) AS row FROM {relation})"
        ).fetchone()
        digest.update(f"{name}:{','.join(columns)}:{sums}\n".encode())
    return digest.hexdigest()
