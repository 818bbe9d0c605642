"""Sources into a snapshot: every row read, judged against the contract, and accounted for."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from features.config import PipelineConfig, TableName
from features.contracts import TABLES, ContractError
from features.forgotten import NOBODY, Forgotten
from features.ingest.consistency import cross_warnings, table_warnings
from features.ingest.mapping import lookup_target
from features.ingest.normalise import quoted
from features.ingest.rejects import rejections, set_aside, write_rejects
from features.ingest.report import IngestReport, TableReport
from features.ingest.snapshot_files import WriteRows, copy_rows, main_time, span, write_snapshot
from features.ingest.staging import Staged, stage
from features.ingest.trail import fold_note
from features.snapshot import Manifest
from features.sources.source import open_source

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the steps done and the steps in all."""


class TooManyRejects(ContractError):
    """A table lost more rows than `max_reject_rate`; no snapshot was written."""

    def __init__(self, report: IngestReport) -> None:
        self.report = report
        lines = [
            f"{table.table}: {table.reject_rate:.1%} of the rows are rejected, more than "
            f"max_reject_rate {table.max_reject_rate:.1%}\n"
            + "\n".join(f"  {problem}" for problem in table.problems)
            for table in report.too_many
        ]
        super().__init__("\n".join(lines))


def ingest(
    config: PipelineConfig,
    progress: Progress | None = None,
    now: datetime | None = None,
    forgotten: Forgotten = NOBODY,
) -> IngestReport:
    """Read every source, write `snapshots/` and `rejects/` in the workspace, and report.

    Facts later than `now` (the present, unless given) are rejected, rows of those who are
    `forgotten` set aside. Both folders are written
    aside and then exchanged whole; when this raises, the snapshot that was there stays.

    Raises ContractError when the sources cannot make a snapshot, TooManyRejects (with the
    report) when a table loses more than its `max_reject_rate`, SourceError when one cannot be
    read.
    """
    order = _reading_order(config)
    now = now or datetime.now(UTC)
    config.workspace.mkdir(parents=True, exist_ok=True)
    with _scratch(config) as (connection, scratch):
        engine = _engine(connection, config, scratch, now, forgotten)
        tables: dict[TableName, Staged] = {}
        for done, name in enumerate(order):
            _tell(progress, f"reading {name}", done, len(order) + 1)
            tables[name] = _staged(engine, name, config)
        report = _report(connection, tables)
        _write_rejects(connection, tables, config.workspace, scratch)
        if report.too_many:
            raise TooManyRejects(report)
        if not _labels_are_given(config):
            _require_activity(report)
        _tell(progress, "writing the snapshot", len(order), len(order) + 1)
        manifest = _write_snapshot(connection, tables, config, scratch, now, engine.write)
        return replace(
            report,
            first=manifest.first,
            watermark=manifest.watermark,
            fingerprint=manifest.fingerprint,
        )


def _tell(progress: Progress | None, what: str, done: int, total: int) -> None:
    if progress:
        progress(what, done, total)


def _reading_order(config: PipelineConfig) -> list[TableName]:
    """Tables in contract order, those that look customers up in another after that other."""
    if not _labels_are_given(config) and not any(
        TABLES[name].is_activity for name in config.sources
    ):
        raise ContractError(
            "none of orders, events and subscriptions is configured; without one nobody can be "
            "seen to leave: add it under sources"
        )
    for name, source in config.sources.items():
        target = lookup_target(source)
        if target and target not in config.sources:
            raise ContractError(
                f"sources.{name}.columns.customer_id looks customers up in {target}, "
                f"which is not configured; add sources.{target}"
            )
        if target and lookup_target(config.sources[target]):
            raise ContractError(
                f"sources.{name}.columns.customer_id looks customers up in {target}, which looks "
                "them up itself; name the table that has customer ids"
            )
    present = [name for name in TABLES if name in config.sources]
    return sorted(present, key=lambda name: lookup_target(config.sources[name]) is not None)


@contextmanager
def _scratch(config: PipelineConfig) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database on disk, so that sources larger than memory spill, gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix=".ingest-", dir=config.workspace) as folder,
        duckdb.connect(str(Path(folder) / "staging.duckdb")) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        if config.memory_limit:
            connection.execute("SET memory_limit = ?", [config.memory_limit])
        yield connection, Path(folder)


@dataclass(frozen=True)
class _Engine:
    """What differs between engines: how a table is staged, and how its rows are written."""

    stage: Callable[[TableName], Staged]
    write: WriteRows


def _engine(
    connection: duckdb.DuckDBPyConnection,
    config: PipelineConfig,
    scratch: Path,
    now: datetime,
    forgotten: Forgotten,
) -> _Engine:
    def staged_here(name: TableName) -> Staged:
        raw = open_source(connection, name, config.sources[name], scratch)
        return stage(connection, TABLES[name], raw, config, now, forgotten)

    if config.engine == "duckdb":
        return _Engine(staged_here, copy_rows)
    from features.spark.ingest import SparkIngest

    spark = SparkIngest.start(connection, config, scratch, now, forgotten)
    return _Engine(spark.stage, spark.write)


def _staged(engine: _Engine, name: TableName, config: PipelineConfig) -> Staged:
    try:
        return engine.stage(name)
    except duckdb.InvalidInputException as error:
        date_format = config.sources[name].date_format
        if date_format is None or "format" not in str(error):
            raise
        raise ContractError(
            f"sources.{name}.date_format: {date_format!r} is no strptime format; "
            "write it like %d/%m/%Y %H:%M"
        ) from None


def _report(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[TableName, Staged]
) -> IngestReport:
    reports = tuple(_table_report(connection, staged) for staged in tables.values())
    return IngestReport(reports, cross_warnings(connection, tables))


def _table_report(connection: duckdb.DuckDBPyConnection, staged: Staged) -> TableReport:
    name, time = staged.table.name, main_time(staged)
    first, last = span(connection, name, time) if time else (None, None)
    accepted, read, coverage = _counts(connection, staged)
    return TableReport(
        table=name,
        rows_read=read,
        accepted=accepted,
        rejections=rejections(connection, staged),
        set_aside=set_aside(connection, staged),
        normalised=_normalised(connection, staged, accepted),
        warnings=table_warnings(connection, staged),
        first=first,
        last=last,
        coverage=coverage,
        max_reject_rate=staged.source.max_reject_rate,
    )


def _counts(
    connection: duckdb.DuckDBPyConnection, staged: Staged
) -> tuple[int, int, dict[str, float]]:
    names = [binding.column.name for binding in staged.bindings]
    filled = ", ".join(f"count({quoted(name)})" for name in names)
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM {staged.relation}) + "
        f"(SELECT count(*) FROM {staged.raw.broken}), count(*), {filled} "
        f"FROM {staged.relation} WHERE verdict IS NULL"
    ).fetchall()[0]
    read, accepted, *counts = row
    coverage = {
        name: count / accepted for name, count in zip(names, counts, strict=True) if accepted
    }
    return accepted, read, coverage


def _normalised(
    connection: duckdb.DuckDBPyConnection, staged: Staged, accepted: int
) -> dict[str, int]:
    marks = ", ".join(f"count_if({mark})" for mark in staged.notes.values())
    row = connection.execute(
        f"SELECT {marks} FROM {staged.relation} WHERE verdict IS NULL"
    ).fetchall()[0]
    read = {what: rows for what, rows in zip(staged.notes, row, strict=True) if rows}
    if staged.source.trail:
        read[fold_note(connection, staged.kept)] = accepted
    return read


def _write_rejects(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[TableName, Staged],
    workspace: Path,
    scratch: Path,
) -> None:
    folder = scratch / "rejects"
    folder.mkdir()
    for staged in tables.values():
        write_rejects(connection, staged, folder)
    _exchange(folder, workspace / "rejects", scratch)


def _labels_are_given(config: PipelineConfig) -> bool:
    """Whether a wide table of customers is enough: it says itself who churned."""
    return config.churn.label == "column" and "customers" in config.sources


def _require_activity(report: IngestReport) -> None:
    active = [table for table in report.tables if TABLES[table.table].is_activity]
    if any(table.accepted for table in active):
        return
    read = ", ".join(f"{table.table}: {_fate(table)}" for table in active)
    raise ContractError(
        "none of orders, events and subscriptions has a single accepted row "
        f"({read}); without one nobody can be seen to leave"
    )


def _fate(table: TableReport) -> str:
    if not table.rows_read:
        return "a header without rows"
    aside = sum(table.set_aside.values())
    return f"{table.rows_read:,} read, {table.rejected:,} rejected, {aside:,} set aside"


def _write_snapshot(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[TableName, Staged],
    config: PipelineConfig,
    scratch: Path,
    now: datetime,
    write: WriteRows,
) -> Manifest:
    folder = scratch / "snapshots"
    folder.mkdir()
    manifest = write_snapshot(connection, tables, config, folder, now, write)
    _exchange(folder, config.workspace / "snapshots", scratch)
    return manifest


def _exchange(new: Path, place: Path, scratch: Path) -> None:
    """Put the folder `new` in `place`; what was there goes with `scratch`."""
    if place.exists():
        place.rename(scratch / f"old-{place.name}")
    new.rename(place)
