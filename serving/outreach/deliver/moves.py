"""Moves of messages that no attempt brought about: their time was over, or their worker ended."""

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, select, update

from serving.outreach.records import MESSAGES

ONE_MESSAGE = update(MESSAGES).where(MESSAGES.c.sequence == bindparam("of"))
_TRIED = case((MESSAGES.c.attempts > 0, MESSAGES.c.attempts), else_=1)

Which = ColumnElement[bool]


def move(connection: Connection, which: Which, values: dict[str, Any]) -> Counter[str]:
    """Set `values` where nobody holds the row: a transaction that leases waits for none.

    Returns how many messages of each endpoint were moved.
    """
    query = select(MESSAGES.c.sequence, MESSAGES.c.endpoint).where(which)
    free = connection.execute(query.with_for_update(skip_locked=True)).all()
    if free:
        connection.execute(ONE_MESSAGE.values(values), [{"of": row.sequence} for row in free])
    return Counter(row.endpoint for row in free)


def expire(connection: Connection, of: Which, now: datetime) -> Counter[str]:
    """End those of the messages that are past their time."""
    late = and_(of, MESSAGES.c.state == "pending", MESSAGES.c.not_after <= now)
    return move(
        connection, late, {"state": "expired", "settled_at": now, "detail": "past its time"}
    )


def reclaim(
    connection: Connection, of: Which, ended_by: datetime, now: datetime, *, repeatable: bool
) -> Counter[str]:
    """Take back those of the messages that were left by workers who had ended by `ended_by`."""
    left = and_(of, MESSAGES.c.state == "sending", MESSAGES.c.leased_until <= ended_by)
    # The token stays: should the worker live after all, its answer counts until another leases.
    values: dict[str, Any] = {"state": "pending"}
    if not repeatable:
        values = {"state": "unknown", "settled_at": now, "detail": "its worker ended half-way"}
    # It may have arrived, so that it counts against caps like every message that was tried.
    return move(connection, left, values | {"attempts": _TRIED})
