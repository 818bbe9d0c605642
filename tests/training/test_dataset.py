"""Which cutoffs are used, what the rows hold, and when training is refused."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from features.config import PipelineConfig, SourceConfig
from features.labels import ImmatureCutoff
from features.windows import local_day, shift_days
from training.dataset import (
    CannotTrain,
    NotEnoughHistory,
    build_dataset,
    labelled,
    plan_split,
    split_customers,
)

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def config(timezone: str = "UTC", cutoffs: int = 3, **churn: Any) -> PipelineConfig:
    return PipelineConfig(
        name="test",
        currency="EUR",
        timezone=timezone,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn={"horizon_days": 30, "eligible_days": 90, **churn},
        clv={"horizon_days": 60},
        training={"cutoffs": cutoffs, "cutoff_every_days": 20},
    )


def order(customer: str, at: datetime, amount: float = 10.0) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": at, "amount": amount}


def shop(days: int = 200, customers: int = 60) -> list[dict[str, Any]]:
    """Customer i orders every i % 30 + 3 days; the even ones stop halfway."""
    return [
        order(f"c{i:02}", START + day * DAY, 5.0 + i)
        for i in range(customers)
        for day in range(0, days if i % 2 else days // 2, i % 30 + 3)
    ]


def days_after_start(cutoffs: tuple[datetime, ...]) -> list[int]:
    return [(cutoff - START).days for cutoff in cutoffs]


def test_the_plan_by_hand(tmp_path: Path, make_snapshot: Any) -> None:
    """200 days, horizon 30: judged at 170, trained at 140, 120, 100, refitted at 170, 150, 130."""
    orders = [order("a", START), order("a", START + 199 * DAY)]
    split = plan_split(make_snapshot(tmp_path, {"orders": orders}), config(), 30)
    assert split.test == START + 170 * DAY
    assert days_after_start(split.train) == [100, 120, 140]
    assert days_after_start(split.refit) == [130, 150, 170]
    assert split.horizon_days == 30


def test_cutoffs_without_history_behind_them_are_left_out(
    tmp_path: Path, make_snapshot: Any
) -> None:
    """100 days, horizon 30: from 40 back, and 20 has less than 30 days behind it."""
    orders = [order("a", START), order("a", START + 99 * DAY)]
    split = plan_split(make_snapshot(tmp_path, {"orders": orders}), config(), 30)
    assert days_after_start(split.train) == [40]
    assert days_after_start(split.refit) == [30, 50, 70]


def test_a_backtest_learns_nothing_from_its_cutoff_on(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    before = START + 120 * DAY
    split = plan_split(snapshot, config(), 30, before)
    assert split.test == before
    assert days_after_start(split.train) == [50, 70, 90]
    assert split.refit == split.train


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Jakarta", "America/New_York"])
@pytest.mark.parametrize("horizon", [7, 30, 60])
def test_no_training_label_reaches_past_the_test_cutoff(
    tmp_path: Path, make_snapshot: Any, timezone: str, horizon: int
) -> None:
    zone = ZoneInfo(timezone)
    snapshot = make_snapshot(tmp_path, {"orders": shop(300)}, timezone=timezone)
    split = plan_split(snapshot, config(timezone, cutoffs=6), horizon)
    assert all(shift_days(cutoff, horizon, zone) <= split.test for cutoff in split.train)
    assert all(
        shift_days(cutoff, horizon, zone) <= snapshot.manifest.watermark for cutoff in split.refit
    )
    midnight = {cutoff.astimezone(zone).hour for cutoff in (*split.train, *split.refit)}
    assert midnight == {0}


def test_too_short_a_history_is_refused_with_its_numbers(
    tmp_path: Path, make_snapshot: Any
) -> None:
    """80 days: judged at 50, which is 10 short of 30 for the label and 30 behind it."""
    orders = [order("a", START), order("a", START + 79 * DAY)]
    snapshot = make_snapshot(tmp_path, {"orders": orders})
    message = (
        r"30 days judged at 2024-02-20 needs 60 days .* starts 50 days before, on 2024-01-01; "
        r"the longest horizon that fits is 25"
    )
    with pytest.raises(NotEnoughHistory, match=message):
        plan_split(snapshot, config(), 30)
    assert len(plan_split(snapshot, config(), 25).train) == 1
    with pytest.raises(NotEnoughHistory, match="the longest horizon that fits is 20"):
        plan_split(snapshot, config(), 30, START + 50 * DAY)
    with pytest.raises(NotEnoughHistory, match="bring a longer history"):
        plan_split(snapshot, config(), 30, START + 20 * DAY)


def test_rows_carry_what_happened(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    split = plan_split(snapshot, config(), 30)
    train = build_dataset(snapshot, config(), split.train, "churn")
    assert train.X.shape == (len(train), len(train.contract.names))
    assert set(train.cutoff) == {np.datetime64(c.replace(tzinfo=None), "us") for c in split.train}
    assert train.churned is not None
    assert train.orders is not None
    assert np.array_equal(train.churned, train.orders == 0)
    assert train.value is None
    last = train.cutoff == np.datetime64(split.train[-1].replace(tzinfo=None), "us")
    known = dict(zip(train.customer_id[last], train.churned[last], strict=True))
    assert (known["c01"], known["c02"]) == (0.0, 1.0)


def test_clv_rows_carry_value_over_their_own_horizon(tmp_path: Path, make_snapshot: Any) -> None:
    """c01 orders 6.00 every four days: 15 times in 60 days."""
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    rows = build_dataset(snapshot, config(), [START + 100 * DAY], "clv")
    place = rows.customer_id.tolist().index("c01")
    assert rows.value is not None
    assert rows.orders is not None
    assert (rows.value[place], rows.orders[place]) == (90.0, 15.0)
    assert rows.churned is None


def test_future_orders_change_no_input(tmp_path: Path, make_snapshot: Any) -> None:
    """The same rows when everything after the cutoff's horizon is missing from the data."""
    cutoff = START + 100 * DAY
    full = make_snapshot(tmp_path / "full", {"orders": shop()})
    history = [row for row in shop() if row["ordered_at"] < cutoff]
    cut = make_snapshot(tmp_path / "cut", {"orders": history}, watermark=full.manifest.watermark)
    contract = build_dataset(full, config(), [cutoff], "churn").contract
    with_future = build_dataset(full, config(), [cutoff], "churn", contract)
    without = build_dataset(cut, config(), [cutoff], "churn", contract)
    assert np.array_equal(with_future.X, without.X, equal_nan=True)


def test_rows_picks_the_same_rows_of_everything(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    data = build_dataset(snapshot, config(), [START + 90 * DAY, START + 110 * DAY], "churn")
    picked = data.rows(np.array([5, 2]))
    assert picked.customer_id.tolist() == [data.customer_id[5], data.customer_id[2]]
    assert data.churned is not None
    assert picked.churned is not None
    assert picked.churned.tolist() == [data.churned[5], data.churned[2]]
    assert np.array_equal(picked.X, data.X[[5, 2]], equal_nan=True)
    assert len(data.rows(data.churned == 1)) == data.churned.sum()


def test_an_immature_cutoff_gives_no_rows(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    late = shift_days(snapshot.manifest.watermark, -29, snapshot.zone)
    with pytest.raises(ImmatureCutoff, match="the latest matured cutoff is"):
        build_dataset(snapshot, config(), [late], "churn")


def weekly(customers: int, last_day: int) -> list[dict[str, Any]]:
    return [
        order(f"c{i}", START + day * DAY) for i in range(customers) for day in range(0, last_day, 7)
    ]


@pytest.mark.parametrize(
    ("customers", "last_day", "message"),
    [
        (60, 190, r"0 of 60 rows churned and 60 stayed; .* shorten churn\.horizon_days"),
        (60, 100, r"60 of 60 rows churned and 0 stayed; .* lengthen churn\.horizon_days"),
        (1, 190, "labelled rows 1, customers 1 "),
        (20, 190, r"labelled rows 20, customers 20 \(at least 50 rows"),
    ],
)
def test_rows_that_cannot_teach_are_refused(
    tmp_path: Path, make_snapshot: Any, customers: int, last_day: int, message: str
) -> None:
    tables = {"orders": weekly(customers, last_day)}
    snapshot = make_snapshot(tmp_path, tables, watermark=START + 200 * DAY)
    with pytest.raises(CannotTrain, match=message):
        build_dataset(snapshot, config(), [START + 110 * DAY], "churn")


def test_value_that_nobody_brought_in_is_refused(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": weekly(60, 100)}, watermark=START + 200 * DAY)
    with pytest.raises(CannotTrain, match="only 0 of 60 rows brought in any value"):
        build_dataset(snapshot, config(), [START + 110 * DAY], "clv")


def wide_table(customers: int = 300) -> list[dict[str, Any]]:
    plans = ["basic", "plus", "pro"]
    return [
        {
            "customer_id": f"c{i}",
            "plan": plans[i % 3],
            "minutes": float(i % 50),
            "left": "Yes" if i % 4 == 0 else "No",
        }
        for i in range(customers)
    ]


@pytest.mark.parametrize("label", ["left", "tenure"])
def test_a_given_label_is_never_among_its_own_inputs(
    tmp_path: Path, make_snapshot: Any, label: str
) -> None:
    """Not even when it is called like a feature of ours, which renames it."""
    customers = [{**row, label: row["left"]} for row in wide_table()]
    for row in customers:
        row.pop("left" if label != "left" else "", None)
    snapshot = make_snapshot(tmp_path, {"customers": customers})
    settings = config(label="column", column=label)
    data = build_dataset(snapshot, settings, [snapshot.manifest.watermark], "churn")
    assert len(data) == 300
    assert sorted(column.definition and column.kind for column in data.contract.columns) == [
        "category",
        "numeric",
    ]
    assert not any(label in name for name in data.contract.names)
    assert data.contract.columns[data.contract.categorical[0]].categories == (
        "basic",
        "plus",
        "pro",
    )
    assert data.churned is not None
    assert data.churned.sum() == 75


def test_a_matrix_filled_part_by_part_is_that_of_the_whole_table(
    tmp_path: Path, make_snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Categories too, although the first part has seen few of them; a given contract's as well."""
    snapshot = make_snapshot(tmp_path, {"customers": wide_table()})
    settings, at = config(label="column", column="left"), [snapshot.manifest.watermark]
    whole = build_dataset(snapshot, settings, at, "churn")
    monkeypatch.setattr("features.table.ROWS_AT_ONCE", 2)
    for contract in (None, whole.contract):
        parts = build_dataset(snapshot, settings, at, "churn", contract)
        assert parts.contract == whole.contract
        np.testing.assert_array_equal(parts.X, whole.X)
    places = whole.contract.categorical
    assert np.unique(whole.X[:, places]).tolist() == [0.0, 1.0, 2.0]


def test_labels_given_later_are_those_given_at_once(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": shop()})
    data = build_dataset(snapshot, config(), [START + 100 * DAY], "clv")
    bare = replace(data, value=None, orders=None)
    again = labelled(bare, snapshot, config(), "clv")
    np.testing.assert_array_equal(again.value, data.value)
    np.testing.assert_array_equal(again.orders, data.orders)


def test_customers_are_split_once_for_all(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"customers": wide_table()})
    settings = config(label="column", column="left")
    data = build_dataset(snapshot, settings, [snapshot.manifest.watermark], "churn")
    train, test = split_customers(data)
    assert not set(train.customer_id) & set(test.customer_id)
    assert len(train) + len(test) == len(data)
    assert len(test) / len(data) == pytest.approx(0.25, abs=0.06)
    again = split_customers(data.rows(np.arange(len(data))[::-1]))[1]
    assert set(again.customer_id) == set(test.customer_id)


def test_a_training_label_does_not_see_a_return_after_its_horizon(
    tmp_path: Path, make_snapshot: Any
) -> None:
    """Everyone leaves on day 105; half return on day 145, within grace, after the horizon's end."""
    cutoff = START + 100 * DAY
    left, back = cutoff + 5 * DAY, cutoff + 45 * DAY
    subscriptions = [
        {"customer_id": f"c{i}", "subscription_id": f"s{i}", "started_at": START, "ended_at": end}
        for i in range(120)
        for end in [left if i < 80 else None]
    ]
    subscriptions += [
        {"customer_id": f"c{i}", "subscription_id": f"r{i}", "started_at": back} for i in range(40)
    ]
    snapshot = make_snapshot(
        tmp_path, {"subscriptions": subscriptions}, watermark=START + 200 * DAY
    )
    settings = config(label="subscription", grace_days=60)
    train = build_dataset(snapshot, settings, [cutoff], "churn")
    judged = build_dataset(snapshot, settings, [cutoff], "churn", train.contract)
    assert train.churned is not None
    assert judged.churned is not None
    assert (train.churned.sum(), judged.churned.sum()) == (80, 40)


def test_days_in_messages_are_local(tmp_path: Path, make_snapshot: Any) -> None:
    zone = ZoneInfo("Asia/Jakarta")
    snapshot = make_snapshot(tmp_path, {"orders": shop()}, timezone="Asia/Jakarta")
    split = plan_split(snapshot, config("Asia/Jakarta"), 30)
    assert local_day(split.test, zone) == local_day(snapshot.manifest.watermark, zone) - 30 * DAY
    assert local_day(split.test, zone) > date(2024, 6, 1)
