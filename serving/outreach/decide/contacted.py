"""Contacts made or on their way, as outbox and holdout know them: what rests and caps count."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, Select, func, select

from serving.outreach.decide.decisions import Contact, Rules
from serving.outreach.records import DECISIONS, MESSAGES

_ON_ITS_WAY = frozenset({"pending", "sending"})
_MAY_HAVE_ARRIVED = frozenset({"delivered", "unknown"})
_LONGEST_LIFE = timedelta(days=8)
"""No message is sent longer after its decision (`send_within_hours` is at most 7 days)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A contact with the message that makes it; without one for a held-out customer."""

    customer_id: str
    message_id: str | None
    contact: Contact
    state: str
    attempts: int


def longest_span(rules: Rules) -> timedelta:
    """How far back rests and caps look."""
    return max([rules.rest, *(cap.within for cap in rules.caps)])


def contacts_since(
    connection: Connection, now: datetime, span: timedelta
) -> Mapping[str, tuple[Contact, ...]]:
    """Customer to the contacts of the last `span`; those on their way count as made now.

    A message that was tried and failed may have arrived all the same, so it counts. A held-out
    customer's contacts are those that they would have had: both arms rest alike.
    """
    found: dict[str, list[Contact]] = defaultdict(list)
    query = _contacts().where(DECISIONS.c.decided_at >= now - span - _LONGEST_LIFE)
    for row in connection.execute(query.where(DECISIONS.c.arm.is_not(None))):
        sent = _sent(row, now)
        if sent.state == "held_out" or sent.state in _ON_ITS_WAY or _may_have_arrived(sent):
            found[sent.customer_id].append(sent.contact)
    return {customer_id: tuple(contacts) for customer_id, contacts in found.items()}


def contacts_beside(message_id: str, sent: Iterable[Sent]) -> list[Contact]:
    """Of what was `sent` to a person, the contacts that stand beside a message not yet leased.

    A message in another worker's hands counts; one that waits does not, for it will be asked too.
    """
    return [
        one.contact
        for one in sent
        if one.message_id != message_id and (one.state == "sending" or _may_have_arrived(one))
    ]


def sent_to(
    connection: Connection, customer_ids: Collection[str], now: datetime
) -> Mapping[str, list[Sent]]:
    """Customer to every contact by message, whatever became of it."""
    found: dict[str, list[Sent]] = defaultdict(list)
    query = _contacts().where(MESSAGES.c.customer_id.in_(customer_ids))
    for row in connection.execute(query):
        found[row.customer_id].append(_sent(row, now))
    return found


def _contacts() -> Select[tuple[object, ...]]:
    return (
        select(
            DECISIONS.c.customer_id,
            DECISIONS.c.channel,
            DECISIONS.c.window_opens,
            MESSAGES.c.id,
            func.coalesce(MESSAGES.c.state, "held_out").label("state"),
            func.coalesce(MESSAGES.c.attempts, 0).label("attempts"),
            func.coalesce(MESSAGES.c.settled_at, MESSAGES.c.created_at).label("settled_at"),
        )
        .select_from(DECISIONS)
        .outerjoin(MESSAGES, MESSAGES.c.decision_id == DECISIONS.c.id)
    )


def _sent(row: Row[tuple[object, ...]], now: datetime) -> Sent:
    at = row.window_opens if row.state == "held_out" else row.settled_at
    contact = Contact(now if row.state in _ON_ITS_WAY else at, row.channel)
    return Sent(row.customer_id, row.id, contact, row.state, row.attempts)


def _may_have_arrived(sent: Sent) -> bool:
    return sent.state in _MAY_HAVE_ARRIVED or sent.attempts > 0
