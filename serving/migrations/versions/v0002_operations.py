"""Fresh rows and scores, who is at risk, decisions, messages with their attempts, outcomes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _fresh()
    _standings()
    _decisions()
    _messages()
    _outcomes()
    _forgotten()


def _fresh() -> None:
    op.create_table(
        "fresh_rows",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("rows", sa.LargeBinary, nullable=False),
    )
    op.create_index("fresh_rows_by_customer", "fresh_rows", ["customer_id", "received_at"])
    op.create_table(
        "live_scores",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("score_id", sa.String(40), nullable=False, unique=True),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("scored_at", _TIME, nullable=False),
        sa.Column("cutoff", _TIME, nullable=False),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("churn_probability", sa.Float, nullable=False),
        sa.Column("is_at_risk", sa.Boolean, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("timing", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("live_scores_by_customer", "live_scores", ["customer_id", "scored_at"])


def _standings() -> None:
    op.create_table(
        "standings",
        sa.Column("customer_id", sa.String(200), primary_key=True),
        sa.Column("is_at_risk", sa.Boolean, nullable=False),
        sa.Column("since", _TIME, nullable=False),
    )
    op.create_table(
        "scoring_runs",
        sa.Column("snapshot_id", sa.String(40), primary_key=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("cutoff", _TIME),
        sa.Column("data_until", _TIME, nullable=False),
        sa.Column("customers", sa.Integer, nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
    )
    op.create_table(
        "risk_events",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("type", sa.String(30), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("score_id", sa.String(60), nullable=False),
        sa.Column("at", _TIME, nullable=False),
    )
    op.create_index("risk_events_by_customer", "risk_events", ["customer_id", "at"])


def _decisions() -> None:
    op.create_table(
        "programmes",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("holdout_key", sa.LargeBinary, nullable=False),
        sa.Column("holdout_share", sa.Float, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("plans", sa.Integer, nullable=False),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("programme", sa.String(60), nullable=False),
        sa.Column("run", sa.String(40), nullable=False, index=True),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("occasion", sa.String(20), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(30), nullable=False),
        sa.Column("arm", sa.String(10)),
        sa.Column("policy", sa.String(20)),
        sa.Column("channel", sa.String(20)),
        sa.Column("step", sa.String(30)),
        sa.Column("expected_gain", sa.Float),
        sa.Column("cost", sa.Float),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("change", sa.Float),
        sa.Column("churn_probability", sa.Float),
        sa.Column("risk_tier", sa.String(10)),
        sa.Column("segment", sa.String(100)),
        sa.Column("timezone", sa.String(60)),
        sa.Column("before", sa.Float),
        sa.Column("score_id", sa.String(60)),
        sa.Column("model_version", sa.String(100)),
        sa.Column("window_opens", _TIME),
        sa.Column("window_closes", _TIME),
        sa.Column("note", sa.String(500)),
    )
    columns = ["customer_id", "decided_at"]
    op.create_index("decisions_by_customer", "decisions", columns)
    in_arms = sa.text("arm IS NOT NULL")
    op.create_index(
        "decisions_in_arms",
        "decisions",
        ["decided_at"],
        sqlite_where=in_arms,
        postgresql_where=in_arms,
    )
    op.create_table(
        "suppressions",
        sa.Column("customer_id", sa.String(200), primary_key=True),
        sa.Column("channel", sa.String(20), primary_key=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("sequence", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("endpoint", sa.String(60), nullable=False),
        sa.Column("type", sa.String(30), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("decision_id", sa.String(40), sa.ForeignKey("decisions.id")),
        sa.Column("effect_key", sa.String(64), nullable=False, unique=True),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_at", _TIME, nullable=False),
        sa.Column("not_after", _TIME),
        sa.Column("lease", sa.String(40)),
        sa.Column("leased_until", _TIME),
        sa.Column("settled_at", _TIME),
        sa.Column("detail", sa.String(500)),
    )
    op.create_index("messages_due", "messages", ["endpoint", "state", "next_at"])
    op.create_index("messages_expiring", "messages", ["endpoint", "state", "not_after"])
    op.create_index("messages_by_customer", "messages", ["customer_id", "endpoint", "state"])
    op.create_index("messages_by_decision", "messages", ["decision_id"])
    op.create_table(
        "attempts",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column(
            "message_id",
            sa.String(40),
            sa.ForeignKey("messages.id"),
            nullable=False,
            index=True,
        ),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(12), nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("detail", sa.String(500)),
    )
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", _TIME),
        sa.Column("closed_until", _TIME),
        sa.Column("disabled_at", _TIME),
        sa.Column("detail", sa.String(500)),
    )


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("decision_id", sa.String(40)),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.UniqueConstraint(
            "customer_id", "kind", "occurred_at", "decision_id", name="outcomes_once"
        ),
    )
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )


def _forgotten() -> None:
    op.create_table(
        "forgotten",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("at", _TIME, nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(30), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
