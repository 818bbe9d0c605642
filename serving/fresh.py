"""What reached the service since the last scoring run: fresh rows and the scores they led to."""

import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    LargeBinary,
    String,
    Table,
    func,
    insert,
    select,
)

from serving.database import METADATA, ROW_NUMBER, Database, UtcTime
from serving.history import Rows, unpacked
from serving.scoring import Score, score_record

_TURNS = 5_715_467
"""Names the advisory locks of PostgreSQL by which calls about one customer take turns."""
_EVERYBODY = 7_365_746_963
"""Names the one that is shared by calls about a customer and held alone by a scoring run."""

FRESH_ROWS = Table(
    "fresh_rows",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("customer_id", String(200), nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("rows", LargeBinary, nullable=False),
    Index("fresh_rows_by_customer", "customer_id", "received_at"),
)
"""One row per call: JSON of canonical table to rows, shaped, texts as numbers only."""

LIVE_SCORES = Table(
    "live_scores",
    METADATA,
    Column("sequence", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("score_id", String(40), nullable=False, unique=True),
    Column("customer_id", String(200), nullable=False),
    Column("scored_at", UtcTime, nullable=False),
    Column("cutoff", UtcTime, nullable=False),
    Column("cause", String(200), nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("churn_probability", Float, nullable=False),
    Column("is_at_risk", Boolean, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("timing", LargeBinary, nullable=False),
    Index("live_scores_by_customer", "customer_id", "scored_at"),
    # A number is never given twice, so that whoever has read up to one misses none after it.
    sqlite_autoincrement=True,
)
"""One row per score that a fresh row led to: JSON of `score_record` and of `score_timings`."""


class LiveScoreId(NamedTuple):
    """A kept live score: numbers rise from one to the next, the id is for outside."""

    sequence: int
    score_id: str


class FreshStore:
    """The fresh rows and scores in the operations database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def writing(self, customer_id: str) -> Iterator["FreshWriter"]:
        """A transaction about one customer; another about the same one waits until it ends."""
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                # SQLite has one writer at a time, so there a turn is the transaction itself.
                turn = func.pg_advisory_xact_lock(_TURNS, _signed(zlib.crc32(customer_id.encode())))
                connection.execute(select(func.pg_advisory_xact_lock_shared(_EVERYBODY)))
                # A snapshot then shows the transaction as under way before it draws a number.
                connection.execute(select(turn, func.pg_current_xact_id()))
            yield FreshWriter(connection, customer_id)

    @contextmanager
    def writing_alone(self) -> Iterator[Connection]:
        """A transaction about everybody; no other of this store is under way meanwhile."""
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_EVERYBODY)))
            yield connection

    def ahead(self, since: datetime) -> list[str]:
        """The customers of whom rows arrived after `since`."""
        rows = FRESH_ROWS.c
        late = select(rows.customer_id).where(rows.received_at > since).distinct()
        with self._database.reading() as connection:
            return list(connection.scalars(late.order_by(rows.customer_id)))


class FreshWriter:
    """What one transaction about one customer reads and writes."""

    def __init__(self, connection: Connection, customer_id: str) -> None:
        self.connection = connection
        self.customer_id = customer_id

    def add(self, rows: Mapping[str, Sequence[Any]], now: datetime) -> None:
        """Keep rows of the customer that arrived `now`."""
        values = {
            "customer_id": self.customer_id,
            "received_at": now,
            "rows": orjson.dumps(rows),
        }
        self.connection.execute(insert(FRESH_ROWS).values(values))

    def rows_since(self, since: datetime) -> list[Rows]:
        """The customer's rows that arrived after `since`, oldest call first."""
        query = (
            select(FRESH_ROWS.c.rows)
            .where(FRESH_ROWS.c.customer_id == self.customer_id)
            .where(FRESH_ROWS.c.received_at > since)
            .order_by(FRESH_ROWS.c.id)
        )
        return [unpacked(orjson.loads(rows)) for rows in self.connection.scalars(query)]

    def record(
        self,
        score: Score,
        timing: Mapping[str, Any],
        cause: str,
        model_version: str,
        now: datetime,
        *,
        is_at_risk: bool,
    ) -> LiveScoreId:
        """Keep a score and what caused it."""
        score_id = f"score_{secrets.token_hex(12)}"
        values = {
            "score_id": score_id,
            "customer_id": self.customer_id,
            "scored_at": now,
            "cutoff": score.cutoff,
            "cause": cause,
            "model_version": model_version,
            "churn_probability": score.churn_probability,
            "is_at_risk": is_at_risk,
            "record": orjson.dumps(score_record(score, score_id)),
            "timing": orjson.dumps(timing),
        }
        added = insert(LIVE_SCORES).values(values).returning(LIVE_SCORES.c.sequence)
        return LiveScoreId(self.connection.execute(added).scalar_one(), score_id)


def _signed(number: int) -> int:
    """An unsigned 32-bit number as the signed one with the same bits."""
    return number - (1 << 32) if number >= 1 << 31 else number
