"""Which ticket keeps a customer with support: open, reopened lately or escalated just now."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from serving.history import Row

ESCALATED = timedelta(days=7)
"""So long a ticket counts as just escalated, even if it has been resolved since."""
REOPENED = timedelta(days=30)
"""So long a reopened ticket counts as open: some helpdesks never resolve it a second time."""


def open_case_sql(*, resolved_known: bool) -> str:
    """SQL: whether a row of `tickets` is with support at `$now`, as `is_case` has it.

    Where the source does not say when tickets are resolved, one counts as open for ESCALATED.
    """
    days = ESCALATED.days
    is_open = (
        f"resolved_at IS NULL OR resolved_at > $now OR (reopened_at > resolved_at "
        f"AND reopened_at <= $now AND reopened_at > $now - INTERVAL {REOPENED.days} DAY)"
        if resolved_known
        else f"opened_at > $now - INTERVAL {days} DAY"
    )
    return (
        f"opened_at <= $now AND ({is_open} OR "
        f"(escalated_at <= $now AND escalated_at > $now - INTERVAL {days} DAY))"
    )


def case_since(tickets: Iterable[Row], since: datetime, now: datetime) -> str | None:
    """The id of a ticket that something happened to since, and that is now with support.

    `tickets` are canonical rows, of which a later one takes the place of an earlier one with the
    same id.
    """
    latest = {row["ticket_id"]: row for row in tickets if row.get("known_until") is None}
    return next(
        (one for one, row in latest.items() if _is_news(row, since, now) and is_case(row, now)),
        None,
    )


def is_case(ticket: Row, now: datetime) -> bool:
    """Whether the ticket is with support."""
    opened, escalated = ticket["opened_at"], ticket.get("escalated_at")
    if opened > now:
        return False
    is_recent = escalated is not None and escalated <= now < escalated + ESCALATED
    return is_recent or _is_open(ticket, now)


def _is_open(ticket: Row, now: datetime) -> bool:
    resolved, reopened = ticket.get("resolved_at"), ticket.get("reopened_at")
    if resolved is None or resolved > now:
        return True
    return reopened is not None and resolved < reopened <= now < reopened + REOPENED


def _is_news(ticket: Row, since: datetime, now: datetime) -> bool:
    happened = [ticket.get(name) for name in ("opened_at", "reopened_at", "escalated_at")]
    return any(at is not None and since <= at <= now for at in happened)
