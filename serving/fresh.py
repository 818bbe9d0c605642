"""What reached the service since the last scoring run: rows, the scores they led to, and events.

The tables are SQLAlchemy Core on one SQLite file of the workspace.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)

from serving.history import Rows, unpacked
from serving.scoring import Score, score_record, utc_text

FILE = "fresh.db"

RiskEvent = Literal["customer.at_risk", "customer.recovered"]

METADATA = MetaData()

FRESH_ROWS = Table(
    "fresh_rows",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("customer_id", String(200), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("rows", LargeBinary, nullable=False),
    Index("fresh_rows_by_customer", "customer_id", "received_at"),
)
"""One row per call: JSON of canonical table to rows, shaped, texts as numbers only."""

LIVE_SCORES = Table(
    "live_scores",
    METADATA,
    Column("score_id", String(40), primary_key=True),
    Column("customer_id", String(200), nullable=False),
    Column("scored_at", String(32), nullable=False),
    Column("cutoff", String(32), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("churn_probability", Float, nullable=False),
    Column("is_at_risk", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("live_scores_by_customer", "customer_id", "scored_at"),
)
"""One row per score that a fresh row led to; `record` is JSON of `score_record`."""

RISK_EVENTS = Table(
    "risk_events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("type", String(30), nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("score_id", String(40), nullable=False),
    Column("at", String(32), nullable=False),
)
"""One row each time a customer comes into danger or out of it."""


@dataclass(frozen=True)
class Standing:
    """How a customer stood when last scored live."""

    at: datetime
    is_at_risk: bool


class FreshStore:
    """The fresh rows of one workspace; what is committed survives a loss of power."""

    def __init__(self, workspace: Path) -> None:
        """The file is made on first use."""
        self._engine = create_engine(
            f"sqlite:///{workspace / FILE}", connect_args={"timeout": 20.0}
        )
        event.listen(self._engine, "connect", _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        self._is_made = False

    @contextmanager
    def writing(self) -> Iterator["FreshWriter"]:
        """One transaction at a time, committed when the block ends without an error."""
        with self._engine.begin() as connection:
            if not self._is_made:
                METADATA.create_all(connection)
                self._is_made = True
            yield FreshWriter(connection)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


class FreshWriter:
    """What one transaction reads and writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, customer_id: str, rows: Mapping[str, Sequence[Any]], now: datetime) -> None:
        """Keep rows of one customer that arrived `now`."""
        values = {
            "customer_id": customer_id,
            "received_at": _text(now),
            "rows": orjson.dumps(rows),
        }
        self._connection.execute(insert(FRESH_ROWS).values(values))

    def rows_since(self, customer_id: str, since: datetime) -> list[Rows]:
        """The customer's rows that arrived after `since`, oldest call first."""
        query = (
            select(FRESH_ROWS.c.rows)
            .where(FRESH_ROWS.c.customer_id == customer_id)
            .where(FRESH_ROWS.c.received_at > _text(since))
            .order_by(FRESH_ROWS.c.id)
        )
        return [unpacked(orjson.loads(rows)) for rows in self._connection.scalars(query)]

    def standing(self, customer_id: str) -> Standing | None:
        """How the customer stood when last scored live; None before the first time."""
        query = (
            select(LIVE_SCORES.c.scored_at, LIVE_SCORES.c.is_at_risk)
            .where(LIVE_SCORES.c.customer_id == customer_id)
            .order_by(LIVE_SCORES.c.scored_at.desc())
            .limit(1)
        )
        found = self._connection.execute(query).first()
        return Standing(datetime.fromisoformat(found[0]), bool(found[1])) if found else None

    def record(
        self, score: Score, cause: str, model_version: str, now: datetime, *, is_at_risk: bool
    ) -> str:
        """Keep a score and what caused it; returns its id."""
        score_id = f"score_{secrets.token_hex(12)}"
        values = {
            "score_id": score_id,
            "customer_id": score.customer_id,
            "scored_at": _text(now),
            "cutoff": utc_text(score.cutoff),
            "cause": cause,
            "model_version": model_version,
            "churn_probability": score.churn_probability,
            "is_at_risk": int(is_at_risk),
            "record": orjson.dumps(score_record(score)),
        }
        self._connection.execute(insert(LIVE_SCORES).values(values))
        return score_id

    def happened(self, kind: RiskEvent, customer_id: str, score_id: str, now: datetime) -> None:
        """Keep that the customer came into danger or out of it."""
        values = {"type": kind, "customer_id": customer_id, "score_id": score_id, "at": _text(now)}
        self._connection.execute(insert(RISK_EVENTS).values(values))


def _text(instant: datetime) -> str:
    """The instant in UTC with microseconds always, so that texts sort as instants do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _on_connect(connection: Any, _: Any) -> None:
    # The driver must not begin by itself; IMMEDIATE waits its turn where an upgrade would fail.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
