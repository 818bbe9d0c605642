"""Who is at risk, whichever score said so last, and the telling of it when that changes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    insert,
    select,
)

from features.config import ServingConfig
from serving.database import METADATA, ROW_NUMBER, UtcTime
from serving.online import About
from serving.outreach.outbox import NewMessage, enqueue
from serving.scoring import Score, utc_text

RiskEvent = Literal["customer.at_risk", "customer.recovered"]

STANDINGS = Table(
    "standings",
    METADATA,
    Column("customer_id", String(200), primary_key=True),
    Column("is_at_risk", Boolean, nullable=False),
    Column("since", UtcTime, nullable=False),
)
"""One row per customer who is or was at risk. Once a run has been taken in, no row is no risk."""

SCORING_RUNS = Table(
    "scoring_runs",
    METADATA,
    Column("snapshot_id", String(40), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("cutoff", UtcTime),
    Column("data_until", UtcTime, nullable=False),
    Column("customers", Integer, nullable=False),
    Column("model_version", String(100), nullable=False),
)
"""One row per scoring run whose scores the standings took in."""

RISK_EVENTS = Table(
    "risk_events",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True),
    Column("type", String(30), nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("score_id", String(60), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("risk_events_by_customer", "customer_id", "at"),
)
"""One row each time a customer comes into danger or out of it."""


@dataclass(frozen=True, slots=True)
class Change:
    """A customer who has come into danger, or out of it, and the score that says so."""

    score: Score
    score_id: str
    cause: str
    is_at_risk: bool

    @property
    def event(self) -> RiskEvent:
        """What happened."""
        return "customer.at_risk" if self.is_at_risk else "customer.recovered"


def stands_at_risk(propensity: float, serving: ServingConfig, *, was: bool) -> bool:
    """Whether a customer is at risk: from `high_risk` on, and until clearly below it again."""
    return propensity >= serving.high_risk - (serving.recovery_margin if was else 0.0)


def standing(connection: Connection, customer_id: str) -> bool | None:
    """Whether the customer is at risk; None while neither a run nor a live score has said."""
    known = select(STANDINGS.c.is_at_risk).where(STANDINGS.c.customer_id == customer_id)
    found = connection.execute(known).scalar()
    return found if found is not None or not has_run(connection) else False


def has_run(connection: Connection) -> bool:
    """Whether the standings have taken in a scoring run, and so know everybody's."""
    return connection.execute(select(SCORING_RUNS.c.snapshot_id).limit(1)).first() is not None


def set_standings(connection: Connection, stands: dict[str, bool], now: datetime) -> None:
    """Note where customers stand from `now` on."""
    if not stands:
        return
    ids = [{"gone": customer_id} for customer_id in stands]
    connection.execute(delete(STANDINGS).where(STANDINGS.c.customer_id == bindparam("gone")), ids)
    rows = [
        {"customer_id": customer_id, "is_at_risk": is_at_risk, "since": now}
        for customer_id, is_at_risk in stands.items()
    ]
    connection.execute(insert(STANDINGS), rows)


def tell(connection: Connection, changes: Sequence[Change], about: About, now: datetime) -> None:
    """Note the changes with their events, and write a message about each to who is to be told."""
    if not changes:
        return
    set_standings(connection, {one.score.customer_id: one.is_at_risk for one in changes}, now)
    events = [
        {
            "type": change.event,
            "customer_id": change.score.customer_id,
            "score_id": change.score_id,
            "at": now,
        }
        for change in changes
    ]
    connection.execute(insert(RISK_EVENTS), events)
    messages = (
        _message(endpoint, change, about, now) for change in changes for endpoint in about.events_to
    )
    enqueue(connection, messages, now)


def _message(endpoint: str, change: Change, about: About, now: datetime) -> NewMessage:
    score = change.score
    payload: dict[str, Any] = {
        "customer_id": score.customer_id,
        "churn_probability": score.churn_probability,
        "risk_tier": score.risk_tier,
        "value_at_risk": score.value_at_risk,
        "currency": about.currency,
        "score_id": change.score_id,
        "cause": change.cause,
        "at": utc_text(now),
        "model_version": about.model_version,
    }
    if about.generated:
        payload["generated"] = True
    effect = f"{change.event} {score.customer_id} {change.score_id} {endpoint}"
    key = hashlib.sha256(effect.encode()).hexdigest()
    return NewMessage(endpoint, change.event, score.customer_id, key, payload)
