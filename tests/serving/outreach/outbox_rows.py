"""Decisions and messages written straight into an operations database, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from serving.outreach.message import Message
from serving.outreach.records import DECISIONS, MESSAGES, PROGRAMMES

NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
"""10:00 in Jakarta."""
KEY = b"a key of sixteen bytes or more"


def add_programme(connection: Connection, **changes: Any) -> None:
    """The programme `retention`, which holds out nobody, with any column changed."""
    programme = {
        "name": "retention",
        "holdout_key": KEY,
        "holdout_share": 1e-9,
        "planned": 1_000,
        "started_at": NOW,
        "plans": 1,
    }
    connection.execute(insert(PROGRAMMES).values(programme | changes))


def add_message(
    connection: Connection,
    name: str,
    customer_id: str = "C1",
    *,
    channel: str = "email",
    decided_at: datetime = NOW,
    zone: str = "Asia/Jakarta",
    **changes: Any,
) -> Message:
    """A decision to contact and its pending message, with any column of the message changed."""
    decision = {
        "id": f"dec_{name}",
        "programme": "retention",
        "run": "run_1",
        "decided_at": decided_at,
        "customer_id": customer_id,
        "occasion": "risk",
        "action": "contact",
        "reason": "expected_gain",
        "arm": "contact",
        "channel": channel,
        "step": "win_back",
        "value": 100.0,
        "timezone": zone,
        "window_opens": decided_at,
        "window_closes": decided_at + timedelta(hours=11),
    }
    connection.execute(insert(DECISIONS).values(decision))
    message = {
        "id": f"msg_{name}",
        "endpoint": "drop",
        "type": "outreach.contact",
        "customer_id": customer_id,
        "decision_id": f"dec_{name}",
        "effect_key": name,
        "payload": {"score_as_of": (decided_at - timedelta(hours=1)).isoformat()},
        "state": "pending",
        "attempts": 0,
        "created_at": decided_at,
        "next_at": decided_at,
        "not_after": decided_at + timedelta(hours=24),
        **changes,
    }
    sequence = connection.execute(insert(MESSAGES).values(message)).inserted_primary_key[0]
    return Message(
        message["id"], sequence, message["type"], customer_id, decided_at, message["payload"]
    )
