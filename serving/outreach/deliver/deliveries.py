"""Messages as they stand, a page at a time: what waits, what was delivered, what was stopped."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from serving.outreach.message import MessageType, State
from serving.outreach.records import MESSAGES


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and how far it has come."""

    sequence: int
    id: str
    endpoint: str
    type: str
    customer_id: str
    decision_id: str | None
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    """When it is tried next, if it is `pending`."""
    not_after: datetime | None
    settled_at: datetime | None
    detail: str | None
    """What the endpoint said last, or why the message was stopped."""


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which messages to show; None leaves that side open."""

    state: State | None = None
    type: MessageType | None = None
    endpoint: str | None = None
    customer_id: str | None = None
    since: datetime | None = None
    """Written at or after."""
    until: datetime | None = None
    """Written before."""


_COLUMNS = [MESSAGES.c[name] for name in Delivery.__dataclass_fields__]


def deliveries(
    connection: Connection, wanted: DeliveryFilter, before: int | None, most: int
) -> list[Delivery]:
    """Up to `most` messages written before the one numbered `before`, the newest first."""
    query = select(*_COLUMNS).order_by(MESSAGES.c.sequence.desc()).limit(most)
    for name in ("state", "type", "endpoint", "customer_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(MESSAGES.c[name] == value)
    if wanted.since is not None:
        query = query.where(MESSAGES.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(MESSAGES.c.created_at < wanted.until)
    if before is not None:
        query = query.where(MESSAGES.c.sequence < before)
    return [Delivery(**row._mapping) for row in connection.execute(query)]
