"""The audit: who did what, and to what, written in the transaction of the act itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from serving.outreach.records import AUDIT


def audit(
    connection: Connection,
    at: datetime,
    actor: str,
    action: str,
    details: Mapping[str, Mapping[str, Any]],
) -> None:
    """Note that `actor` did `action`, once for each subject in `details`."""
    rows = [
        {"at": at, "actor": actor, "action": action, "subject": subject, "detail": dict(detail)}
        for subject, detail in details.items()
    ]
    if rows:
        connection.execute(insert(AUDIT), rows)
