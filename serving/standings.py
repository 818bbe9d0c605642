"""Who is at risk now, whichever score said so last, and the events of coming in and out of it."""

from datetime import datetime
from typing import Literal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    delete,
    insert,
    select,
)

from features.config import ServingConfig
from serving.database import METADATA, UtcTime

RiskEvent = Literal["customer.at_risk", "customer.recovered"]

STANDINGS = Table(
    "standings",
    METADATA,
    Column("customer_id", String(200), primary_key=True),
    Column("is_at_risk", Boolean, nullable=False),
    Column("since", UtcTime, nullable=False),
)
"""One row per customer who is or was at risk. Once a run has been told, no row means no risk."""

SCORING_RUNS = Table(
    "scoring_runs",
    METADATA,
    Column("snapshot_id", String(40), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("cutoff", UtcTime),
    Column("customers", Integer, nullable=False),
    Column("model_version", String(100), nullable=False),
)
"""One row per scoring run whose scores `standings` took in."""

RISK_EVENTS = Table(
    "risk_events",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("type", String(30), nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("score_id", String(60), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("risk_events_by_customer", "customer_id", "at"),
)
"""One row each time a customer comes into danger or out of it."""


def stands_at_risk(propensity: float, serving: ServingConfig, *, was: bool) -> bool:
    """Whether a customer is at risk: from `high_risk` on, and until clearly below it again."""
    return propensity >= serving.high_risk - (serving.recovery_margin if was else 0.0)


def standing(connection: Connection, customer_id: str) -> bool | None:
    """Whether the customer is at risk; None while neither a run nor a live score has said."""
    known = select(STANDINGS.c.is_at_risk).where(STANDINGS.c.customer_id == customer_id)
    found = connection.execute(known).scalar()
    if found is None and connection.execute(select(SCORING_RUNS.c.snapshot_id).limit(1)).first():
        return False
    return found


def change_standing(
    connection: Connection, customer_id: str, score_id: str, now: datetime, *, is_at_risk: bool
) -> None:
    """Note where the customer stands from `now` on, by the score `score_id`."""
    connection.execute(delete(STANDINGS).where(STANDINGS.c.customer_id == customer_id))
    row = {"customer_id": customer_id, "is_at_risk": is_at_risk, "since": now}
    connection.execute(insert(STANDINGS).values(row))
    connection.execute(
        insert(RISK_EVENTS).values(
            type=risk_event(is_at_risk=is_at_risk),
            customer_id=customer_id,
            score_id=score_id,
            at=now,
        )
    )


def risk_event(*, is_at_risk: bool) -> RiskEvent:
    """What happened to a customer who now stands so, and did not before."""
    return "customer.at_risk" if is_at_risk else "customer.recovered"
