"""Features against a plain-Python loop written from their definitions, without the compiler."""

import math
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.catalogue import ALL
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table
from tests.features.behaviour_loops import BEHAVIOUR_LOOPS
from tests.features.plain_loops import TICKET_LOOPS, before, is_close, mean, ratio, since
from tests.features.window_loops import WINDOW_LOOPS

Rows = list[dict[str, Any]]
Loop = Callable[[dict[str, Rows], datetime], dict[str, float | str | None]]

CUTOFFS = [datetime(2024, month, 1, tzinfo=UTC) for month in (4, 6, 7)]


def order_loop(tables: dict[str, Rows], cutoff: datetime) -> dict[str, float | str | None]:
    bought = before([r for r in tables["orders"] if not r["is_return"]], "ordered_at", cutoff)
    midnight = {(row["ordered_at"].date() - cutoff.date()).days for row in bought}
    days = sorted(midnight)
    value = {
        day: math.fsum(
            r["amount"] for r in bought if (r["ordered_at"].date() - cutoff.date()).days == day
        )
        for day in days
    }
    gaps = [later - earlier for earlier, later in pairwise(days)]
    refunds = before(tables["orders"], "refunded_at", cutoff)
    year = [r for r in bought if since(r["ordered_at"], cutoff) <= 365]
    quarter = [r for r in bought if since(r["ordered_at"], cutoff) <= 90]
    earlier = [r for r in bought if 90 < since(r["ordered_at"], cutoff) <= 180]

    def spent(rows: Rows) -> float:
        return math.fsum(row["amount"] for row in rows)

    def refunded(rows: Rows) -> float:
        return math.fsum(row["refund_amount"] for row in rows)

    slope = math.fsum(
        (place - 2.5) * math.fsum(v for d, v in value.items() if place == (d + 180) // 30)
        for place in range(6)
    )
    return {
        "orders_days_since_last": -days[-1] if days else None,
        "orders_frequency": max(len(days) - 1, 0),
        "orders_recency": days[-1] - days[0] if days else None,
        "orders_T": -days[0] if days else None,
        "orders_monetary_value": mean(value[day] for day in days[1:]) or 0,
        "orders_gap_mean": mean(gaps),
        "orders_gap_median": statistics.median(gaps) if gaps else None,
        "orders_gap_sd": statistics.stdev(gaps) if len(gaps) > 1 else None,
        "orders_gap_max": max(gaps, default=None),
        "orders_last_value": value[days[-1]] if days else None,
        "orders_purchase_days_90d": len({r["ordered_at"].date() for r in quarter}),
        "orders_spend_365d": spent(year),
        "orders_spend_change_90d": ratio(spent(quarter) - spent(earlier), spent(earlier)),
        "orders_spend_90d_of_365d": ratio(spent(quarter), spent(year)),
        "orders_spend_slope_180d": slope / 17.5,
        "orders_products_365d": len({row["product_id"] for row in year}),
        "orders_categories_90d": len({row["category"] for row in quarter}),
        "orders_refund_count": len(refunds),
        "orders_refund_share": ratio(refunded(refunds), spent(bought)),
        "orders_margin_365d": math.fsum(row["margin"] for row in year),
        "orders_discount_share_90d": ratio(
            math.fsum(row["discount"] for row in quarter), spent(quarter)
        ),
    }


def usage_loop(tables: dict[str, Rows], cutoff: datetime) -> dict[str, float | str | None]:
    month = before(tables["events"], "occurred_at", cutoff, 30)
    two_months = before(tables["events"], "occurred_at", cutoff, 60)
    active = {row["occurred_at"].date() for row in month}
    active_before = {row["occurred_at"].date() for row in two_months} - active
    sessions = {(row["occurred_at"].date(), row["session_id"]) for row in month}
    return {
        "events_active_days_30d": len(active),
        "events_count_30d": len(month),
        "events_sessions_30d": len(sessions),
        "events_kinds_30d": len({row["event"] for row in month}),
        "events_value_30d": math.fsum(row["value"] for row in month),
        "events_active_days_change_30d": ratio(
            len(active) - len(active_before), len(active_before)
        ),
    }


def subscription_loop(tables: dict[str, Rows], cutoff: datetime) -> dict[str, float | str | None]:
    started = before(tables["subscriptions"], "started_at", cutoff)
    ended = before(started, "ended_at", cutoff)
    running = [row for row in started if row not in ended]
    newest = max(started, key=lambda row: row["started_at"], default=None)
    return {
        "subscriptions_active": len(running),
        "subscriptions_monthly_price": math.fsum(row["monthly_price"] for row in running),
        "subscriptions_plan": newest["plan"] if newest else None,
        "subscriptions_plans": len({row["plan"] for row in started}),
        "subscriptions_auto_renew_share": mean(row["auto_renew"] for row in running),
        "subscriptions_tenure": max(
            (since(r["started_at"], cutoff) for r in started), default=None
        ),
        "subscriptions_ended_365d": len(before(started, "ended_at", cutoff, 365)),
        "subscriptions_ended_by_payment": sum(
            row["end_reason"] == "payment_failure" for row in ended
        ),
    }


def ticket_loop(tables: dict[str, Rows], cutoff: datetime) -> dict[str, float | str | None]:
    opened = before(tables["tickets"], "opened_at", cutoff)
    year = before(opened, "opened_at", cutoff, 365)
    solved = before(year, "resolved_at", cutoff)
    answered = before(year, "first_response_at", cutoff)
    reopened = before(opened, "reopened_at", cutoff)
    waits = [(r["first_response_at"] - r["opened_at"]).total_seconds() / 3600 for r in answered]
    times = [(r["resolved_at"] - r["opened_at"]).total_seconds() / 3600 for r in solved]
    all_solved = before(opened, "resolved_at", cutoff)
    again = [r for r in all_solved if r in reopened and r["reopened_at"] > r["resolved_at"]]
    still_open = [row for row in opened if row not in all_solved or row in again]
    waiting = [
        row
        for row in opened
        if row not in all_solved and row not in before(opened, "first_response_at", cutoff)
    ]
    one_touch = [row for row in solved if row["contacts"] <= 1 and row not in reopened]
    return {
        "tickets_count_365d": len(year),
        "tickets_voice_count_90d": sum(
            r["channel"] in ("phone", "in_person") for r in before(opened, "opened_at", cutoff, 90)
        ),
        "tickets_first_response_hours_mean_365d": mean(waits),
        "tickets_first_response_hours_median_365d": statistics.median(waits) if waits else None,
        "tickets_resolution_hours_max_365d": max(times, default=None),
        "tickets_first_contact_resolution_rate_365d": ratio(len(one_touch), len(solved)),
        "tickets_reopened_rate_365d": ratio(sum(r in reopened for r in year), len(year)),
        "tickets_escalated_count_90d": len(before(opened, "escalated_at", cutoff, 90)),
        "tickets_open": len(still_open),
        "tickets_open_days_max": max(
            (since(r["opened_at"], cutoff) for r in still_open), default=None
        ),
        "tickets_unanswered": len(waiting),
        "tickets_contacts_per_resolved_365d": mean(row["contacts"] for row in solved),
    }


def survey_loop(tables: dict[str, Rows], cutoff: datetime) -> dict[str, float | str | None]:
    answered = sorted(
        before(tables["surveys"], "answered_at", cutoff), key=lambda row: row["answered_at"]
    )
    nps = [row["score"] for row in answered if row["kind"] == "nps"]
    csat = [r["score"] for r in before(answered, "answered_at", cutoff, 365) if r["kind"] == "csat"]
    sent = before(tables["surveys"], "sent_at", cutoff, 365)
    return {
        "surveys_nps_last": nps[-1] if nps else None,
        "surveys_nps_change": nps[-1] - nps[-2] if len(nps) > 1 else None,
        "surveys_csat_mean_365d": mean(csat),
        "surveys_csat_low_count_365d": sum(score <= 2 for score in csat),
        "surveys_unanswered_count_365d": len(sent) - len(before(sent, "answered_at", cutoff)),
        "surveys_days_since_last_answer": (
            since(answered[-1]["answered_at"], cutoff) if answered else None
        ),
    }


LOOPS: list[Loop] = [
    order_loop,
    usage_loop,
    subscription_loop,
    ticket_loop,
    survey_loop,
    *TICKET_LOOPS,
    *BEHAVIOUR_LOOPS,
    *WINDOW_LOOPS,
]


@pytest.mark.parametrize(
    "loop",
    LOOPS,
)
def test_features_equal_a_plain_loop_over_the_rows(
    loop: Loop,
    make_snapshot: Callable[..., Snapshot],
    tmp_path: Path,
    random_company: Callable[[int, int], dict[str, Rows]],
) -> None:
    tables = random_company(25, 11)
    snapshot = make_snapshot(tmp_path, tables)
    asked = [(row["customer_id"], cutoff) for cutoff in CUTOFFS for row in tables["customers"]]
    spine = pa.table(dict(zip(SPINE_SCHEMA.names, zip(*asked, strict=True), strict=True)))
    for row in feature_table(snapshot, spine.cast(SPINE_SCHEMA)).to_pylist():
        mine = {
            name: [r for r in rows if r["customer_id"] == row["customer_id"]]
            for name, rows in tables.items()
        }
        expected = loop(mine, row["cutoff"])
        wrong = {
            name: (row[name], value)
            for name, value in expected.items()
            if not is_close(row[name], value)
        }
        assert wrong == {}, f"{row['customer_id']} at {row['cutoff']}: found, expected"


def test_every_feature_has_a_plain_loop(
    random_company: Callable[[int, int], dict[str, Rows]],
) -> None:
    # Texts are told apart by tests of their own, what depends on everybody by those of the company.
    tables = {name: rows[:1] for name, rows in random_company(1, 1).items()}
    covered = {name for loop in LOOPS for name in loop(tables, CUTOFFS[0])}
    others = {f.name for f in ALL if f.company_relative or "_text_" in f.name}
    assert {feature.name for feature in ALL} - others - covered == set()
