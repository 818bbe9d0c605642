"""Messages to endpoints that left the configuration: nobody leases them, so they end here."""

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, literal

from serving.database import Database
from serving.outreach.deliver.moves import expire, move, reclaim
from serving.outreach.outbox import take_turn
from serving.outreach.records import MESSAGES

KEPT_FOR = timedelta(days=1)
"""A worker with an older configuration must not end what one with a newer one will deliver."""

_WHY = literal("'").concat(MESSAGES.c.endpoint).concat("' is no longer in outreach.endpoints")


def end_removed(
    database: Database, configured: Collection[str], now: datetime
) -> dict[str, Counter[str]]:
    """End what has been due for KEPT_FOR to endpoints that are not `configured`.

    Such messages are `dead`, so that `replay` brings them back once the endpoint is; what is past
    its time expires, and what a worker had in hand when it ended is `unknown`, for nobody can say
    any more whether that endpoint may be sent something twice. Returns states by endpoint.
    """
    since, removed = now - KEPT_FOR, MESSAGES.c.endpoint.not_in(configured)
    waiting = and_(removed, MESSAGES.c.state == "pending", MESSAGES.c.next_at <= since)
    with database.writing() as connection:
        take_turn(connection)
        moved = {
            "expired": expire(connection, removed, now),
            "unknown": reclaim(connection, removed, since, now, repeatable=False),
            "dead": move(connection, waiting, {"state": "dead", "settled_at": now, "detail": _WHY}),
        }
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for state, endpoints in moved.items():
        for endpoint, messages in endpoints.items():
            states[endpoint][state] = messages
    return dict(states)
