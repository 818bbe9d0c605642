"""A simulated programme in an operations database: who was assigned to what, and when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from features.config import PipelineConfig
from serving.database import Database
from serving.outreach.records import DECISIONS, MESSAGES
from tests.serving.outreach.outbox_rows import add_programme

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
HORIZON = 30


@dataclass(frozen=True)
class Assigned:
    """One customer as a plan assigned them."""

    customer_id: str
    arm: str | None
    at: datetime = START
    traits: dict[str, Any] = field(default_factory=dict)


def config(workspace: Path, orders: Path | None = None, **more: Any) -> PipelineConfig:
    """A shop that sells in EUR and asks who stays for 30 days."""
    return PipelineConfig.model_validate(
        {
            "name": "shop",
            "currency": "EUR",
            "workspace": workspace,
            "sources": {"orders": {"path": str(orders or "orders.csv")}},
            "churn": {"horizon_days": HORIZON},
            **more,
        }
    )


def begin(
    database: Database,
    customers: Iterable[Assigned],
    share: float = 0.5,
    planned: int = 2_000,
    name: str = "retention",
) -> None:
    """Write the programme and one decision for each; those to contact have a delivered message."""
    decisions = [_decision(name, place, one) for place, one in enumerate(customers)]
    with database.writing() as connection:
        add_programme(connection, name=name, holdout_share=share, planned=planned, started_at=START)
        connection.execute(insert(DECISIONS), decisions)
        if messages := list(_messages(decisions)):
            connection.execute(insert(MESSAGES), messages)


def draw(customers: int, share: float, seed: int, days: int = 1, **traits: Any) -> list[Assigned]:
    """So many customers, assigned at random on so many days."""
    held_out = np.random.default_rng(seed).random(customers) < share
    return [
        Assigned(
            f"c{place}", "holdout" if out else "contact", START + place % days * DAY, dict(traits)
        )
        for place, out in enumerate(held_out.tolist())
    ]


def _decision(name: str, place: int, one: Assigned) -> dict[str, Any]:
    contacted = one.arm == "contact"
    row = {
        "id": f"dec_{place}" if name == "retention" else f"dec_{name}_{place}",
        "programme": name,
        "run": "run_1",
        "decided_at": one.at,
        "customer_id": one.customer_id,
        "occasion": "risk",
        "action": "contact" if contacted else "suppress",
        "reason": "expected_gain" if contacted else "holdout",
        "arm": one.arm,
        "policy": one.arm and "expected_gain",
        "channel": "email",
        "cost": 2.0 if contacted else None,
        "value": 100.0,
        "churn_probability": 0.5,
        "risk_tier": "medium",
        "segment": None,
        "before": None,
    }
    return row | one.traits


def _messages(decisions: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in decisions:
        if row["action"] == "contact":
            yield {
                "id": f"msg_{row['id']}",
                "endpoint": "crm",
                "type": "outreach.contact",
                "customer_id": row["customer_id"],
                "decision_id": row["id"],
                "effect_key": f"key_{row['id']}",
                "payload": {"customer_id": row["customer_id"]},
                "state": "delivered",
                "attempts": 1,
                "created_at": row["decided_at"],
                "next_at": row["decided_at"],
                "settled_at": row["decided_at"],
            }
