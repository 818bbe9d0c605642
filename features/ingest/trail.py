"""A log of ticket changes: the contract of one change, and its fold into states of tickets."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from features.config import SourceConfig, TrailConfig
from features.contracts import TABLES, Column, ContractError, Table
from features.ingest.mapping import nearest
from features.ingest.normalise import literal, quoted
from features.ingest.report import share
from features.ingest.rules import struct
from features.versions import KNOWN_FROM, KNOWN_UNTIL

_TICKETS = TABLES["tickets"]
_FOLDED = ("first_response_at", "resolved_at", "reopened_at", "escalated_at")
"""Contract columns that statuses tell; in a log they are often filled in afterwards."""
_CHANGED_AT = Column("changed_at", "time", required=True)
_STATUS = Column("status", required=True)
_SEQUENCE = Column("sequence", "whole")
_SHOWN_STATUSES = 12


def change_table(table: Table, source: SourceConfig, present: Sequence[str]) -> Table:
    """The contract of one row of `source`, a log of changes with the columns `present`.

    Raises ContractError when `table` has no trail or the settings do not fit the source.
    """
    trail = source.trail
    if trail is None or table is not _TICKETS:
        raise ContractError(
            f"sources.{table.name}.trail: only tickets can be given as a log of changes; remove it"
        )
    for key, name in _trail_columns(trail).items():
        if name not in present:
            raise ContractError(
                f"sources.tickets.trail.{key}: the source has no column {name!r}; "
                + nearest(name, present)
            )
    for name in _FOLDED:
        if name in source.columns or name in source.constants:
            raise ContractError(
                f"sources.tickets.columns.{name}: with a trail it follows from the statuses, as "
                "known at the time; remove it"
            )
    added = (_CHANGED_AT, _STATUS, *((_SEQUENCE,) if trail.sequence else ()))
    return replace(
        table,
        grain="change",
        columns=(*(_column(each) for each in table.columns if each.name not in _FOLDED), *added),
        unique=(),
        order=(("opened_at", "changed_at"),),
    )


def change_source(source: SourceConfig) -> SourceConfig:
    """The source with the trail's own columns among its mapped columns."""
    own = _trail_columns(source.trail) if source.trail else {}
    return source.model_copy(update={"columns": {**source.columns, **own}})


def folded_columns(trail: TrailConfig) -> frozenset[str]:
    """Contract columns of tickets that the fold fills."""
    known = {"opened_at", "resolved_at", "reopened_at"}
    answered = {"first_response_at"} if trail.waiting else set()
    return frozenset(known | answered | ({"escalated_at"} if trail.escalated else set()))


def reject_changes(
    connection: duckdb.DuckDBPyConnection, relation: str, raw: str, columns: Sequence[str]
) -> None:
    """Reject rows that repeat an earlier one in every column of the source.

    Then, where changes are numbered, those that come later than a change that follows them: the
    ticket stood otherwise already when they became known.
    """
    row = ", ".join(quoted(column) for column in columns)
    _reject(
        connection,
        relation,
        ("duplicate_row", "ticket_id", "ticket_id"),
        f"SELECT source_file, source_row FROM {relation} JOIN (SELECT source_file, source_row, "
        f"hash({row}) AS whole FROM {raw}) USING (source_file, source_row) WHERE verdict IS NULL "
        "QUALIFY row_number() OVER (PARTITION BY ticket_id, whole "
        "ORDER BY source_file, source_row) > 1",
    )
    if "sequence" in _names(connection, relation):
        _reject(
            connection,
            relation,
            ("stale_change", "sequence", "ticket_id || ' ' || CAST(sequence AS BIGINT)"),
            f"SELECT source_file, source_row FROM {relation} WHERE verdict IS NULL "
            f"QUALIFY sequence < max(sequence) OVER ({_in_order(numbered=True)})",
        )


def states(relation: str, trail: TrailConfig, mapped: Sequence[str], types: Sequence[str]) -> str:
    """SQL for the states of tickets that the accepted changes in `relation` make.

    One row per ticket and instant at which a mapped column changed, with the contract's columns
    (`types` are theirs, in SQL) and the times between which it was known.
    """
    order = _in_order(numbered=trail.sequence is not None)
    held = [_held(column.name, mapped) for column in _TICKETS.kept]
    names = ", ".join(column.name for column in _TICKETS.kept)
    typed = ", ".join(
        f"CAST({column.name} AS {kind}) AS {column.name}"
        for column, kind in zip(_TICKETS.kept, types, strict=True)
    )
    return f"""
        WITH changes AS (
          SELECT *, {_among(trail.waiting)} AS is_waiting, {_among(trail.resolved)} AS is_resolved,
            {_among(trail.escalated)} AS is_escalated
          FROM {relation} WHERE verdict IS NULL
        ), followed AS (
          SELECT *, coalesce(lag(is_resolved) OVER so_far, false) AS was_resolved,
            lead(changed_at) OVER so_far AS next_at
          FROM changes WINDOW so_far AS ({order})
        ), folded AS (
          SELECT ticket_id, changed_at, {", ".join(held)}
          FROM followed WINDOW so_far AS ({order})
          QUALIFY next_at IS NULL OR next_at > changed_at
        ), different AS (
          SELECT * FROM folded QUALIFY row({names}) IS DISTINCT FROM
            lag(row({names})) OVER (PARTITION BY ticket_id ORDER BY changed_at)
        )
        SELECT {typed}, changed_at AS {KNOWN_FROM},
          lead(changed_at) OVER (PARTITION BY ticket_id ORDER BY changed_at) AS {KNOWN_UNTIL}
        FROM different"""


def fold_note(connection: duckdb.DuckDBPyConnection, versions: str) -> str:
    """What became of the accepted changes: how many tickets and states they are."""
    row = connection.execute(
        f"SELECT count(DISTINCT ticket_id), count(*) FROM {versions}"
    ).fetchall()[0]
    return f"changes folded into states (tickets: {row[0]:,}, states: {row[1]:,})"


def trail_doubts(
    connection: duckdb.DuckDBPyConnection, relation: str, trail: TrailConfig
) -> Iterator[str]:
    """Doubts about the accepted changes in `relation`, each a sentence with what to do."""
    yield from _unseen_statuses(connection, relation, trail)
    if trail.sequence:
        yield from _gaps(connection, relation)
    yield from _late_starts(connection, relation, trail)


def _trail_columns(trail: TrailConfig) -> dict[str, str]:
    """Canonical column of a change to source column."""
    named = {"changed_at": trail.changed_at, "status": trail.status, "sequence": trail.sequence}
    return {key: name for key, name in named.items() if name is not None}


def _column(column: Column) -> Column:
    """A ticket's column in a change; where no opening is given, the first change is it."""
    return replace(column, required=False) if column.name == "opened_at" else column


def _in_order(*, numbered: bool) -> str:
    """The changes of a ticket up to the current one: by time, then number, then source order."""
    number = "sequence NULLS FIRST, " if numbered else ""
    return (
        f"PARTITION BY ticket_id ORDER BY changed_at, {number}source_file, source_row "
        "ROWS UNBOUNDED PRECEDING"
    )


def _among(statuses: Sequence[str]) -> str:
    listed = ", ".join(literal(each.strip().lower()) for each in statuses)
    return f"lower(status) IN ({listed})" if statuses else "false"


def _held(name: str, mapped: Sequence[str]) -> str:
    """What the ticket's column `name` holds after a change, as an SQL select item."""
    starts, ends = "is_resolved AND NOT was_resolved", "was_resolved AND NOT is_resolved"
    folds = {
        "opened_at": "min(changed_at) OVER so_far",
        "first_response_at": "min(changed_at) FILTER (WHERE NOT is_waiting) OVER so_far",
        "resolved_at": "CASE WHEN is_resolved THEN "
        f"max(changed_at) FILTER (WHERE {starts}) OVER so_far END",
        "reopened_at": f"max(changed_at) FILTER (WHERE {ends}) OVER so_far",
        "escalated_at": "min(changed_at) FILTER (WHERE is_escalated) OVER so_far",
    }
    if name not in folds:
        return name if name in (*mapped, "ticket_id") else f"NULL AS {name}"
    given = f"coalesce({name}, {folds[name]})" if name in mapped else folds[name]
    return f"{given} AS {name}"


def _reject(
    connection: duckdb.DuckDBPyConnection, relation: str, why: tuple[str, str, str], rows: str
) -> None:
    connection.execute(
        f"UPDATE {relation} SET verdict = {struct(*why)} "
        f"WHERE (source_file, source_row) IN ({rows})"
    )


def _unseen_statuses(
    connection: duckdb.DuckDBPyConnection, relation: str, trail: TrailConfig
) -> Iterator[str]:
    found = connection.execute(
        f"SELECT status FROM {relation} WHERE verdict IS NULL "
        "GROUP BY status ORDER BY count(*) DESC, status"
    ).fetchall()
    seen = [row[0] for row in found]
    known = {status.lower() for status in seen}
    for key in ("waiting", "resolved", "escalated"):
        for status in getattr(trail, key):
            if status.strip().lower() not in known:
                listed = ", ".join(map(repr, seen[:_SHOWN_STATUSES]))
                yield f"no row has the status {status!r} of trail.{key}; the log has {listed}"


def _gaps(connection: duckdb.DuckDBPyConnection, relation: str) -> Iterator[str]:
    tickets, headless, skipped = connection.execute(
        f"SELECT count(DISTINCT ticket_id), count_if(step IS NULL AND sequence > lowest), "
        f"count_if(step > 1) FROM (SELECT ticket_id, sequence, min(sequence) OVER () AS lowest, "
        f"sequence - lag(sequence) OVER ({_in_order(numbered=True)}) AS step "
        f"FROM {relation} WHERE verdict IS NULL AND sequence IS NOT NULL)"
    ).fetchall()[0]
    if headless:
        yield (
            f"tickets that begin with a change that is not their first: {headless:,} of "
            f"{tickets:,}; what happened before it counts from then on; export whole histories"
        )
    if skipped:
        yield (
            f"{share(skipped, _count(connection, relation))} follow a change that is not in the "
            "log; what it did shows only from the next; export every change if you can"
        )


def _late_starts(
    connection: duckdb.DuckDBPyConnection, relation: str, trail: TrailConfig
) -> Iterator[str]:
    if not trail.waiting or "opened_at" not in _names(connection, relation):
        return
    late = connection.execute(
        f"SELECT count(*) FROM (SELECT arg_min({_among(trail.waiting)}, changed_at) AS waits, "
        f"min(opened_at) AS opened FROM {relation} WHERE verdict IS NULL GROUP BY ticket_id) "
        f"WHERE NOT waits AND opened < (SELECT min(changed_at) FROM {relation} "
        "WHERE verdict IS NULL)"
    ).fetchall()[0][0]
    if late:
        yield (
            f"tickets opened before the log begins that its first row of them shows answered: "
            f"{late:,}; that row's time is taken for the answer's; start the log earlier if you can"
        )


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {relation} WHERE verdict IS NULL").fetchone()
    return int(row[0]) if row else 0


def _names(connection: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    return {row[0] for row in connection.execute(f"DESCRIBE {relation}").fetchall()}
