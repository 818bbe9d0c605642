"""Leases: due messages in one worker's hands, and what came of them, written under its token."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, insert, or_, select

from serving.database import Database
from serving.outreach.deliver.endpoints import circuit_of, keep_circuit
from serving.outreach.deliver.moves import ONE_MESSAGE, expire, reclaim
from serving.outreach.deliver.recheck import Permission
from serving.outreach.deliver.retries import after_attempt
from serving.outreach.message import Message, Receipt
from serving.outreach.outbox import take_turn
from serving.outreach.records import ATTEMPTS, MESSAGES

LEASE_LASTS = timedelta(minutes=5)
"""A worker that has not settled by then has ended; its messages are leased again."""

MaySend = Callable[[Connection, Sequence[Message], datetime], Sequence[Permission]]
"""Whether messages may leave, one answer each; asked in the transaction that leases them."""

_OPEN = ("pending", "sending", "unknown")
_MESSAGE = [MESSAGES.c[name] for name in Message.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class Leased:
    """A message that one worker alone may send, until the lease ends."""

    message: Message
    token: str
    leased_until: datetime
    attempts: int
    """Made so far."""
    not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a leased message; without a receipt it was not sent, and goes back."""

    leased: Leased
    at: datetime
    seconds: float
    receipt: Receipt | None


def lease(
    database: Database,
    endpoint: str,
    most: int,
    now: datetime,
    may_send: MaySend,
    *,
    repeatable: bool,
) -> list[Leased]:
    """Take up to `most` due messages of `endpoint` for LEASE_LASTS, the longest due first.

    Of a customer's messages to an endpoint one at most is under way, of those due the oldest.
    What is past its time expires, and what `may_send` forbids is suppressed or waits. A lease that
    ran out is taken over, or, where the endpoint is not `repeatable`, the message is `unknown`.
    """
    with database.writing() as connection:
        take_turn(connection)
        own = MESSAGES.c.endpoint == endpoint
        expire(connection, own, now)
        reclaim(connection, own, now, now, repeatable=repeatable)
        admitted = circuit_of(connection, endpoint).admits(most, now)
        due, taken = _due(endpoint, now, admitted), list[Leased]()
        while admitted and not taken and (rows := connection.execute(due).all()):
            taken = _taken(connection, rows, now, may_send)
        return taken


def settle(
    database: Database,
    endpoint: str,
    attempts: Sequence[Attempt],
    now: datetime,
    draws: random.Random,
) -> Counter[str]:
    """Write what came of attempts; returns how many messages went into which state.

    Those whose lease somebody else has taken over are left alone, and counted as `overtaken`.
    """
    states: Counter[str] = Counter()
    with database.writing() as connection:
        found = _found(connection, attempts)
        changes = []
        for attempt in attempts:
            row = found.get(attempt.leased.message.id)
            if row and row.state in _OPEN and row.lease == attempt.leased.token:
                changes.append(_change(attempt, now, draws.random()))
                states[changes[-1]["to_state"]] += 1
            else:
                states["overtaken"] += 1
        if changes:
            connection.execute(_SETTLE, changes)
        _record(connection, endpoint, attempts, found, now)
    return states


def _due(endpoint: str, now: datetime, most: int) -> Select[Any]:
    other = MESSAGES.alias("other")
    older = and_(
        other.c.state == "pending",
        other.c.next_at <= now,
        other.c.sequence < MESSAGES.c.sequence,
    )
    comes_first = exists().where(
        other.c.customer_id == MESSAGES.c.customer_id,
        other.c.endpoint == endpoint,
        or_(other.c.state == "sending", older),
    )
    return (
        select(*_MESSAGE, MESSAGES.c.attempts, MESSAGES.c.not_after)
        .where(MESSAGES.c.endpoint == endpoint, MESSAGES.c.state == "pending")
        .where(MESSAGES.c.next_at <= now, ~comes_first)
        .order_by(MESSAGES.c.next_at, MESSAGES.c.sequence)
        .limit(most)
        .with_for_update(skip_locked=True)
    )


def _taken(
    connection: Connection, rows: Sequence[Row[Any]], now: datetime, may_send: MaySend
) -> list[Leased]:
    token, until = secrets.token_hex(16), now + LEASE_LASTS
    messages = [
        Message(**{name: row._mapping[name] for name in Message.__dataclass_fields__})
        for row in rows
    ]
    taken: list[Leased] = []
    kept: list[dict[str, Any]] = []
    permissions = may_send(connection, messages, now)
    for row, message, permission in zip(rows, messages, permissions, strict=True):
        if permission.verdict == "send":
            taken.append(Leased(message, token, until, row.attempts, row.not_after))
        else:
            kept.append({"of": message.sequence} | _kept(permission, now))
    if taken:
        lease = {"by": token, "until": until}
        connection.execute(_TAKE, [lease | {"of": one.message.sequence} for one in taken])
    if kept:
        connection.execute(_KEEP, kept)
    return taken


def _kept(permission: Permission, now: datetime) -> dict[str, Any]:
    """What becomes of a message that does not leave."""
    waits = permission.verdict == "wait"
    return {
        "to_state": "pending" if waits else permission.verdict,
        "to_next": permission.until if waits else now,
        "at": None if waits else now,
        "said": permission.reason or "past its time",
    }


def _found(connection: Connection, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """State and lease of each message that has not been erased meanwhile; its row is locked."""
    ids = [attempt.leased.message.id for attempt in attempts]
    query = (
        select(MESSAGES.c.id, MESSAGES.c.state, MESSAGES.c.lease)
        .where(MESSAGES.c.id.in_(ids))
        .order_by(MESSAGES.c.sequence)
        .with_for_update()
    )
    return {row.id: row for row in connection.execute(query)}


def _change(attempt: Attempt, now: datetime, draw: float) -> dict[str, Any]:
    leased, receipt = attempt.leased, attempt.receipt
    change: dict[str, Any] = {"of": leased.message.sequence, "to_attempts": leased.attempts}
    if receipt is None:
        return change | {"to_state": "pending", "to_next": now, "at": None, "said": None}
    made = leased.attempts + 1
    state, next_at = after_attempt(made, receipt, now, leased.not_after, draw)
    said = receipt.detail[:500] or None
    ended = None if state == "pending" else now
    change |= {"to_attempts": made, "to_state": state, "to_next": next_at}
    return change | {"at": ended, "said": said}


def _record(
    connection: Connection,
    endpoint: str,
    attempts: Sequence[Attempt],
    found: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add one row per attempt, and keep the account of how the endpoint fares."""
    answered = [(one, one.receipt) for one in attempts if one.receipt]
    if not answered:
        return
    rows = [
        {
            "message_id": one.leased.message.id,
            "at": one.at,
            "seconds": one.seconds,
            "verdict": receipt.verdict,
            "code": receipt.code,
            "detail": receipt.detail[:500] or None,
        }
        for one, receipt in answered
        if one.leased.message.id in found
    ]
    if rows:
        connection.execute(insert(ATTEMPTS), rows)
    before = circuit_of(connection, endpoint, locked=True)
    after = before.after((receipt for _, receipt in answered), now)
    if after != before:
        keep_circuit(connection, endpoint, after)


_TAKE = ONE_MESSAGE.values(state="sending", lease=bindparam("by"), leased_until=bindparam("until"))
_KEEP = ONE_MESSAGE.values(
    state=bindparam("to_state"),
    next_at=bindparam("to_next"),
    settled_at=bindparam("at"),
    detail=bindparam("said"),
)
_SETTLE = ONE_MESSAGE.values(
    state=bindparam("to_state"),
    attempts=bindparam("to_attempts"),
    next_at=bindparam("to_next"),
    lease=None,
    leased_until=None,
    settled_at=bindparam("at"),
    detail=bindparam("said"),
)
