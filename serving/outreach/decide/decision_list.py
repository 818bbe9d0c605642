"""Recorded decisions, a page at a time: all of one plan, or all on one customer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection, RowMapping, select

from serving.outreach.decide.decision_ids import decision_id
from serving.outreach.decide.decisions import Reason
from serving.outreach.records import DECISIONS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row: TypeAlias = RowMapping
"""A row of `decisions`."""


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions to show; None leaves that side open."""

    customer_id: str | None = None
    run: str | None = None
    reason: Reason | None = None


def latest_run(connection: Connection) -> str | None:
    """The plan that was written last; None before the first."""
    return connection.scalar(select(DECISIONS.c.run).order_by(DECISIONS.c.id.desc()).limit(1))


def decisions_of_run(
    connection: Connection, run: str, reason: Reason | None, after: int | None, most: int
) -> list[Row]:
    """Up to `most` decisions of a plan beyond the place `after`, by customer."""
    query = select(DECISIONS).where(DECISIONS.c.run == run).order_by(DECISIONS.c.id).limit(most)
    if reason is not None:
        query = query.where(DECISIONS.c.reason == reason)
    if after is not None:
        query = query.where(DECISIONS.c.id > decision_id(run, after))
    return list(connection.execute(query).mappings())


def decisions_on_customer(
    connection: Connection, wanted: DecisionFilter, before: int | None, most: int
) -> list[Row]:
    """Up to `most` decisions on `wanted.customer_id` made before an instant, the newest first."""
    query = (
        select(DECISIONS)
        .where(DECISIONS.c.customer_id == wanted.customer_id)
        .order_by(DECISIONS.c.decided_at.desc())
        .limit(most)
    )
    if wanted.run is not None:
        query = query.where(DECISIONS.c.run == wanted.run)
    if wanted.reason is not None:
        query = query.where(DECISIONS.c.reason == wanted.reason)
    if before is not None:
        query = query.where(DECISIONS.c.decided_at < _EPOCH + before * _MICROSECOND)
    return list(connection.execute(query).mappings())


def place_in_run(row: Row) -> int:
    """The place of a decision in its plan."""
    return int(row["id"].rpartition("_")[2])


def instant_of(row: Row) -> int:
    """When a decision was made, in microseconds since 1970."""
    at: datetime = row["decided_at"]
    return (at - _EPOCH) // _MICROSECOND
