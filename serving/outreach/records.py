"""What outreach leaves in the operations database: decisions, messages, outcomes, who did what."""

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from serving.database import METADATA, ROW_NUMBER, UtcTime

_IN_ARM = text("arm IS NOT NULL")

PROGRAMMES = Table(
    "programmes",
    METADATA,
    Column("name", String(60), primary_key=True),
    Column("holdout_key", LargeBinary, nullable=False),
    Column("holdout_share", Float, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("plans", Integer, nullable=False),
)
"""One row per programme: its secret holdout key, made once, and how many plans were written.

`planned` is the number of customers at which the effect's interval is tightest, fixed at start.
"""

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("programme", String(60), nullable=False),
    Column("run", String(40), nullable=False, index=True),
    Column("decided_at", UtcTime, nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("occasion", String(20), nullable=False),
    Column("action", String(10), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("arm", String(10)),
    Column("policy", String(20)),
    Column("channel", String(20)),
    Column("step", String(30)),
    Column("expected_gain", Float),
    Column("cost", Float),
    Column("value", Float, nullable=False),
    Column("change", Float),
    Column("churn_probability", Float),
    Column("risk_tier", String(10)),
    Column("segment", String(100)),
    Column("timezone", String(60)),
    Column("before", Float),
    Column("score_id", String(60)),
    Column("model_version", String(100)),
    Column("window_opens", UtcTime),
    Column("window_closes", UtcTime),
    Column("note", String(500)),
    Index("decisions_by_customer", "customer_id", "decided_at"),
    Index("decisions_in_arms", "decided_at", sqlite_where=_IN_ARM, postgresql_where=_IN_ARM),
)
"""One row per customer considered by a plan.

`arm` is `contact` or `holdout` for those whom the plan would contact but for the holdout, who
alone are compared; `before` is the covariate known before: contribution over the last horizon.
A held-out customer in an arm has the policy, channel, step and window that they would have had.
"""

MESSAGES = Table(
    "messages",
    METADATA,
    Column("sequence", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("endpoint", String(60), nullable=False),
    Column("type", String(30), nullable=False),
    Column("customer_id", String(200), nullable=False),
    Column("decision_id", String(40), ForeignKey("decisions.id")),
    Column("effect_key", String(64), nullable=False, unique=True),
    Column("payload", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("not_after", UtcTime),
    Column("lease", String(40)),
    Column("leased_until", UtcTime),
    Column("settled_at", UtcTime),
    Column("detail", String(500)),
    Index("messages_due", "endpoint", "state", "next_at"),
    Index("messages_expiring", "endpoint", "state", "not_after"),
    Index("messages_by_customer", "customer_id", "endpoint", "state"),
    Index("messages_by_decision", "decision_id"),
)
"""The outbox: one row per message, written in the transaction of what it tells of.

`state` is pending, sending, delivered, expired, suppressed, dead or unknown; `effect_key` is a
hash of customer, programme, step and window (or of the event), so that nothing is said twice.
No row is ever deleted, erasure clears it, so that SQLite too gives no `sequence` twice.
"""

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("message_id", String(40), ForeignKey("messages.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("verdict", String(12), nullable=False),
    Column("code", Integer),
    Column("detail", String(500)),
)
"""One row per attempt to deliver a message."""

ENDPOINTS = Table(
    "endpoints",
    METADATA,
    Column("name", String(60), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("closed_until", UtcTime),
    Column("disabled_at", UtcTime),
    Column("detail", String(500)),
)
"""How each endpoint fares: failures in a row, until when its circuit is broken, if disabled."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("customer_id", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("occurred_at", UtcTime, nullable=False),
    Column("value", Float),
    Column("decision_id", String(40)),
    Column("source", String(20), nullable=False),
    Column("received_at", UtcTime, nullable=False),
    UniqueConstraint("customer_id", "kind", "occurred_at", "decision_id", name="outcomes_once"),
)
"""One row per thing that a customer did, or that became of them, after a decision."""

SUPPRESSIONS = Table(
    "suppressions",
    METADATA,
    Column("customer_id", String(200), primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("reason", String(100), nullable=False),
)
"""Whom nobody may contact by a channel, or by any where it is `any`; from the next attempt on."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(60), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", JSON, nullable=False),
)
"""One row per act: a plan written, messages replayed, an endpoint disabled, outcomes taken in."""

FORGOTTEN = Table(
    "forgotten",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
)
"""One row per person who was erased: a keyed hash of the id, by which they stay left alone."""

SECRETS = Table(
    "secrets",
    METADATA,
    Column("name", String(30), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""Random keys made on first use: `forgotten` hashes the ids of those who were erased."""
