"""The outbox: messages written in the transaction of what they tell of, each effect once."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from serving.database import insert_or
from serving.outreach.message import MessageType
from serving.outreach.records import MESSAGES

_TURN = 7_365_746_962
"""Names the advisory lock that on PostgreSQL stands for SQLite's one writer."""

_GIVEN = ("endpoint", "type", "customer_id", "effect_key", "decision_id", "not_after")


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is to be said to an endpoint once the caller's transaction is committed."""

    endpoint: str
    type: MessageType
    customer_id: str
    effect_key: str
    """Hash of the effect (customer, programme, step and window; or the event): at most once."""
    payload: Mapping[str, Any]
    decision_id: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None


def message_id(effect_key: str) -> str:
    """The id by which receivers know the message of an effect, the same for ever."""
    return f"msg_{hashlib.sha256(effect_key.encode()).hexdigest()[:32]}"


def take_turn(connection: Connection) -> None:
    """Wait until nobody else leases or plans; the turn ends with the transaction.

    Counting contacts against a cap and adding one is then one act, however many workers run.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))


def enqueue(connection: Connection, messages: Iterable[NewMessage], now: datetime) -> int:
    """Write messages in the caller's transaction; returns how many were not known yet.

    A message whose effect_key is known is left as it is.
    """
    rows = [_row(message, now) for message in messages]
    if not rows:
        return 0
    new = insert_or(connection, MESSAGES)
    statement = new.on_conflict_do_nothing(index_elements=["effect_key"])
    return len(connection.execute(statement.returning(MESSAGES.c.sequence), rows).all())


def _row(message: NewMessage, now: datetime) -> dict[str, Any]:
    given = {name: getattr(message, name) for name in _GIVEN}
    return given | {
        "payload": dict(message.payload),
        "id": message_id(message.effect_key),
        "state": "pending",
        "attempts": 0,
        "created_at": now,
        "next_at": max(now, message.not_before or now),
    }
