"""The history file: each customer's rows once, whatever tables the company has."""

from datetime import UTC, datetime
from pathlib import Path

from features.snapshot import open_snapshot
from serving.history import FILE, History, write_history
from tests.conftest import write_snapshot

ORDERS = [
    {"customer_id": who, "ordered_at": datetime(2025, 3, day, tzinfo=UTC), "amount": 10.0 * day}
    for who, day in (("a", 1), ("a", 2), ("b", 3))
]


def test_a_company_of_orders_alone_has_each_customer_once(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": ORDERS})
    write_history(tmp_path / FILE, open_snapshot(tmp_path / "snapshots"))
    history = History(tmp_path / FILE)
    assert [row["amount"] for row in history.rows("a")["orders"]] == [10.0, 20.0]
    assert len(history.rows("b")["orders"]) == 1
    history.close()
