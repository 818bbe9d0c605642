"""Tickets folded from a log of changes in a plain loop, written from `docs/data-contract.md`."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Change:
    """One row of the log, as it was written down."""

    ticket_id: str
    changed_at: datetime
    sequence: int
    customer_id: str
    opened_at: datetime
    status: str
    channel: str
    category: str | None
    transfers: int
    agent_id: str | None


@dataclass
class Ticket:
    """What was known of one ticket."""

    last: Change
    first_response_at: datetime | None = None
    resolved_at: datetime | None = None
    reopened_at: datetime | None = None
    passed: set[Change] = field(default_factory=set)
    highest: int = -1


def tickets_as_of(
    log: Iterable[Change], cutoff: datetime, waiting: set[str], resolved: set[str]
) -> list[Ticket]:
    """The tickets as the rows written before `cutoff` tell them, each once.

    A row before its ticket's opening, a copy of an earlier row, and a row that comes after one
    with a higher number are not believed.
    """
    known = [row for row in log if row.opened_at <= row.changed_at < cutoff]
    known.sort(key=lambda row: (row.changed_at, row.sequence))
    tickets: dict[str, Ticket] = {}
    for row in known:
        ticket = tickets.setdefault(row.ticket_id, Ticket(row))
        if row in ticket.passed or row.sequence < ticket.highest:
            continue
        was_resolved = bool(ticket.passed) and ticket.last.status in resolved
        if row.status not in waiting and ticket.first_response_at is None:
            ticket.first_response_at = row.changed_at
        if row.status not in resolved:
            ticket.resolved_at = None
            if was_resolved:
                ticket.reopened_at = row.changed_at
        elif not was_resolved:
            ticket.resolved_at = row.changed_at
        ticket.last, ticket.highest = row, row.sequence
        ticket.passed.add(row)
    return list(tickets.values())
