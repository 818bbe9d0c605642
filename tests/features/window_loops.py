"""Plain-Python definitions of the features that are one number over several windows."""

import math
import statistics
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.features.plain_loops import (
    Expected,
    ages,
    before,
    by_opening,
    change,
    hours,
    mean,
    ratio,
    since,
)

Rows = list[dict[str, Any]]
WRITTEN = ("email", "chat", "messaging", "social")


def bucket_slope(sums: list[float]) -> float:
    """Least-squares slope over equal buckets, oldest first."""
    middle = (len(sums) - 1) / 2
    top = math.fsum((place - middle) * value for place, value in enumerate(sums))
    return top / math.fsum((place - middle) ** 2 for place in range(len(sums)))


def last(values: list[Any]) -> Any:
    return values[-1] if values else None


def order_windows(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    bought = before([r for r in tables["orders"] if not r["is_return"]], "ordered_at", cutoff)
    refunded = before(tables["orders"], "refunded_at", cutoff)
    days = ages(bought, "ordered_at", cutoff)
    gaps = [old - new for old, new in pairwise(days)]

    def rows(longest: float, until: float = 0) -> Rows:
        return before(bought, "ordered_at", cutoff, longest, until)

    def spent(longest: float = math.inf, until: float = 0) -> float:
        return math.fsum(row["amount"] for row in rows(longest, until))

    def count(longest: float, until: float = 0) -> int:
        return len({(r["order_id"], r["ordered_at"].date()) for r in rows(longest, until)})

    def day_count(longest: float) -> int:
        return sum(age <= longest for age in days)

    def on(age: int) -> float:
        return math.fsum(
            r["amount"] for r in bought if (cutoff.date() - r["ordered_at"].date()).days == age
        )

    found: Expected = {}
    for w in (7, 30, 90, 180, 365):
        found[f"orders_purchase_days_{w}d"] = day_count(w)
        found[f"orders_count_{w}d"] = count(w)
        found[f"orders_spend_{w}d"] = spent(w)
    for w in (30, 90, 180):
        found[f"orders_change_{w}d"] = change(count(w), count(2 * w, w))
        found[f"orders_spend_change_{w}d"] = change(spent(w), spent(2 * w, w))
    for w in (90, 365):
        back = before(refunded, "refunded_at", cutoff, w)
        found |= {
            f"orders_value_mean_{w}d": ratio(spent(w), day_count(w)),
            f"orders_products_{w}d": len({row["product_id"] for row in rows(w)}),
            f"orders_categories_{w}d": len({row["category"] for row in rows(w)}),
            f"orders_refund_count_{w}d": len(back),
            f"orders_refund_amount_{w}d": math.fsum(row["refund_amount"] for row in back),
        }
    values = [on(age) for age in days]
    weeks = [float(count(84 - 7 * place, 77 - 7 * place)) for place in range(12)]
    year = rows(365)
    return found | {
        "orders_gap_cv": (ratio(statistics.stdev(gaps), mean(gaps)) if len(gaps) > 1 else None),
        "orders_days_since_last_over_gap_mean": ratio(last(days), mean(gaps)),
        "orders_days_since_last_over_gap_max": ratio(last(days), max(gaps, default=None)),
        "orders_purchase_days_90d_of_365d": ratio(day_count(90), day_count(365)),
        "orders_purchase_days_slope_84d": bucket_slope(weeks),
        "orders_value_mean": mean(values),
        "orders_value_max": max(values, default=None),
        "orders_last_value_over_mean": ratio(last(values), mean(values)),
        "orders_discount_share_365d": ratio(math.fsum(r["discount"] for r in year), spent(365)),
        "orders_margin_share_365d": ratio(math.fsum(r["margin"] for r in year), spent(365)),
        "orders_items_per_order_365d": ratio(sum(r["quantity"] for r in year), count(365)),
        "orders_channels_365d": len({row["channel"] for row in year}),
        "orders_refund_share_365d": ratio(
            math.fsum(r["refund_amount"] for r in before(refunded, "refunded_at", cutoff, 365)),
            spent(365),
        ),
        "orders_days_since_last_refund": min(
            (since(row["refunded_at"], cutoff) for row in refunded), default=None
        ),
    }


def usage_windows(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    used = before(tables["events"], "occurred_at", cutoff)
    days = ages(used, "occurred_at", cutoff)

    def rows(longest: float, until: float = 0) -> Rows:
        return before(used, "occurred_at", cutoff, longest, until)

    def active(longest: float, until: float = 0) -> int:
        return sum(until < age <= longest for age in days)

    found: Expected = {f"events_active_days_{w}d": active(w) for w in (7, 30, 90, 180)}
    found |= {f"events_count_{w}d": len(rows(w)) for w in (7, 30, 90)}
    sessions = {(row["occurred_at"].date(), row["session_id"]) for row in rows(90)}
    weeks = [float(active(84 - 7 * place, 77 - 7 * place)) for place in range(12)]
    return found | {
        "events_days_since_last": last(days),
        "events_days_since_first": days[0] if days else None,
        "events_sessions_90d": len(sessions),
        "events_value_90d": math.fsum(row["value"] for row in rows(90)),
        "events_kinds_90d": len({row["event"] for row in rows(90)}),
        "events_active_days_change_90d": change(active(90), active(180, 90)),
        "events_count_change_30d": change(len(rows(30)), len(rows(60, 30))),
        "events_active_days_slope_84d": bucket_slope(weeks),
        "events_active_days_30d_of_90d": ratio(active(30), active(90)),
        "events_per_active_day_30d": ratio(len(rows(30)), active(30)),
    }


def subscription_windows(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    started = sorted(
        before(tables["subscriptions"], "started_at", cutoff), key=lambda row: row["started_at"]
    )
    ended = before(started, "ended_at", cutoff)
    running = [row for row in started if row not in ended]
    ages_running = [since(row["started_at"], cutoff) for row in running]
    prices = [row["monthly_price"] for row in started]
    return {
        "subscriptions_price_mean": mean(row["monthly_price"] for row in running),
        "subscriptions_price_over_mean": ratio(last(prices), mean(prices)),
        "subscriptions_age": max(ages_running, default=None),
        "subscriptions_days_since_start": (
            since(started[-1]["started_at"], cutoff) if started else None
        ),
        "subscriptions_started": len(started),
        "subscriptions_ended": len(ended),
        "subscriptions_ended_90d": len(before(ended, "ended_at", cutoff, 90)),
        "subscriptions_days_since_last_end": min(
            (since(row["ended_at"], cutoff) for row in ended), default=None
        ),
        "subscriptions_ended_voluntarily": sum(r["end_reason"] == "voluntary" for r in ended),
    }


def ticket_windows(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    tickets = by_opening(tables, cutoff)
    bought = [row for row in tables["orders"] if not row["is_return"]]
    orders = {
        (r["order_id"], r["ordered_at"].date()) for r in before(bought, "ordered_at", cutoff, 365)
    }

    def rows(longest: float, until: float = 0) -> Rows:
        return before(tickets, "opened_at", cutoff, longest, until)

    found: Expected = {f"tickets_count_{w}d": len(rows(w)) for w in (7, 30, 90, 180)}
    found |= {f"tickets_change_{w}d": change(len(rows(w)), len(rows(2 * w, w))) for w in (30, 90)}
    for name, end in (("first_response", "first_response_at"), ("resolution", "resolved_at")):
        waits = {w: [hours(row, end) for row in rows(w) if row[end]] for w in (90, 365, math.inf)}
        found |= {
            f"tickets_{name}_hours_mean_90d": mean(waits[90]),
            f"tickets_{name}_hours_mean_365d": mean(waits[365]),
            f"tickets_{name}_hours_median_365d": (
                statistics.median(waits[365]) if waits[365] else None
            ),
            f"tickets_{name}_hours_max_365d": max(waits[365], default=None),
            f"tickets_{name}_hours_last": last(waits[math.inf]),
        }
    for name, time in (("reopened", "reopened_at"), ("escalated", "escalated_at")):
        for w in (90, 365):
            found[f"tickets_{name}_count_{w}d"] = len(before(tickets, time, cutoff, w))
    waiting = [r for r in tickets if not r["first_response_at"] and not r["resolved_at"]]
    year = rows(365)
    named = [row["category"] for row in year if row["category"]]
    return found | {
        "tickets_days_since_last": since(tickets[-1]["opened_at"], cutoff) if tickets else None,
        "tickets_categories_365d": len(set(named)),
        "tickets_unanswered_days_max": max(
            (since(row["opened_at"], cutoff) for row in waiting), default=None
        ),
        "tickets_written_count_90d": sum(row["channel"] in WRITTEN for row in rows(90)),
        "tickets_escalated_rate_365d": ratio(
            sum(row["escalated_at"] is not None for row in year), len(year)
        ),
        "tickets_transfers_per_resolved_365d": mean(
            row["transfers"] for row in year if row["resolved_at"]
        ),
        "tickets_per_order_365d": ratio(len(year), len(orders)),
    }


def survey_windows(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    answered = sorted(
        before(tables["surveys"], "answered_at", cutoff), key=lambda row: row["answered_at"]
    )
    sent = before(tables["surveys"], "sent_at", cutoff, 365)
    found: Expected = {}
    for kind in ("nps", "csat", "ces"):
        mine = [row for row in answered if row["kind"] == kind]
        scores = [row["score"] for row in mine]
        found |= {
            f"surveys_{kind}_last": last(scores),
            f"surveys_{kind}_change": scores[-1] - scores[-2] if len(scores) > 1 else None,
            f"surveys_{kind}_mean_365d": mean(
                row["score"] for row in before(mine, "answered_at", cutoff, 365)
            ),
        }
    return found | {
        "surveys_answer_rate_365d": ratio(len(before(sent, "answered_at", cutoff)), len(sent))
    }


def person_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    person = tables["customers"][0]
    signed = person["signed_up_at"]
    is_known = signed is None or signed < cutoff
    consent = float(person["email_consent"]) if is_known else None
    return {
        "customers_tenure": since(signed, cutoff) if signed and is_known else None,
        "customers_segment": person["segment"] if is_known else None,
        "customers_email_consent": consent,
        "customers_sms_consent": None if consent is None else 1 - consent,
        **{f"customers_{name}": person[name] if is_known else None for name in _TOLD},
    }


_TOLD = ("region", "language", "timezone", "preferred_channel")

WINDOW_LOOPS: list[Callable[[dict[str, Rows], datetime], Expected]] = [
    order_windows,
    usage_windows,
    subscription_windows,
    ticket_windows,
    survey_windows,
    person_loop,
]
