"""Contacts with a random arm are read once, wherever they come from, with their chances."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.snapshot import Snapshot
from features.trials import CONTACTS_SCHEMA
from tests.conftest import MakeSnapshot
from training.contacts import randomised_contacts

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
ORDER = {"customer_id": "a", "ordered_at": datetime(2024, 1, 1, tzinfo=UTC), "amount": 5.0}


def entry(
    customer: str, arm: str | None, days: float = 0, campaign: str = "care"
) -> dict[str, object]:
    at = NOON + timedelta(days=days)
    return {"customer_id": customer, "contacted_at": at, "campaign": campaign, "arm": arm}


def own(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), CONTACTS_SCHEMA)


def orders_alone(make_snapshot: MakeSnapshot, folder: Path) -> Snapshot:
    return make_snapshot(folder, {"orders": [ORDER]}, timezone="Asia/Jakarta")


def test_each_entry_has_its_day_its_arm_and_the_share_that_its_campaign_contacted(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    """Three of four are contacted; noon in UTC is seven in the evening of the day in Jakarta."""
    rows = [entry("a", "treatment"), entry("b", "holdout"), entry("c", "treatment", 5.3)]
    rows += [entry("d", "treatment", 5.3)]
    tables = {"orders": [ORDER], "contacts": rows}
    found = randomised_contacts(make_snapshot(tmp_path, tables, timezone="Asia/Jakarta"), None)
    assert found.customer_id.tolist() == ["a", "b", "c", "d"]
    assert found.treated.tolist() == [1.0, 0.0, 1.0, 1.0]
    assert found.chance.tolist() == [0.75] * 4
    days = ["2024-02-29T17", "2024-02-29T17", "2024-03-06T17", "2024-03-06T17"]
    assert found.cutoff.tolist() == [np.datetime64(day, "us").item() for day in days]


def test_a_customer_seen_often_counts_once_in_the_share_and_first_of_each(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    """A held-out customer is decided on every day, a contacted one rests."""
    daily = [entry("a", "holdout", day) for day in range(5)]
    table = own(*daily, entry("b", "treatment"), entry("b", "treatment", 9))
    found = randomised_contacts(orders_alone(make_snapshot, tmp_path), table)
    assert set(found.chance) == {0.5}
    first = found.first_of_each()
    assert first.customer_id.tolist() == ["a", "b"]
    assert len(set(first.cutoff)) == 1


def test_campaigns_that_held_nobody_out_or_have_no_arms_are_left_out(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    rows = [entry("a", "treatment", campaign="all"), entry("b", "treatment", campaign="all")]
    rows += [entry("a", None, campaign="newsletter")]
    snapshot = make_snapshot(tmp_path, {"orders": [ORDER], "contacts": rows})
    assert len(randomised_contacts(snapshot, None)) == 0


def test_what_setia_decided_stands_beside_the_source(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    rows = [entry("a", "treatment"), entry("b", "holdout")]
    snapshot = make_snapshot(tmp_path, {"orders": [ORDER], "contacts": rows})
    table = own(entry("c", "treatment", 1, "retention"), entry("d", "holdout", 1, "retention"))
    found = randomised_contacts(snapshot, table)
    assert found.campaign.tolist() == ["care", "care", "retention", "retention"]


def test_without_contacts_there_are_none(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    found = randomised_contacts(orders_alone(make_snapshot, tmp_path), None)
    assert len(found) == 0
    assert len(found.first_of_each()) == 0
