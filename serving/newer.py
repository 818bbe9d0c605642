"""Live scores that are newer than the scoring run's: which customers have one, and what it says."""

import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Text, cast, func, literal, select

from serving.database import Database, DatabaseError
from serving.fresh import LIVE_SCORES
from serving.online import About
from serving.scoring import utc_text

_NO_LIVE = b'"live":null'

_log = logging.getLogger("setia.serving")


class _Reading(NamedTuple):
    """The last live score that was read, and the first transaction that had not begun by then."""

    sequence: int
    following: int


class _Pointer(NamedTuple):
    sequence: int
    score_id: str
    scored_at: datetime


@dataclass(frozen=True, slots=True)
class NewerScore:
    """A live score as it is shown in place of the scoring run's."""

    customer_id: str
    record: bytes
    """JSON of the `score_record`, with `live` filled in."""
    timing: bytes
    """JSON of the `score_timings`."""
    cutoff: datetime
    scored_at: datetime
    model_version: str
    cause: str
    is_stale: bool


class NewerScores:
    """Which customers have a live score, as this worker knows: asking about others costs nothing.

    A score made by this worker is known at once (`note`), one of another worker after `refresh`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pointers: dict[str, _Pointer] = {}
        self._begin()
        self._known_until: datetime | None = None
        self._changing = threading.Lock()
        self.mark = 0
        """Differs where the set of known live scores does, whatever the worker."""

    def refresh(self, about: About) -> None:
        """Read what live scores were made since; forget those that the run `about` knows of."""
        if self._known_until and about.known_until < self._known_until:
            self._begin()
        self._known_until = about.known_until
        try:
            if self._database.exists:
                self._read(about)
        except DatabaseError as error:
            _log.warning("newer live scores cannot be read, those known are shown: %s", error)
        with self._changing:
            known = [one for one in self._pointers.items() if one[1].scored_at <= about.known_until]
            for customer_id, pointer in known:
                del self._pointers[customer_id]
                self.mark ^= _token(pointer)

    def note(self, customer_id: str, sequence: int, score_id: str, scored_at: datetime) -> None:
        """Know of a score that has been committed."""
        pointer = _Pointer(sequence, score_id, scored_at)
        with self._changing:
            old = self._pointers.get(customer_id)
            if old is None or old.sequence < sequence:
                self._pointers[customer_id] = pointer
                self.mark ^= _token(pointer) ^ (_token(old) if old else 0)

    def any_of(self, customer_ids: Iterable[str]) -> bool:
        """Whether any of the customers may have one."""
        return not self._pointers.keys().isdisjoint(customer_ids)

    def find(
        self, about: About, customer_ids: Collection[str], now: datetime
    ) -> dict[str, NewerScore]:
        """Those of the customers' live scores that are newer than the run `about`, by customer.

        One query, or none. When the database cannot be read the run's own scores have to do.
        """
        pointers = (self._pointers.get(customer_id) for customer_id in customer_ids)
        ids = [one.score_id for one in pointers if one and one.scored_at > about.known_until]
        if not ids:
            return {}
        wanted = select(LIVE_SCORES).where(LIVE_SCORES.c.score_id.in_(ids))
        try:
            with self._database.reading() as connection:
                rows = connection.execute(wanted).all()
        except DatabaseError as error:
            _log.warning("live scores cannot be read, the scoring run's are shown: %s", error)
            return {}
        return {row.customer_id: _shown(row, about, now) for row in rows}

    def _begin(self) -> None:
        self._settled = 0
        self._awaited = _Reading(0, 0)

    def _read(self, about: About) -> None:
        live = LIVE_SCORES.c
        with self._database.reading() as connection:
            wanted = select(
                live.sequence,
                live.customer_id,
                live.score_id,
                live.scored_at,
                *_under_way(connection),
            )
            after = wanted.where(live.sequence > self._settled).order_by(live.sequence)
            rows = connection.execute(after).all()
        for row in rows:
            if row.scored_at > about.known_until:
                self.note(row.customer_id, row.sequence, row.score_id, row.scored_at)
        if rows:
            self._settle(_Reading(rows[-1].sequence, rows[-1].following), rows[-1].oldest)

    def _settle(self, reading: _Reading, oldest: int) -> None:
        """Read from then on what lower numbers can no longer come before.

        PostgreSQL commits in no order of numbers, be it minutes or days later. Whoever drew a
        number below one that was read had begun by then, so once all those have ended, and
        their scores were read, none of them is to come.
        """
        if oldest >= self._awaited.following:
            self._settled, self._awaited = self._awaited.sequence, reading
        if oldest == reading.following:
            self._settled = reading.sequence


def _under_way(connection: Connection) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The oldest transaction that a query sees under way, and the first that has not begun.

    The two are one where nothing is under way: SQLite commits in the order of the numbers.
    """
    if connection.dialect.name == "sqlite":
        return literal(0).label("oldest"), literal(0).label("following")
    snapshot = func.pg_current_snapshot()
    # Transactions have numbers of a type of their own, which only text is cast from.
    oldest, following = (
        cast(cast(number, Text), BigInteger)
        for number in (func.pg_snapshot_xmin(snapshot), func.pg_snapshot_xmax(snapshot))
    )
    return oldest.label("oldest"), following.label("following")


def _token(pointer: _Pointer) -> int:
    return int(pointer.score_id.removeprefix("score_"), 16)


def _shown(row: Row[Any], about: About, now: datetime) -> NewerScore:
    # A live score rests on the run's data too, so it is as stale as the older of the two.
    age = now - min(row.scored_at, about.created_at)
    is_stale = age > timedelta(days=about.serving.stale_after_days)
    live = {
        "cause": row.cause,
        "model_version": row.model_version,
        "cutoff": utc_text(row.cutoff),
        "as_of": utc_text(row.scored_at),
        "stale": is_stale,
    }
    # Within a JSON string the quotation marks would be escaped, so the member is found for sure.
    record = row.record.replace(_NO_LIVE, b'"live":' + orjson.dumps(live), 1)
    return NewerScore(
        row.customer_id,
        record,
        row.timing,
        row.cutoff,
        row.scored_at,
        row.model_version,
        row.cause,
        is_stale,
    )
