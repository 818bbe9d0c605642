"""Answers kept by idempotency key, so that the same request is answered the same again."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.api.problems import Problem
from serving.api.remembered import Asked, Kept
from serving.database import IDEMPOTENCY, Database

KEPT = timedelta(hours=24)
"""How long an answer is given again."""
CLAIMED = timedelta(minutes=2)
"""After so long, a request whose answer never came (a crash) may be done again."""


class KeptAnswers:
    """Answers by idempotency key, in the operations database: they outlive the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, asked: Asked, now: datetime) -> Kept | None:
        """The answer given before, or None when this request is now to be done.

        Raises Problem 422 when the key came with another request, 409 while its first is running.
        """
        with self._database.writing() as connection:
            connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.expires_at <= now))
            if _first(connection, asked, now):
                return None
            row = connection.execute(select(IDEMPOTENCY).where(_is(asked))).first()
        if row is None:
            raise _running()
        if (row.request, row.request_hash) != (asked.request, asked.request_hash):
            raise _reused()
        if row.status is None:
            raise _running()
        return Kept(row.status, row.headers, row.body)

    def keep(self, asked: Asked, answer: Kept, now: datetime) -> None:
        """Remember the answer, to be given again for `KEPT`."""
        values = {**vars(answer), "expires_at": now + KEPT}
        with self._database.writing() as connection:
            connection.execute(update(IDEMPOTENCY).where(_is(asked)).values(values))

    def release(self, asked: Asked) -> None:
        """Forget the request: it failed on our side and may be tried again."""
        with self._database.writing() as connection:
            connection.execute(delete(IDEMPOTENCY).where(_is(asked)))


def _first(connection: Connection, asked: Asked, now: datetime) -> bool:
    claim = {**vars(asked), "created_at": now, "expires_at": now + CLAIMED}
    try:
        with connection.begin_nested():
            connection.execute(insert(IDEMPOTENCY), claim)
    except IntegrityError:
        return False
    return True


def _is(asked: Asked) -> ColumnElement[bool]:
    return and_(IDEMPOTENCY.c.caller == asked.caller, IDEMPOTENCY.c.key == asked.key)


def _reused() -> Problem:
    return Problem(
        422,
        "this Idempotency-Key came before with another request; give each request its own, and "
        "send the same one only with the same request",
        slug="idempotency-key-reused",
    )


def _running() -> Problem:
    return Problem(
        409,
        "the first request with this Idempotency-Key is still running; ask again for its answer",
        slug="idempotency-key-in-use",
        headers={"Retry-After": "1"},
    )
