"""What happened within the horizon, worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from features.config import PipelineConfig, SourceConfig
from features.given_labels import LabelError
from features.labels import (
    ImmatureCutoff,
    churn_labels,
    first_event_days,
    payment_failure_labels,
    value_labels,
)

DAY = timedelta(days=1)
CUTOFF = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 12, 31, tzinfo=UTC)


def config(
    timezone: str = "UTC", clv: dict[str, Any] | None = None, **churn: Any
) -> PipelineConfig:
    return PipelineConfig(
        name="test",
        currency="EUR",
        timezone=timezone,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn={"horizon_days": 30, **churn},
        clv={"horizon_days": 30, **(clv or {})},
    )


def spine(*rows: tuple[str, datetime]) -> pa.Table:
    return pa.table(
        {
            "customer_id": pa.array([customer for customer, _ in rows], pa.string()),
            "cutoff": pa.array([cutoff for _, cutoff in rows], pa.timestamp("us", tz="UTC")),
        }
    )


def order(customer: str, at: datetime, amount: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": at, "amount": amount, **more}


def period(
    customer: str, number: str, start: datetime, end: datetime | None, reason: str | None = None
) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "subscription_id": number,
        "started_at": start,
        "ended_at": end,
        "end_reason": reason,
    }


def test_a_purchase_exactly_at_the_cutoff_counts_and_exactly_at_the_end_does_not(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [
        order("at_cutoff", CUTOFF),
        order("just_before_end", CUTOFF + 30 * DAY - timedelta(microseconds=1)),
        order("at_end", CUTOFF + 30 * DAY),
        order("just_before", CUTOFF - timedelta(microseconds=1)),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=END)
    asked = spine(*((row["customer_id"], CUTOFF) for row in orders))
    assert churn_labels(snapshot, config(), asked)["churned"].to_pylist() == [0, 0, 1, 1]
    valued = value_labels(snapshot, config(), asked, 30)
    assert valued["value"].to_pylist() == [10.0, 10.0, 0.0, 0.0]
    assert valued["orders"].to_pylist() == [1, 1, 0, 0]


def test_labels_keep_the_order_and_types_of_the_spine(tmp_path: Path, make_snapshot: Any) -> None:
    orders = [order("a", CUTOFF + 40 * DAY), order("b", CUTOFF + DAY)]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=END)
    later = CUTOFF + 30 * DAY
    asked = spine(("b", later), ("a", CUTOFF), ("b", CUTOFF), ("a", later))
    labels = churn_labels(snapshot, config(), asked)
    assert labels.select(["customer_id", "cutoff"]).to_pylist() == asked.to_pylist()
    assert labels["churned"].to_pylist() == [1, 1, 0, 0]
    assert labels.schema.field("churned").type == pa.int8()


def test_a_return_is_no_purchase(tmp_path: Path, make_snapshot: Any) -> None:
    back = order(
        "a", CUTOFF + DAY, 0.0, is_return=True, refunded_at=CUTOFF + DAY, refund_amount=25.0
    )
    snapshot = make_snapshot(tmp_path, {"orders": [back]}, watermark=END)
    asked = spine(("a", CUTOFF))
    assert churn_labels(snapshot, config(), asked)["churned"].to_pylist() == [1]
    assert value_labels(snapshot, config(), asked, 30).to_pylist() == [
        {"customer_id": "a", "cutoff": CUTOFF, "value": -25.0, "orders": 0}
    ]


def test_usage_keeps_a_customer_when_activity_is_events(tmp_path: Path, make_snapshot: Any) -> None:
    tables = {
        "orders": [order("buys", CUTOFF + DAY)],
        "events": [{"customer_id": "uses", "occurred_at": CUTOFF + DAY, "event": "login"}],
    }
    snapshot = make_snapshot(tmp_path, tables, watermark=END)
    asked = spine(("buys", CUTOFF), ("uses", CUTOFF))
    by_use = churn_labels(snapshot, config(activity="events"), asked)
    assert by_use["churned"].to_pylist() == [1, 0]
    assert churn_labels(snapshot, config(), asked)["churned"].to_pylist() == [0, 1]


def test_the_horizon_ends_at_local_midnight_across_a_clock_change(
    tmp_path: Path, make_snapshot: Any
) -> None:
    """Berlin, 30 days from 15 March 2024: summer time makes the window an hour shorter."""
    zone = ZoneInfo("Europe/Berlin")
    cutoff = datetime(2024, 3, 15, tzinfo=zone).astimezone(UTC)
    last = datetime(2024, 4, 13, 23, 59, tzinfo=zone).astimezone(UTC)
    after = datetime(2024, 4, 14, 0, 30, tzinfo=zone).astimezone(UTC)
    assert after - cutoff < 30 * DAY
    snapshot = make_snapshot(
        tmp_path,
        {"orders": [order("in", last), order("out", after)]},
        timezone="Europe/Berlin",
        watermark=END,
    )
    asked = spine(("in", cutoff), ("out", cutoff))
    berlin = config("Europe/Berlin")
    assert churn_labels(snapshot, berlin, asked)["churned"].to_pylist() == [0, 1]


def test_purchase_days_are_local_days(tmp_path: Path, make_snapshot: Any) -> None:
    """22:30 and 23:30 UTC of one day are two days in Jakarta's neighbour time of +1 hour."""
    late = datetime(2024, 1, 5, 22, 30, tzinfo=UTC)
    orders = [order("a", late), order("a", late + timedelta(hours=1)), order("a", late)]
    cutoff = datetime(2023, 12, 31, 23, tzinfo=UTC)
    paris = make_snapshot(
        tmp_path / "p", {"orders": orders}, timezone="Europe/Paris", watermark=END
    )
    utc = make_snapshot(tmp_path / "u", {"orders": orders}, watermark=END)
    in_paris = value_labels(paris, config("Europe/Paris"), spine(("a", cutoff)), 30)
    in_utc = value_labels(utc, config(), spine(("a", CUTOFF)), 30)
    assert (in_paris["orders"].to_pylist(), in_utc["orders"].to_pylist()) == ([2], [1])
    assert in_paris["value"].to_pylist() == [30.0]


def test_a_refund_counts_when_it_is_paid_whenever_the_purchase_was(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [
        order("old", CUTOFF - 9 * DAY, 80.0, refunded_at=CUTOFF + DAY, refund_amount=80.0),
        order("part", CUTOFF + DAY, 50.0, refunded_at=CUTOFF + 2 * DAY, refund_amount=20.0),
        order("later", CUTOFF + DAY, 50.0, refunded_at=CUTOFF + 30 * DAY, refund_amount=50.0),
        order("whole", CUTOFF + DAY, 50.0, refunded_at=CUTOFF + 2 * DAY),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=END)
    asked = spine(*((row["customer_id"], CUTOFF) for row in orders))
    valued = value_labels(snapshot, config(), asked, 30)
    assert valued["value"].to_pylist() == [-80.0, 30.0, 50.0, 0.0]
    assert valued["orders"].to_pylist() == [0, 1, 1, 1]


def test_money_is_discounted_from_its_local_day(tmp_path: Path, make_snapshot: Any) -> None:
    """100 a year ahead at 25 % is 80; a refund of 50 then is 40; on the cutoff's day 100 is 100."""
    year = CUTOFF + 365 * DAY
    orders = [
        order("now", CUTOFF + timedelta(hours=20), 100.0),
        order("then", year, 100.0),
        order("refund", CUTOFF, 100.0, refunded_at=year + timedelta(hours=3), refund_amount=50.0),
    ]
    end = datetime(2026, 1, 1, tzinfo=UTC)
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=end)
    asked = spine(*((row["customer_id"], CUTOFF) for row in orders))
    valued = value_labels(snapshot, config(clv={"annual_discount_rate": 0.25}), asked, 400)
    assert valued["value"].to_pylist() == pytest.approx([100.0, 80.0, 60.0])


def test_margin_is_the_value_when_asked_for(tmp_path: Path, make_snapshot: Any) -> None:
    orders = [
        order("a", CUTOFF + DAY, 50.0, margin=20.0),
        order("a", CUTOFF + 2 * DAY, 50.0, margin=15.0, refunded_at=CUTOFF + 3 * DAY),
        order("b", CUTOFF, 0.0, margin=-8.0, is_return=True, refunded_at=CUTOFF, refund_amount=30),
        order("c", CUTOFF, 0.0, margin=0.0, is_return=True, refunded_at=CUTOFF, refund_amount=30),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=END)
    asked = spine(("a", CUTOFF), ("b", CUTOFF), ("c", CUTOFF))
    valued = value_labels(snapshot, config(clv={"value": "margin"}), asked, 30)
    assert valued["value"].to_pylist() == [20.0 + 15.0 - 50.0, -8.0, -30.0]


def test_doubling_prices_doubles_value(tmp_path: Path, make_snapshot: Any) -> None:
    orders = [order(f"c{i % 3}", CUTOFF + i * DAY, 7.25 + i) for i in range(20)]
    doubled = [{**row, "amount": 2 * row["amount"]} for row in orders]
    asked = spine(*((f"c{i}", CUTOFF) for i in range(3)))
    once = make_snapshot(tmp_path / "once", {"orders": orders}, watermark=END)
    twice = make_snapshot(tmp_path / "twice", {"orders": doubled}, watermark=END)
    single = value_labels(once, config(), asked, 30)["value"].to_pylist()
    assert value_labels(twice, config(), asked, 30)["value"].to_pylist() == pytest.approx(
        [2 * value for value in single]
    )


def test_history_before_the_cutoff_changes_no_label(tmp_path: Path, make_snapshot: Any) -> None:
    ahead = [order("a", CUTOFF + DAY), order("b", CUTOFF + 31 * DAY)]
    behind = [order("b", CUTOFF - i * DAY, 99.0) for i in range(1, 9)]
    asked = spine(("a", CUTOFF), ("b", CUTOFF))
    bare = make_snapshot(tmp_path / "bare", {"orders": ahead}, watermark=END)
    full = make_snapshot(tmp_path / "full", {"orders": behind + ahead}, watermark=END)
    assert churn_labels(bare, config(), asked) == churn_labels(full, config(), asked)
    assert value_labels(bare, config(), asked, 30) == value_labels(full, config(), asked, 30)


def test_an_immature_cutoff_is_refused_naming_the_latest_matured(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [order("a", CUTOFF)]
    watermark = CUTOFF + 40 * DAY
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=watermark)
    matured = spine(("a", CUTOFF + 10 * DAY))
    assert churn_labels(snapshot, config(), matured)["churned"].to_pylist() == [1]
    with pytest.raises(ImmatureCutoff, match="the latest matured cutoff is 2024-01-11"):
        churn_labels(snapshot, config(), spine(("a", CUTOFF + 11 * DAY)))
    with pytest.raises(ImmatureCutoff, match="2024-01-11 needs 60 days after it"):
        value_labels(snapshot, config(), matured, 60)


def test_only_a_voluntary_end_within_the_horizon_is_churn(
    tmp_path: Path, make_snapshot: Any
) -> None:
    start = CUTOFF - 100 * DAY
    subscriptions = [
        period("left", "1", start, CUTOFF + 29 * DAY, "voluntary"),
        period("left_on_cutoff", "2", start, CUTOFF, "voluntary"),
        period("left_after", "3", start, CUTOFF + 30 * DAY, "voluntary"),
        period("unpaid", "4", start, CUTOFF + DAY, "payment_failure"),
        period("other", "5", start, CUTOFF + DAY, "other"),
        period("unsaid", "6", start, CUTOFF + DAY, None),
        period("stays", "7", start, None),
    ]
    snapshot = make_snapshot(tmp_path, {"subscriptions": subscriptions}, watermark=END)
    asked = spine(*((row["customer_id"], CUTOFF) for row in subscriptions))
    settings = config(label="subscription")
    churned = churn_labels(snapshot, settings, asked)["churned"].to_pylist()
    assert churned == [1, 1, 0, 0, 0, 1, 0]
    unpaid = payment_failure_labels(snapshot, settings, asked)["payment_failed"].to_pylist()
    assert unpaid == [0, 0, 0, 1, 0, 0, 0]


def test_a_return_within_the_grace_days_is_no_churn(tmp_path: Path, make_snapshot: Any) -> None:
    start, left = CUTOFF - 100 * DAY, CUTOFF + 25 * DAY
    returns = {
        "in_grace": left + 10 * DAY + timedelta(hours=9),
        "too_late": left + 11 * DAY,
        "switched": left - 3 * DAY,
        "never": None,
    }
    subscriptions = [period(who, f"{who}-1", start, left, "voluntary") for who in returns]
    subscriptions += [period(who, f"{who}-2", at, None) for who, at in returns.items() if at]
    snapshot = make_snapshot(tmp_path, {"subscriptions": subscriptions}, watermark=END)
    asked = spine(*((who, CUTOFF) for who in returns))
    settings = config(label="subscription", grace_days=10)
    assert churn_labels(snapshot, settings, asked)["churned"].to_pylist() == [0, 1, 0, 1]
    purged = churn_labels(snapshot, settings, asked, known_before=CUTOFF + 30 * DAY)
    assert purged["churned"].to_pylist() == [1, 1, 0, 1]


def test_a_second_subscription_that_ended_before_does_not_keep_the_customer(
    tmp_path: Path, make_snapshot: Any
) -> None:
    subscriptions = [
        period("a", "1", CUTOFF - 90 * DAY, CUTOFF - 9 * DAY, "voluntary"),
        period("a", "2", CUTOFF - 90 * DAY, CUTOFF + 9 * DAY, "voluntary"),
    ]
    snapshot = make_snapshot(tmp_path, {"subscriptions": subscriptions}, watermark=END)
    labels = churn_labels(snapshot, config(label="subscription"), spine(("a", CUTOFF)))
    assert labels["churned"].to_pylist() == [1]


def test_a_label_without_its_table_is_refused(tmp_path: Path, make_snapshot: Any) -> None:
    events = [{"customer_id": "a", "occurred_at": CUTOFF, "event": "login"}]
    snapshot = make_snapshot(tmp_path / "events", {"events": events}, watermark=END)
    asked = spine(("a", CUTOFF))
    with pytest.raises(LabelError, match=r"inactivity by orders needs the orders table"):
        churn_labels(snapshot, config(), asked)
    with pytest.raises(LabelError, match=r"add sources\.subscriptions"):
        churn_labels(snapshot, config(label="subscription"), asked)
    with pytest.raises(LabelError, match=r"customer value needs the orders table"):
        value_labels(snapshot, config(), asked, 30)
    bought = make_snapshot(tmp_path / "orders", {"orders": [order("a", CUTOFF)]}, watermark=END)
    with pytest.raises(LabelError, match=r"map orders\.margin"):
        value_labels(bought, config(clv={"value": "margin"}), asked, 30)


def test_the_next_purchase_is_counted_in_local_days_until_the_data_ends(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [
        order("at_cutoff", CUTOFF),
        order("twice", CUTOFF + 9.5 * DAY),
        order("twice", CUTOFF + 3.5 * DAY),
        order("last_seen", CUTOFF + 40 * DAY - timedelta(microseconds=1)),
        order("too_late", CUTOFF + 40 * DAY),
        order("returned", CUTOFF + 2 * DAY, amount=-1.0, is_return=True),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, watermark=END)
    names = ("twice", "at_cutoff", "last_seen", "too_late", "returned")
    asked = spine(*((name, CUTOFF) for name in names))
    found = first_event_days(snapshot, config(), asked, CUTOFF + 40 * DAY)
    assert found["customer_id"].to_pylist() == list(names)
    assert found["day"].to_pylist() == [3, 0, 39, None, None]
    assert found["seen"].to_pylist() == [40] * 5


def test_the_first_end_by_choice_is_when_a_subscriber_left(
    tmp_path: Path, make_snapshot: Any
) -> None:
    start, end = CUTOFF - 100 * DAY, CUTOFF + 20 * DAY
    rows = [
        period("left", "l1", start, end, "voluntary"),
        period("failed", "f1", start, end, "payment_failure"),
        period("came_back", "b1", start, end, "voluntary"),
        period("came_back", "b2", end + 5 * DAY, None),
        period("stays", "s1", start, None),
    ]
    snapshot = make_snapshot(tmp_path, {"subscriptions": rows}, watermark=END)
    asked = spine(*((name, CUTOFF) for name in ("left", "failed", "came_back", "stays")))
    told = config(label="subscription", grace_days=30)
    found = first_event_days(snapshot, told, asked, CUTOFF + 60 * DAY)
    assert found["day"].to_pylist() == [20, None, None, None]
    assert churn_labels(snapshot, told, asked)["churned"].to_pylist() == [1, 0, 0, 0]


def test_a_given_label_has_no_day(tmp_path: Path, make_snapshot: Any) -> None:
    snapshot = make_snapshot(tmp_path, {"orders": [order("a", CUTOFF)]}, watermark=END)
    with pytest.raises(LabelError, match="not when"):
        first_event_days(snapshot, config(label="column", column="left"), spine(), END)
