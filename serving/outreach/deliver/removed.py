"""Messages to endpoints that left the configuration: nobody leases them, so they end here."""

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, or_, select, update

from serving.database import Database
from serving.outreach.outbox import take_turn
from serving.outreach.records import MESSAGES

KEPT_FOR = timedelta(days=1)
"""A worker with an older configuration must not end what one with a newer one will deliver."""


def end_removed(
    database: Database, configured: Collection[str], now: datetime
) -> dict[str, Counter[str]]:
    """End what has been due for KEPT_FOR to endpoints that are not `configured`.

    Such messages are `dead`, so that `replay` brings them back once the endpoint is; what is past
    its time expires, and what a worker had in hand when it ended is `unknown`, for nobody can say
    any more whether that endpoint may be sent something twice. Returns states by endpoint.
    """
    since = now - KEPT_FOR
    late = and_(MESSAGES.c.state == "pending", MESSAGES.c.not_after <= now)
    waiting = and_(MESSAGES.c.state == "pending", MESSAGES.c.next_at <= since)
    left = and_(MESSAGES.c.state == "sending", MESSAGES.c.leased_until <= since)
    query = (
        select(*MESSAGES.c["sequence", "endpoint", "state", "not_after"])
        .where(MESSAGES.c.endpoint.not_in(configured), or_(late, waiting, left))
        .with_for_update(skip_locked=True)
    )
    states: dict[str, Counter[str]] = defaultdict(Counter)
    with database.writing() as connection:
        take_turn(connection)
        changes = [_change(row, now) for row in connection.execute(query)]
        if changes:
            connection.execute(_END, changes)
    for change in changes:
        states[change["to"]][change["to_state"]] += 1
    return dict(states)


def _change(row: Row[Any], now: datetime) -> dict[str, Any]:
    change = {"of": row.sequence, "to": row.endpoint, "at": now}
    if row.state == "sending":
        return change | {"to_state": "unknown", "said": "its worker ended half-way"}
    if row.not_after is not None and row.not_after <= now:
        return change | {"to_state": "expired", "said": "past its time"}
    said = f"{row.endpoint!r} is no longer in outreach.endpoints"
    return change | {"to_state": "dead", "said": said}


_TRIED = case((MESSAGES.c.attempts > 0, MESSAGES.c.attempts), else_=1)
_END = (
    update(MESSAGES)
    .where(MESSAGES.c.sequence == bindparam("of"))
    .values(
        state=bindparam("to_state"),
        attempts=case((MESSAGES.c.state == "sending", _TRIED), else_=MESSAGES.c.attempts),
        settled_at=bindparam("at"),
        detail=bindparam("said"),
    )
)
