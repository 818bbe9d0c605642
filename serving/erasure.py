"""Erasing a person: what Setia holds of them goes, and only a keyed hash of the id stays."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Connection, Table, delete, select, update

from serving.database import IDEMPOTENCY, Database
from serving.erased_files import erase_from_files
from serving.fresh import FRESH_ROWS, LIVE_SCORES, FreshStore
from serving.outreach.audit import audit
from serving.outreach.forgotten import ERASED, forget_for_good, forgotten_by, forgotten_in
from serving.outreach.outbox import take_turn
from serving.outreach.records import (
    ATTEMPTS,
    AUDIT,
    DECISIONS,
    MESSAGES,
    OUTCOMES,
    SUPPRESSIONS,
)
from serving.standings import RISK_EVENTS, STANDINGS

_GONE = (FRESH_ROWS, LIVE_SCORES, RISK_EVENTS, STANDINGS, SUPPRESSIONS)
"""Tables of which the person's rows are deleted whole."""
_COUNTED = frozenset(
    {"arm", "policy", "channel", "step", "cost", "risk_tier", "window_opens", "window_closes"}
)
"""Columns of a decision that may be empty and yet stay, so that effect and cost stay true."""
_FATES = ("kept", "lost", "stayed", "left")
_MAY_BE_SENT = ("pending", "sending", "dead")
_TO_DO = (
    "delete this person in your own sources; until then Setia leaves their rows out whenever it "
    "reads them",
    "run `setia check` and `setia score`: snapshots/, facts/ and rejects/ of the workspace hold "
    "the rows until then",
    "delete what `setia features --out`, `setia score --out` and `setia backtest --out` wrote for "
    "you, and your backups of the workspace and of the database",
    "other ids of the same person (merged customers): erase each of them; none is contacted while "
    "outreach.merged names this one beside it",
    "a service on another machine with a workspace of its own: run `setia forget` there too",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased where, and what is left to the merchant; it does not name the person."""

    erased_at: datetime
    erased_before: datetime | None
    """When this person was first erased, if this is not the first time."""
    rows: dict[str, int]
    """Table of the operations database to rows deleted, or cleared of all that tells of them."""
    files: dict[str, str]
    """File of the workspace to what became of it."""
    sent_to: dict[str, int]
    """Endpoint to messages about this person that it was given: ask there for erasure as well."""
    to_do: tuple[str, ...] = _TO_DO


def erase_customer(
    database: Database, workspace: Path, customer_id: str, actor: str, now: datetime
) -> Receipt:
    """Erase a person, known or not, for good; doing so again erases what has come since.

    One transaction clears the database and keeps the hash, so that from then on nobody scores or
    contacts them; a message that a worker is sending at this moment may still arrive. The files
    follow, and may be tried again when they fail.
    """
    with FreshStore(database).writing_alone() as connection:
        take_turn(connection)
        if connection.dialect.name == "sqlite":
            # Deleted cells are overwritten, not only let go.
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        before = forget_for_good(connection, customer_id, now)
        sent_to = _sent_to(connection, customer_id)
        rows = _erase_rows(connection, customer_id, now)
        subject = forgotten_in(connection).digest(customer_id)
        audit(connection, now, actor, "erasure", {subject: rows})
    database.scrub()
    files = erase_from_files(workspace, {customer_id})
    touched = {name: count for name, count in rows.items() if count}
    return Receipt(now, before, touched, files, sent_to)


def erase_late(database: Database, workspace: Path, customer_ids: Sequence[str]) -> set[str]:
    """Those of the customers just scored who were erased meanwhile; their scores are taken out."""
    forgotten = forgotten_by(database)
    late = {one for one in customer_ids if one in forgotten}
    if late:
        erase_from_files(workspace, late)
    return late


def _erase_rows(connection: Connection, customer_id: str, now: datetime) -> dict[str, int]:
    """Rows deleted or cleared, by table; decisions and fates go on under a name drawn at random."""
    name = f"{ERASED}{secrets.token_hex(12)}"
    # SQLAlchemy names tables by a str of its own kind, which JSON does not take as a key.
    rows = {str(table.name): _delete(connection, table, customer_id) for table in _GONE}
    rows["decisions"] = _clear_decisions(connection, customer_id, name)
    rows["messages"] = _clear_messages(connection, customer_id, name, now)
    rows["outcomes"] = _clear_outcomes(connection, customer_id, name)
    told = update(AUDIT).where(AUDIT.c.subject == customer_id).values(subject=name, detail={})
    rows["audit"] = connection.execute(told).rowcount
    rows["idempotency"] = _delete_answers(connection, customer_id)
    return rows


def _delete(connection: Connection, table: Table, customer_id: str) -> int:
    return connection.execute(delete(table).where(table.c.customer_id == customer_id)).rowcount


def _clear_decisions(connection: Connection, customer_id: str, name: str) -> int:
    """Keep day, arm, reason, channel, cost and rough risk: what arms are compared by."""
    cleared = {
        column.name: None
        for column in DECISIONS.c
        if column.nullable and column.name not in _COUNTED
    }
    theirs = select(DECISIONS.c.id, DECISIONS.c.churn_probability)
    found = connection.execute(theirs.where(DECISIONS.c.customer_id == customer_id)).all()
    for row in found:
        # An adjustment by a covariate must not be told who was erased after contact.
        risk = None if row.churn_probability is None else round(row.churn_probability, 1)
        values = cleared | {"customer_id": name, "value": 0.0, "churn_probability": risk}
        connection.execute(update(DECISIONS).where(DECISIONS.c.id == row.id).values(values))
    return len(found)


def _clear_messages(connection: Connection, customer_id: str, name: str, now: datetime) -> int:
    """Suppress what may be sent yet or again; keep of a message only that it was, and when."""
    theirs = MESSAGES.c.customer_id == customer_id
    waiting = theirs & MESSAGES.c.state.in_(_MAY_BE_SENT)
    stopped = {"state": "suppressed", "settled_at": now, "lease": None, "leased_until": None}
    connection.execute(update(MESSAGES).where(waiting).values(stopped))
    ids = connection.scalars(select(MESSAGES.c.id).where(theirs)).all()
    connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.message_id.in_(ids)))
    for message_id in ids:
        # The message's id and key are hashes of the person's, which anybody could compute.
        values: dict[str, Any] = {
            "id": f"msg_{secrets.token_hex(16)}",
            "customer_id": name,
            "payload": {},
            "detail": None,
            "effect_key": f"{ERASED}{secrets.token_hex(24)}",
        }
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == message_id).values(values))
    return len(ids)


def _clear_outcomes(connection: Connection, customer_id: str, name: str) -> int:
    theirs = OUTCOMES.c.customer_id == customer_id
    fate = update(OUTCOMES).where(theirs & OUTCOMES.c.kind.in_(_FATES))
    kept = connection.execute(fate.values(customer_id=name, value=None)).rowcount
    return kept + connection.execute(delete(OUTCOMES).where(theirs)).rowcount


def _delete_answers(connection: Connection, customer_id: str) -> int:
    """Delete kept answers that name the person; the request behind one is then done anew."""
    named = orjson.dumps(customer_id)
    asked = f"/{quote(customer_id)}"
    found = [
        (row.caller, row.key)
        for row in connection.execute(select(IDEMPOTENCY))
        if named in (row.body or b"") or row.request.endswith(asked)
    ]
    for caller, key in found:
        theirs = (IDEMPOTENCY.c.caller == caller) & (IDEMPOTENCY.c.key == key)
        connection.execute(delete(IDEMPOTENCY).where(theirs))
    return len(found)


def _sent_to(connection: Connection, customer_id: str) -> dict[str, int]:
    sent = select(MESSAGES.c.endpoint).where(MESSAGES.c.customer_id == customer_id)
    return dict(Counter(connection.scalars(sent.where(MESSAGES.c.attempts > 0))))
