"""The whole way: planned, delivered, matured, read from the data, and told as it truly was."""

from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from features.config import PipelineConfig
from features.snapshot import open_snapshot
from serving.database import Database
from serving.outreach.decide.planning import write_plan
from serving.outreach.deliver.leases import Attempt, lease, settle
from serving.outreach.deliver.recheck import boundary_of
from serving.outreach.message import Receipt
from serving.outreach.prove.derived import derive_outcomes
from serving.outreach.prove.effect_report import report_effect
from serving.outreach.records import DECISIONS, MESSAGES
from tests.conftest import write_snapshot
from tests.serving.outreach.outreach_company import (
    DAY,
    WATERMARK,
    open_shop,
    order,
    orders,
    people,
    shop_config,
)
from tests.serving.scored_company import NOW

CUSTOMERS = 400
KEPT, STAYING = 0.8, 0.5
"""Who buys again where contacted, and where held out."""


def deliver(database: Database, config: PipelineConfig) -> None:
    """Every message arrives, an hour after the plan."""
    boundary, at = boundary_of(config.outreach, config.workspace), NOW
    for endpoint in config.outreach.endpoints:
        while leased := lease(database, endpoint, 100, at, boundary.permissions, repeatable=True):
            attempts = [Attempt(one, at, 0.0, Receipt("delivered")) for one in leased]
            settle(database, endpoint, attempts, at, Random(1))


@pytest.mark.parametrize("bought_at_once", [True, False])
def test_what_contact_truly_changed_is_reported(
    database: Database, tmp_path: Path, bought_at_once: bool
) -> None:
    """By hand: of each arm so many buy within 90 days, each for 20; all later orders count not."""
    shop = open_shop(tmp_path, CUSTOMERS)
    channels = {"email": {"endpoint": "drop", "cost": 2, "daily_capacity": CUSTOMERS}}
    config = shop_config(
        tmp_path, channels=channels, daily_budget=1_000, holdout_share=0.4, exploration_share=0
    )
    write_plan(database, config, shop.basis(), NOW)
    deliver(database, config)
    with database.reading() as connection:
        arms = dict(connection.execute(select(DECISIONS.c.customer_id, DECISIONS.c.arm)).all())
        states = set(connection.scalars(select(MESSAGES.c.state)))
    assert states == {"delivered"}
    contacted, held_out = (
        sorted(one for one, arm in arms.items() if arm == name) for name in ("contact", "holdout")
    )
    buyers = contacted[: int(KEPT * len(contacted))] + held_out[: int(STAYING * len(held_out))]
    after = 3 * DAY if bought_at_once else 89 * DAY
    late = [order(one, NOW + 95 * DAY, 500.0) for one in contacted]
    bought = [order(one, NOW + after, 20.0) for one in buyers]
    tables = {"customers": people(CUSTOMERS), "orders": orders(CUSTOMERS) + bought + late}
    until = WATERMARK + 120 * DAY
    write_snapshot(tmp_path / "snapshots", tables, "Asia/Jakarta", until).connection.close()
    snapshot = open_snapshot(tmp_path / "snapshots")
    with database.writing() as connection:
        derived = derive_outcomes(connection, snapshot, config, until)
        found = report_effect(connection, config, until, until)
    snapshot.connection.close()
    assert derived.matured == len(contacted) + len(held_out)
    assert found.measured.contact == len(contacted) > 150
    shares = (
        int(KEPT * len(contacted)) / len(contacted),
        int(STAYING * len(held_out)) / len(held_out),
    )
    assert found.staying == {"contact": shares[0], "holdout": shares[1]}
    assert found.retention.difference == pytest.approx(shares[0] - shares[1], abs=0.03)
    assert found.retention.sure
    assert found.value is not None
    assert found.value.difference == pytest.approx(20 * (shares[0] - shares[1]), abs=0.6)
    assert found.cost == 2.0 * len(contacted)
    assert found.contacts_of_held_out == 0
    assert {(one.by, one.name) for one in found.slices} >= {
        ("policy", "expected_gain"),
        ("channel", "email"),
        ("segment", "home"),
    }
