"""The feature table by hand, its order, its bits and the cutoffs it refuses."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.snapshot import Snapshot, SnapshotError
from features.spine import SPINE_SCHEMA
from features.table import catalogue_contract, feature_table, supported_features
from features.windows import CutoffError

MakeSnapshot = Callable[..., Snapshot]
RandomCompany = Callable[[int, int], dict[str, list[dict[str, Any]]]]

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)


def ago(days: float, hours: float = 0) -> datetime:
    return CUTOFF - timedelta(days=days, hours=hours)


def spine_of(*rows: tuple[str, datetime]) -> pa.Table:
    customers, cutoffs = zip(*rows, strict=True)
    return pa.table({"customer_id": customers, "cutoff": cutoffs}, SPINE_SCHEMA)


def row(snapshot: Snapshot, customer: str = "ana", cutoff: datetime = CUTOFF) -> dict[str, Any]:
    return feature_table(snapshot, spine_of((customer, cutoff))).to_pylist()[0]


def test_five_purchases_give_the_rfm_worked_out_on_paper(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    # Days before the cutoff: 100 (twice), 60, 30, 10; the day at 30 is the window's first.
    amounts = {100: 10.0, 60: 30.0, 30: 20.0, 10: 40.0}
    orders = [
        {"customer_id": "ana", "ordered_at": ago(days), "amount": amount}
        for days, amount in amounts.items()
    ]
    orders.append({"customer_id": "ana", "ordered_at": ago(100) + timedelta(hours=5), "amount": 5})
    found = row(make_snapshot(tmp_path, {"orders": orders}))
    expected = {
        "orders_frequency": 3,
        "orders_recency": 90,
        "orders_T": 100,
        "orders_days_since_last": 10,
        "orders_monetary_value": 30,
        "orders_value_mean": 26.25,
        "orders_gap_mean": 30,
        "orders_gap_median": 30,
        "orders_gap_max": 40,
        "orders_gap_sd": 10,
        "orders_gap_cv": 1 / 3,
        "orders_days_since_last_over_gap_mean": 1 / 3,
        "orders_purchase_days_30d": 2,
        "orders_count_180d": 5,
        "orders_spend_30d": 60,
        "orders_spend_change_30d": 1.0,
        "orders_change_30d": 1.0,
        "orders_last_value_over_mean": 40 / 26.25,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_one_purchase_gives_frequency_zero_and_no_gap(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    order = {"customer_id": "ana", "ordered_at": ago(7), "amount": 12.5}
    found = row(make_snapshot(tmp_path, {"orders": [order]}))
    assert found["orders_frequency"] == found["orders_recency"] == 0
    assert found["orders_monetary_value"] == 0
    assert found["orders_value_mean"] == 12.5
    assert found["orders_gap_mean"] is None
    assert found["orders_spend_7d"] == 12.5


def test_a_customer_without_rows_has_zero_counts_and_missing_recency(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    order = {"customer_id": "ana", "ordered_at": ago(7), "amount": 12.5}
    found = row(make_snapshot(tmp_path, {"orders": [order]}), "bob")
    assert found["orders_count_365d"] == found["orders_spend_365d"] == 0
    assert found["orders_days_since_last"] is None


def test_an_order_at_the_cutoff_is_not_history(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    orders = [
        {"customer_id": "ana", "ordered_at": time, "amount": 1.0}
        for time in (CUTOFF, CUTOFF - timedelta(seconds=1))
    ]
    found = row(make_snapshot(tmp_path, {"orders": orders}))
    assert found["orders_count_7d"] == 1
    assert found["orders_days_since_last"] == 1


def test_a_refund_counts_from_when_it_was_paid(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    order = {
        "customer_id": "ana",
        "ordered_at": ago(40),
        "amount": 80.0,
        "refunded_at": ago(5),
        "refund_amount": 20.0,
    }
    snapshot = make_snapshot(tmp_path, {"orders": [order]})
    before, after = row(snapshot, cutoff=ago(10)), row(snapshot)
    assert (before["orders_refund_count"], before["orders_refund_share"]) == (0, 0)
    assert (after["orders_refund_count_90d"], after["orders_refund_share"]) == (1, 0.25)
    assert after["orders_days_since_last_refund"] == 5


def test_a_return_is_a_refund_and_no_purchase(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    bought = {"customer_id": "ana", "ordered_at": ago(9), "amount": 50.0}
    returned = {
        "customer_id": "ana",
        "ordered_at": ago(3),
        "amount": 0.0,
        "refunded_at": ago(3),
        "refund_amount": 50.0,
        "is_return": True,
    }
    found = row(make_snapshot(tmp_path, {"orders": [bought, returned]}))
    assert found["orders_count_30d"] == 1
    assert found["orders_days_since_last"] == 9
    assert found["orders_refund_share"] == 1


def test_lines_of_one_order_are_one_order(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    orders = [
        {"customer_id": "ana", "ordered_at": ago(9), "amount": 5.0, "order_id": order_id}
        for order_id in ("o1", "o1", "o2")
    ]
    assert row(make_snapshot(tmp_path, {"orders": orders}))["orders_count_30d"] == 2


def test_ticket_state_is_what_was_known_at_the_cutoff(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    ticket = {
        "customer_id": "ana",
        "ticket_id": "t1",
        "opened_at": ago(10),
        "first_response_at": ago(9, 12),
        "resolved_at": ago(4),
        "reopened_at": ago(2),
        "channel": "chat",
        "contacts": 1,
    }
    order = {"customer_id": "ana", "ordered_at": ago(90), "amount": 1.0}
    snapshot = make_snapshot(tmp_path, {"orders": [order], "tickets": [ticket]})
    waiting, solved, reopened = (row(snapshot, cutoff=ago(days)) for days in (9, 3, 1))
    hours = "tickets_first_response_hours_mean_90d"
    rate = "tickets_first_contact_resolution_rate_365d"
    assert (waiting["tickets_unanswered"], waiting[hours]) == (0, 12)
    assert (waiting["tickets_open"], waiting["tickets_open_days_max"]) == (1, 1)
    assert (waiting[rate], waiting["tickets_resolution_hours_last"]) == (None, None)
    assert (solved["tickets_open"], solved[rate]) == (0, 1)
    assert solved["tickets_resolution_hours_last"] == 6 * 24
    assert (reopened["tickets_open"], reopened[rate]) == (1, 0)
    assert reopened["tickets_reopened_count_90d"] == 1


def test_a_subscription_runs_until_its_end_is_known(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    subscription = {
        "customer_id": "ana",
        "subscription_id": "s1",
        "started_at": ago(100),
        "ended_at": ago(20),
        "plan": "pro",
        "monthly_price": 9.99,
        "end_reason": "voluntary",
    }
    snapshot = make_snapshot(tmp_path, {"subscriptions": [subscription]})
    running, ended = row(snapshot, cutoff=ago(20)), row(snapshot)
    assert (running["subscriptions_active"], running["subscriptions_monthly_price"]) == (1, 9.99)
    assert (running["subscriptions_ended"], running["subscriptions_ended_voluntarily"]) == (0, 0)
    assert (ended["subscriptions_active"], ended["subscriptions_monthly_price"]) == (0, 0)
    assert ended["subscriptions_days_since_last_end"] == 20
    assert ended["subscriptions_ended_voluntarily"] == 1
    assert ended["subscriptions_plan"] == "pro"


def test_a_survey_answer_is_known_when_answered_not_when_sent(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    surveys = [
        {
            "customer_id": "ana",
            "kind": "nps",
            "sent_at": ago(sent),
            "answered_at": ago(answered),
            "score": score,
        }
        for sent, answered, score in ((50, 49, 9.0), (10, 5, 4.0))
    ]
    order = {"customer_id": "ana", "ordered_at": ago(90), "amount": 1.0}
    snapshot = make_snapshot(tmp_path, {"orders": [order], "surveys": surveys})
    before, after = row(snapshot, cutoff=ago(7)), row(snapshot)
    assert (before["surveys_nps_last"], before["surveys_nps_detractor"]) == (9, 0)
    assert before["surveys_answer_rate_365d"] == 0.5
    assert (after["surveys_nps_last"], after["surveys_nps_detractor"]) == (4, 1)
    assert (after["surveys_nps_change"], after["surveys_nps_mean_365d"]) == (-5, 6.5)


def test_weekly_slope_is_the_least_squares_line_with_empty_weeks_as_zero(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    # One active day in the eleventh week, two in the twelfth: y = 0 ten times, then 1, 2.
    events = [{"customer_id": "ana", "occurred_at": ago(d), "event": "use"} for d in (13, 6, 1)]
    weeks, counts = range(12), [0] * 10 + [1, 2]
    expected = sum((w - 5.5) * y for w, y in zip(weeks, counts, strict=True)) / 143
    found = row(make_snapshot(tmp_path, {"events": events}))
    assert found["events_active_days_slope_84d"] == pytest.approx(expected, rel=1e-12)


def test_days_are_local_days(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    # 2024-06-30 18:00 UTC is 1 July in Jakarta: not history at the start of that day.
    orders = [
        {"customer_id": "ana", "ordered_at": time, "amount": 1.0}
        for time in (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 30, 18, tzinfo=UTC))
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, timezone="Asia/Jakarta")
    first = datetime(2024, 6, 30, 17, tzinfo=UTC)
    assert row(snapshot, cutoff=first)["orders_count_365d"] == 1
    assert row(snapshot, cutoff=first + timedelta(days=1))["orders_count_365d"] == 2


def test_attributes_wait_for_signing_up_and_for_their_validity(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    people = [
        {"customer_id": "ana", "signed_up_at": ago(5), "valid_from": None, "age": 30},
        {"customer_id": "bob", "signed_up_at": ago(400), "valid_from": ago(300), "age": 40},
        {"customer_id": "bob", "signed_up_at": ago(400), "valid_from": ago(5), "age": 41},
    ]
    order = {"customer_id": "ana", "ordered_at": ago(90), "amount": 1.0}
    snapshot = make_snapshot(tmp_path, {"orders": [order], "customers": people})
    early = row(snapshot, cutoff=ago(10))
    assert (early["customers_age"], early["customers_tenure"]) == (None, None)
    assert (row(snapshot)["customers_age"], row(snapshot)["customers_tenure"]) == (30, 5)
    ages = [row(snapshot, "bob", cutoff)["customers_age"] for cutoff in (ago(10), CUTOFF)]
    assert ages == [40, 41]


def test_an_attribute_named_like_a_feature_of_ours_keeps_its_own_column(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    people = [{"customer_id": "ana", "signed_up_at": ago(5), "tenure": 72}]
    found = row(make_snapshot(tmp_path, {"customers": people}))
    assert (found["customers_tenure"], found["customers_tenure_given"]) == (5, 72)


def test_only_features_of_mapped_columns_are_produced(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    order = {"customer_id": "ana", "ordered_at": ago(7), "amount": 12.5}
    snapshot = make_snapshot(tmp_path, {"orders": [order]})
    names = catalogue_contract(snapshot).names
    assert "orders_spend_90d" in names
    unmapped = ("margin", "discount", "refund", "products", "items", "tickets", "events")
    assert not [name for name in names if any(word in name for word in unmapped)]
    assert list(row(snapshot)) == ["customer_id", "cutoff", *names]


def test_rows_come_back_in_the_order_of_the_spine(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(3, 3))
    rows = [(f"c{n}", cutoff) for n in range(3) for cutoff in (ago(60), CUTOFF, ago(30))]
    random.Random(5).shuffle(rows)
    table = feature_table(snapshot, spine_of(*rows))
    assert list(zip(*(table[name].to_pylist() for name in SPINE_SCHEMA.names), strict=True)) == rows
    alone = [feature_table(snapshot, spine_of(one)) for one in rows]
    assert table.equals(pa.concat_tables(alone))


def test_two_runs_give_equal_bytes(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(30, 4))
    spine = spine_of(*[(f"c{n}", cutoff) for cutoff in (ago(30), CUTOFF) for n in range(30)])
    snapshot.connection.execute("SET threads = 1")
    single = feature_table(snapshot, spine)
    snapshot.connection.execute("SET threads = 4")
    assert feature_table(snapshot, spine).equals(single)


def test_numbers_are_never_nan(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(20, 6))
    table = feature_table(snapshot, spine_of(*[(f"c{n}", CUTOFF) for n in range(20)]))
    numeric = [f.name for f in supported_features(snapshot) if f.kind == "numeric"]
    values = [value for name in numeric for value in table[name].to_pylist()]
    assert not any(value is not None and math.isnan(value) for value in values)


def test_progress_tells_how_many_cutoffs_are_done(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    told: list[tuple[str, int, int]] = []
    spine = spine_of(("c0", ago(30)), ("c0", CUTOFF))
    snapshot = make_snapshot(tmp_path, random_company(2, 1))
    feature_table(snapshot, spine, lambda *step: told.append(step))
    assert told == [("features", 0, 2), ("features", 1, 2), ("features", 2, 2)]


def test_an_empty_spine_gives_an_empty_table(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(2, 1))
    table = feature_table(snapshot, SPINE_SCHEMA.empty_table())
    assert table.num_rows == 0
    assert table.column_names[2:] == catalogue_contract(snapshot).names


@pytest.mark.parametrize(
    ("cutoff", "message"),
    [
        (CUTOFF + timedelta(hours=1), r"not the start of a day in UTC; use 2024-07-01T00:00"),
        (datetime(2024, 6, 24, tzinfo=UTC), r"the first usable cutoff is 2024-06-25"),
    ],
)
def test_unusable_cutoffs_are_refused(
    make_snapshot: MakeSnapshot, tmp_path: Path, cutoff: datetime, message: str
) -> None:
    order = {"customer_id": "ana", "ordered_at": ago(7), "amount": 12.5}
    snapshot = make_snapshot(tmp_path, {"orders": [order]})
    with pytest.raises(CutoffError, match=message):
        row(snapshot, cutoff=cutoff)


def test_a_snapshot_without_usable_columns_is_refused(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    snapshot = make_snapshot(tmp_path, {"customers": [{"customer_id": "ana"}]})
    with pytest.raises(SnapshotError, match="declare attributes of customers"):
        row(snapshot)


def test_an_unbelievable_number_is_missing_rather_than_fatal(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    events = [
        {"customer_id": "ana", "occurred_at": ago(3), "event": "use", "value": value}
        for value in (1e300, math.nan, None, 2.5)
    ]
    found = row(make_snapshot(tmp_path, {"events": events}))
    assert (found["events_count_7d"], found["events_value_30d"]) == (4, 2.5)
