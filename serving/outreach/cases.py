"""Which ticket keeps a customer with support: one that is open, or was escalated just now."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from serving.history import Row

ESCALATED = timedelta(days=7)
"""So long a ticket counts as just escalated, even if it has been resolved since."""


def case_since(tickets: Iterable[Row], since: datetime, now: datetime) -> str | None:
    """The id of a ticket that something happened to since, and that is now with support.

    `tickets` are canonical rows, of which a later one takes the place of an earlier one with the
    same id.
    """
    latest = {row["ticket_id"]: row for row in tickets if row.get("known_until") is None}
    return next((id_ for id_, row in latest.items() if _is_case(row, since, now)), None)


def _is_case(row: Row, since: datetime, now: datetime) -> bool:
    happened = [row.get(name) for name in ("opened_at", "reopened_at", "escalated_at")]
    if not any(at is not None and since <= at <= now for at in happened):
        return False
    escalated = row.get("escalated_at")
    return _is_open(row, now) or (escalated is not None and now - escalated < ESCALATED)


def _is_open(row: Row, now: datetime) -> bool:
    resolved, reopened = row.get("resolved_at"), row.get("reopened_at")
    if resolved is None or resolved > now:
        return True
    return reopened is not None and resolved < reopened <= now
