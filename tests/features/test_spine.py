"""Who is asked about at a cutoff."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.config import ChurnConfig
from features.snapshot import Snapshot
from features.spine import eligible_spine, require_usable
from features.windows import CutoffError

MakeSnapshot = Callable[..., Snapshot]
CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)


def ago(days: float) -> datetime:
    return CUTOFF - timedelta(days=days)


def order(customer: str, days: float, **more: Any) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": ago(days), "amount": 1.0, **more}


def asked(snapshot: Snapshot, churn: ChurnConfig, *cutoffs: datetime) -> list[tuple[str, datetime]]:
    rows = eligible_spine(snapshot, churn, cutoffs or [CUTOFF]).to_pylist()
    return [(row["customer_id"], row["cutoff"]) for row in rows]


def test_inactivity_asks_about_buyers_within_the_eligible_days(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    orders = [
        order("long ago", 90.001),
        order("just in", 90),
        order("recent", 1),
        order("returned only", 1, is_return=True),
        order("future", 0),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders})
    found = asked(snapshot, ChurnConfig(eligible_days=90))
    assert found == [("just in", CUTOFF), ("recent", CUTOFF)]


def test_inactivity_by_events_asks_about_users(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    events = [{"customer_id": "ana", "occurred_at": ago(3), "event": "use"}]
    tables = {"orders": [order("bob", 3), order("bob", 30)], "events": events}
    churn = ChurnConfig(activity="events")
    assert asked(make_snapshot(tmp_path, tables), churn) == [("ana", CUTOFF)]


def test_subscription_asks_about_those_running_at_the_cutoff(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    spans = {
        "ended": (50, 1),
        "ends at the cutoff": (50, 0),
        "open": (50, None),
        "starts at it": (0, None),
    }
    subscriptions = [
        {
            "customer_id": name,
            "subscription_id": name,
            "started_at": ago(start),
            "ended_at": None if end is None else ago(end),
        }
        for name, (start, end) in spans.items()
    ]
    snapshot = make_snapshot(tmp_path, {"subscriptions": subscriptions})
    found = asked(snapshot, ChurnConfig(label="subscription"))
    assert [customer for customer, _ in found] == ["ends at the cutoff", "open"]


def test_column_asks_about_every_customer_once(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    people = [{"customer_id": name, "left": "yes"} for name in ("bob", "ana", "bob")]
    snapshot = make_snapshot(tmp_path, {"customers": people})
    churn = ChurnConfig(label="column", column="left")
    assert asked(snapshot, churn) == [("ana", CUTOFF), ("bob", CUTOFF)]


def test_cutoffs_come_in_the_order_given(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": [order("bob", 30), order("ana", 40)]})
    expected = [("ana", CUTOFF), ("bob", CUTOFF), ("ana", ago(35))]
    assert asked(snapshot, ChurnConfig(), CUTOFF, ago(35)) == expected


@pytest.mark.parametrize(
    ("cutoff", "message"),
    [
        (datetime(2024, 6, 1), "has no time zone"),
        (datetime(2024, 7, 1, tzinfo=UTC), "start of a day in Asia/Jakarta; use 2024-06-30T17:00"),
        (datetime(2024, 5, 31, 17, tzinfo=UTC), "first usable cutoff is 2024-06-02"),
    ],
)
def test_unusable_cutoffs_are_refused(
    make_snapshot: MakeSnapshot, tmp_path: Path, cutoff: datetime, message: str
) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": [order("ana", 29.5)]}, timezone="Asia/Jakarta")
    with pytest.raises(CutoffError, match=message):
        require_usable(snapshot, [cutoff])
