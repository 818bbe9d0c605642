"""Dead letters: what was given up or is unknown, listed, and sent again when somebody says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, select, update

from serving.database import Database
from serving.outreach.audit import audit
from serving.outreach.outbox import take_turn
from serving.outreach.records import MESSAGES

_COLUMNS = ("id", "endpoint", "type", "customer_id", "state", "attempts", "created_at")


class ReplayError(ValueError):
    """Messages that cannot be sent again; the message says which and why."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody sends any more by itself."""

    id: str
    endpoint: str
    type: str
    customer_id: str
    state: str
    """`dead`, or `unknown` where it may have arrived and must not be sent twice."""
    attempts: int
    created_at: datetime
    ended_at: datetime
    not_after: datetime | None
    detail: str | None
    """What the endpoint said last."""

    def is_late(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.not_after is not None and self.not_after <= now


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters to send again: one by its id, or those of an endpoint or of a time."""

    id: str | None = None
    endpoint: str | None = None
    since: datetime | None = None
    """Ended at or after."""
    until: datetime | None = None
    """Ended before."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What is sent again, and what stays because its time is over."""

    again: Sequence[DeadLetter]
    too_late: Sequence[DeadLetter]


def dead_letters(
    database: Database, choice: Choice = Choice(), most: int | None = None
) -> list[DeadLetter]:
    """The dead letters of `choice`, the last to end first; those that are unknown too."""
    query = _chosen(choice).where(MESSAGES.c.state.in_(("dead", "unknown"))).limit(most)
    with database.reading() as connection:
        return [_letter(row) for row in connection.execute(query)]


def replay(
    database: Database, choice: Choice, now: datetime, actor: str, *, dry_run: bool = False
) -> Replay:
    """Send dead letters again from `now`, under the ids that receivers know, on a new schedule.

    A message that is `unknown` may have arrived: it is sent again only by its own id. With
    `dry_run` nothing changes. Raises ReplayError for a choice of everything, and for an id that
    nobody knows or whose message is not dead.
    """
    if choice == Choice():
        raise ReplayError("choose what to send again: an id, an endpoint, or a time")
    states = ("dead", "unknown") if choice.id else ("dead",)
    with database.writing() as connection:
        take_turn(connection)
        query = _chosen(choice).where(MESSAGES.c.state.in_(states)).with_for_update()
        letters = [_letter(row) for row in connection.execute(query)]
        if choice.id and not letters:
            raise _not_dead(connection, choice.id)
        late = [one for one in letters if one.is_late(now)]
        again = [one for one in letters if not one.is_late(now)]
        if again and not dry_run:
            _send_again(connection, again, now, actor)
    return Replay(again, late)


def _chosen(choice: Choice) -> Select[Any]:
    columns = [MESSAGES.c[name] for name in _COLUMNS]
    query = select(
        *columns,
        MESSAGES.c.settled_at.label("ended_at"),
        MESSAGES.c.not_after,
        MESSAGES.c.detail,
    ).order_by(MESSAGES.c.settled_at.desc(), MESSAGES.c.sequence.desc())
    if choice.id:
        query = query.where(MESSAGES.c.id == choice.id)
    if choice.endpoint:
        query = query.where(MESSAGES.c.endpoint == choice.endpoint)
    if choice.since:
        query = query.where(MESSAGES.c.settled_at >= choice.since)
    if choice.until:
        query = query.where(MESSAGES.c.settled_at < choice.until)
    return query


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(**row._mapping)


def _send_again(
    connection: Connection, letters: Sequence[DeadLetter], now: datetime, actor: str
) -> None:
    ids = [one.id for one in letters]
    again = {"state": "pending", "next_at": now, "lease": None, "settled_at": None}
    # One attempt stands for all: it may have arrived, so that caps go on counting it.
    attempts = case((MESSAGES.c.attempts > 0, 1), else_=0)
    for start in range(0, len(ids), 1_000):
        part = MESSAGES.c.id.in_(ids[start : start + 1_000])
        connection.execute(update(MESSAGES).where(part).values(attempts=attempts, **again))
    details = {
        one.id: {"endpoint": one.endpoint, "was": one.state, "attempts": one.attempts}
        for one in letters
    }
    audit(connection, now, actor, "replay", details)


def _not_dead(connection: Connection, message_id: str) -> ReplayError:
    state = connection.execute(select(MESSAGES.c.state).where(MESSAGES.c.id == message_id)).scalar()
    if state is None:
        return ReplayError(f"no message {message_id!r}; `setia outreach dead` shows their ids")
    return ReplayError(f"message {message_id!r} is {state}; only dead and unknown ones go again")
