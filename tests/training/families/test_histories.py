"""What BTYD is fitted to: the histories of a snapshot, its net share, and nothing of the future."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import PipelineConfig, SourceConfig
from features.given_labels import LabelError
from features.labels import net_share
from features.snapshot import Snapshot
from training.btyd.composite import Btyd
from training.btyd.history import History, order_history
from training.dataset import unlabelled_rows
from training.families.forecast import history_of
from training.families.histories import histories, standpoint
from training.rows import churn_rows

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CUTOFF = FIRST + 100 * DAY
FIELDS = ("frequency", "recency", "T", "orders", "mean_value")


def config(**clv: Any) -> PipelineConfig:
    return PipelineConfig(
        name="test",
        currency="EUR",
        sources={"orders": SourceConfig(path="orders.csv")},
        churn={"horizon_days": 30, "eligible_days": 200},
        clv={"horizon_days": 30} | clv,
        training={"cutoffs": 1, "cutoff_every_days": 30},
    )


def order(customer: str, day: float, amount: float = 10.0, **more: Any) -> dict[str, Any]:
    at = FIRST + day * DAY
    return {"customer_id": customer, "ordered_at": at, "amount": amount} | more


def shop(customers: int = 90, days: int = 140, seed: int = 1) -> list[dict[str, Any]]:
    """Customers with a pace and an end of their own, some days with two orders."""
    rng = np.random.default_rng(seed)
    orders = []
    for number in range(customers):
        day, end = rng.uniform(0, 60), rng.uniform(40, 250)
        while day < min(end, days):
            amount = round(float(rng.gamma(3.0, 10.0)), 2)
            orders += [order(f"c{number:02}", day, amount)] * int(rng.integers(1, 3))
            day += rng.exponential(12.0)
    return orders


def as_lists(history: History) -> list[list[float]]:
    return [getattr(history, field).tolist() for field in FIELDS]


def by_order_history(orders: list[dict[str, Any]]) -> History:
    columns = (
        np.array([row["customer_id"] for row in orders]),
        np.array([(row["ordered_at"] - FIRST) // DAY for row in orders]),
        np.array([row["amount"] for row in orders]),
    )
    return order_history(*columns, 100)[1]


def test_the_histories_of_a_snapshot_are_those_of_its_orders(
    tmp_path: Path, make_snapshot: Any
) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    ours, theirs = histories(snapshot, CUTOFF), by_order_history(shop())
    assert len(ours) == len(theirs) > 80
    for field in FIELDS:
        assert getattr(ours, field) == pytest.approx(getattr(theirs, field)), field


def test_days_are_local_and_returns_are_no_orders(tmp_path: Path, make_snapshot: Any) -> None:
    """In Jakarta 20:00 UTC is the next day: order days 3 and 8, cutoff at the start of day 10."""
    orders = [
        order("a", 1 + 20 / 24, 30.0),
        order("a", 2 + 3 / 24, 10.0),
        order("a", 7, 20.0),
        order("a", 8, 5.0, is_return=True),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, timezone="Asia/Jakarta")
    cutoff = FIRST + 9 * DAY - timedelta(hours=7)
    assert as_lists(histories(snapshot, cutoff)) == [[1.0], [5.0], [6.0], [2.0], [30.0]]


def test_nothing_at_or_after_the_cutoff_matters(tmp_path: Path, make_snapshot: Any) -> None:
    def seen(name: str, orders: list[dict[str, Any]]) -> tuple[list[list[float]], float]:
        snapshot = make_snapshot(tmp_path / name, {"orders": orders}, watermark=FIRST + 200 * DAY)
        return as_lists(histories(snapshot, CUTOFF)), net_share(snapshot, config(), CUTOFF)

    full = [row | {"refunded_at": row["ordered_at"] + 5 * DAY} for row in shop()]
    for row in full[::2]:
        row["refunded_at"] = None
    known = [row for row in full if row["ordered_at"] < CUTOFF]
    blind = [
        row | {"refunded_at": None} if (row["refunded_at"] or FIRST) >= CUTOFF else row
        for row in known
    ]
    at_cutoff = [*full, order("c00", 100, 1e6), order("new", 100)]
    assert len(full) > len(known)
    assert seen("full", full) == seen("blind", blind) == seen("at", at_cutoff)


def test_before_the_first_order_there_is_nobody(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": [order("a", 5)]})
    assert len(histories(snapshot, FIRST)) == 0
    assert net_share(snapshot, config(), FIRST) == 1.0


def refunded() -> list[dict[str, Any]]:
    """200 ordered with a margin of 80; back came 30 and later 50, and 10 by a return."""
    return [
        order("a", 1, 120.0, margin=50.0, refunded_at=FIRST + 9 * DAY, refund_amount=30.0),
        order("b", 2, 80.0, margin=30.0, refunded_at=FIRST + 150 * DAY, refund_amount=50.0),
        order(
            "b", 5, 0.0, is_return=True, margin=0.0, refunded_at=FIRST + 5 * DAY, refund_amount=10.0
        ),
        order("c", 120, 500.0, margin=1.0),
    ]


@pytest.mark.parametrize(
    ("value", "cutoff", "share"),
    [
        ("amount", 100, (200 - 30 - 10) / 200),
        ("margin", 100, (80 - 30 - 10) / 200),
        ("amount", 7, (200 - 10) / 200),
        ("amount", 160, (700 - 30 - 10 - 50) / 700),
    ],
)
def test_the_net_share_by_hand(
    tmp_path: Path, make_snapshot: Any, value: str, cutoff: int, share: float
) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": refunded()}, watermark=FIRST + 200 * DAY)
    found = net_share(snapshot, config(value=value), FIRST + cutoff * DAY)
    assert found == pytest.approx(share, abs=1e-12)


def test_a_net_share_of_margins_that_are_not_there_is_refused(
    tmp_path: Path, make_snapshot: Any
) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": [order("a", 1)]})
    with pytest.raises(LabelError, match=r"map orders\.margin"):
        net_share(snapshot, config(value="margin"), CUTOFF)


def asked(snapshot: Snapshot) -> tuple[Any, np.ndarray]:
    contract = churn_rows(snapshot, config()).train.contract
    return contract, unlabelled_rows(snapshot, config(), CUTOFF, contract).X


def test_a_standpoint_is_fitted_to_all_who_had_ordered(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    contract, X = asked(snapshot)
    found = standpoint(snapshot, config(), CUTOFF, contract, X)
    assert found is not None
    assert found.btyd == Btyd.fit(histories(snapshot, CUTOFF))
    assert found.net_share == 1.0
    assert found.X is X


def test_the_features_hold_the_same_histories(tmp_path: Path, make_snapshot: Any) -> None:
    """Everyone is eligible here, so the rows asked about are all customers by id."""
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    contract, X = asked(snapshot)
    by_rows, by_orders = history_of(X, contract.names), histories(snapshot, CUTOFF)
    for field in FIELDS:
        assert getattr(by_rows, field) == pytest.approx(getattr(by_orders, field)), field


def test_there_is_no_standpoint_where_btyd_cannot_be_fitted_or_asked(
    tmp_path: Path, make_snapshot: Any
) -> None:
    snapshot = make_snapshot(tmp_path / "full", {"orders": shop()})
    contract, X = asked(snapshot)
    unknown = X.copy()
    unknown[3, contract.names.index("orders_T")] = np.nan
    assert standpoint(snapshot, config(), CUTOFF, contract, unknown) is None
    few = make_snapshot(tmp_path / "few", {"orders": shop(40)})
    assert standpoint(few, config(), CUTOFF, contract, X) is None


def test_a_company_that_refunds_everything_keeps_a_share_above_zero(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [row | {"refunded_at": row["ordered_at"]} for row in shop()]
    snapshot = make_snapshot(tmp_path, {"orders": orders})
    contract, X = asked(snapshot)
    found = standpoint(snapshot, config(), CUTOFF, contract, X)
    assert found is not None
    assert found.net_share == 0.01
