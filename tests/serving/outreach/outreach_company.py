"""A small scored company whose outreach can be planned, with people as a test needs them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from features.config import PipelineConfig
from serving.outreach.decide.basis import Basis, read_basis
from serving.served import load_served
from tests.conftest import Rows, write_snapshot
from tests.serving.scored_company import NOW, Company, score_company

DAY = timedelta(days=1)
WATERMARK = datetime(2026, 1, 2, 17, tzinfo=UTC)
"""Midnight in Jakarta after NOW, so that nothing in the data is moved."""
OUTREACH: dict[str, Any] = {
    "channels": {
        "email": {"endpoint": "drop", "cost": 1, "daily_capacity": 20},
        "messaging": {"endpoint": "crm", "cost": 3, "daily_capacity": 10},
    },
    "endpoints": {
        "drop": {"kind": "file", "folder": "out"},
        "crm": {"kind": "file", "folder": "crm"},
    },
    "daily_budget": 60,
    "exploration_share": 0.2,
    "assumed_change": 0.5,
    "holdout_share": 0.2,
    "check_in_days": 0,
}


@dataclass(frozen=True)
class Shop:
    """A workspace with scores and a snapshot."""

    company: Company
    config: PipelineConfig

    def basis(self, now: datetime = NOW) -> Basis:
        return read_basis(self.config, load_served(self.config.workspace), now)


def people(customers: int) -> list[dict[str, Any]]:
    """Rows of `customers` who agreed to everything and live in Jakarta."""
    return [
        {
            "customer_id": f"c_{place:04d}",
            "timezone": "Asia/Jakarta",
            "language": "id",
            "segment": "home",
            "email_consent": True,
            "sms_consent": True,
        }
        for place in range(customers)
    ]


def order(customer_id: str, at: datetime, amount: float = 10.0) -> dict[str, Any]:
    return {"customer_id": customer_id, "ordered_at": at, "amount": amount}


def orders(customers: int) -> list[dict[str, Any]]:
    """Two orders of everybody, on days long past and far apart."""
    return [
        order(f"c_{place:04d}", NOW - days * DAY)
        for place in range(customers)
        for days in (40, 300)
    ]


def open_shop(
    workspace: Path, customers: int = 120, tables: dict[str, Rows] | None = None, **outreach: Any
) -> Shop:
    """Score a company and write the snapshot beside it; `outreach` changes the configuration."""
    company = score_company(workspace, customers)
    given = {"customers": people(customers), "orders": orders(customers), **(tables or {})}
    write_snapshot(workspace / "snapshots", given, "Asia/Jakarta", WATERMARK).connection.close()
    return Shop(company, shop_config(workspace, **outreach))


def shop_config(workspace: Path, **outreach: Any) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "shop",
            "currency": "USD",
            "timezone": "Asia/Jakarta",
            "workspace": workspace,
            "sources": {},
            "outreach": OUTREACH | outreach,
        }
    )
