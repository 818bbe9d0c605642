"""Plain-Python definitions of features from surveys, orders, usage, plans and the customer."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.features.plain_loops import (
    Expected,
    ages,
    before,
    change,
    difference,
    mean,
    ratio,
    since,
)

Rows = list[dict[str, Any]]

FRICTION = {
    "Payment-Failed": "checkout",
    "search_no_results": "search",
    "help page": "help",
    "error 500": "error",
}


def line_slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least-squares slope of y over x."""
    if len({x for x, _ in points}) < 2:
        return None
    middle, level = (math.fsum(values) / len(points) for values in zip(*points, strict=True))
    top = math.fsum((x - middle) * (y - level) for x, y in points)
    return top / math.fsum((x - middle) ** 2 for x, _ in points)


def satisfaction_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    answered = sorted(
        before(tables["surveys"], "answered_at", cutoff), key=lambda row: row["answered_at"]
    )
    sent = sorted(before(tables["surveys"], "sent_at", cutoff), key=lambda row: row["sent_at"])
    silent = [row for row in sent if row["answered_at"] is None or row["answered_at"] >= cutoff]
    found: Expected = {
        f"surveys_sent_count_{days}d": len(before(sent, "sent_at", cutoff, days))
        for days in (90, 365)
    }
    for kind, most in (("nps", 6), ("csat", 2), ("ces", 3)):
        mine = [row for row in answered if row["kind"] == kind]
        year = before(mine, "answered_at", cutoff, 365)
        steps = [(-math.floor(since(r["answered_at"], cutoff)), r["score"]) for r in year]
        slope = line_slope(steps)
        on_ticket = [row["score"] for row in mine if row["ticket_id"]]
        found |= {
            f"surveys_{kind}_trend_365d": None if slope is None else 30 * slope,
            f"surveys_{kind}_days_since_last": (
                since(mine[-1]["answered_at"], cutoff) if mine else None
            ),
            f"surveys_{kind}_last_on_ticket": on_ticket[-1] if on_ticket else None,
        }
        flag = "surveys_nps_detractor" if kind == "nps" else f"surveys_{kind}_last_is_low"
        found[flag] = float(mine[-1]["score"] <= most) if mine else None
    nps = [row["score"] for row in answered if row["kind"] == "nps"]
    return found | {
        "surveys_nps_promoter": float(nps[-1] >= 9) if nps else None,
        "surveys_last_unanswered": float(sent[-1] in silent) if sent else None,
        "surveys_unanswered_rate_90d": ratio(
            len(before(silent, "sent_at", cutoff, 90)), len(before(sent, "sent_at", cutoff, 90))
        ),
    }


def basket_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    bought = before([r for r in tables["orders"] if not r["is_return"]], "ordered_at", cutoff)
    days = ages(bought, "ordered_at", cutoff)

    def rows(longest: float, until: float = 0) -> Rows:
        return before(bought, "ordered_at", cutoff, longest, until)

    def total(column: str, longest: float = math.inf, until: float = 0) -> float:
        return math.fsum(row[column] for row in rows(longest, until))

    def on(age: int, column: str) -> float:
        return math.fsum(
            r[column] for r in bought if (cutoff.date() - r["ordered_at"].date()).days == age
        )

    def value_mean(longest: int, until: int = 0) -> float | None:
        count = sum(until < age <= longest for age in days)
        return ratio(total("amount", longest, until), count) if count else None

    def categories(longest: int, until: int = 0) -> int:
        return len({row["category"] for row in rows(longest, until)})

    def items(longest: int, until: int = 0) -> float | None:
        orders = {(row["order_id"], row["ordered_at"].date()) for row in rows(longest, until)}
        return ratio(total("quantity", longest, until), len(orders))

    def discount(longest: int, until: int = 0) -> float | None:
        return ratio(total("discount", longest, until), total("amount", longest, until))

    refunded = before(tables["orders"], "refunded_at", cutoff)
    year = [age for age in days if age <= 365]
    weekdays = Counter((cutoff.date() - timedelta(age)).weekday() for age in year)
    orders = {(row["order_id"], row["ordered_at"].date()) for row in rows(365)}
    first = on(days[0], "amount") if days else None
    return {
        "orders_value_mean_change_90d": change(value_mean(90), value_mean(180, 90)),
        "orders_value_mean_change_180d": change(value_mean(180), value_mean(360, 180)),
        "orders_items_per_order_change_90d": change(items(90), items(180, 90)),
        "orders_categories_change_90d": change(categories(90), categories(180, 90)),
        "orders_categories_change_180d": change(categories(180), categories(360, 180)),
        "orders_discount_share_change_90d": difference(discount(90), discount(180, 90)),
        "orders_discounted_days_share_365d": ratio(
            sum(on(age, "discount") > 0 for age in year), len(year)
        ),
        "orders_first_value": first,
        "orders_first_discount_share": ratio(on(days[0], "discount"), first) if days else None,
        "orders_last_value_over_first": ratio(on(days[-1], "amount"), first) if days else None,
        "orders_return_count_90d": sum(
            row["is_return"] for row in before(refunded, "refunded_at", cutoff, 90)
        ),
        "orders_return_count_365d": sum(
            row["is_return"] for row in before(refunded, "refunded_at", cutoff, 365)
        ),
        "orders_refunds_per_order_365d": ratio(
            len(before(refunded, "refunded_at", cutoff, 365)), len(orders)
        ),
        "orders_main_weekday_share_365d": ratio(
            max(weekdays.values(), default=0), weekdays.total()
        ),
        "orders_coming_season_last_year_purchase_days_365d": sum(275 < d <= 365 for d in days),
        "orders_same_season_last_year_purchase_days_455d": sum(365 < d <= 455 for d in days),
        "orders_purchase_days_change_on_year_90d": change(
            sum(d <= 90 for d in days), sum(365 < d <= 455 for d in days)
        ),
        "orders_spend_change_on_year_90d": change(total("amount", 90), total("amount", 455, 365)),
    }


def friction_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    used = before(tables["events"], "occurred_at", cutoff)
    days = ages(used, "occurred_at", cutoff)
    gaps = [old - new for old, new in pairwise(days)]
    runs = {}
    for age in days:
        runs[age] = runs.get(age + 1, 0) + 1
    recent = [age for age in days if age <= 90]
    pauses = [gap for gap, age in zip(gaps, days[1:], strict=True) if age <= 90]
    found: Expected = {}
    for window in (30, 90):
        kinds = [
            {row["event"] for row in before(used, "occurred_at", cutoff, longest, until)}
            for longest, until in ((window, 0), (2 * window, window))
        ]
        met = Counter(
            FRICTION.get(row["event"]) for row in before(used, "occurred_at", cutoff, window)
        )
        found |= {
            f"events_kinds_change_{window}d": change(len(kinds[0]), len(kinds[1])),
            f"events_error_count_{window}d": met["error"],
            f"events_checkout_failure_count_{window}d": met["checkout"],
            f"events_search_failure_count_{window}d": met["search"],
            f"events_help_visit_count_{window}d": met["help"],
        }
    return found | {
        "events_streak_days_1d": runs.get(1, 0),
        "events_longest_streak_days_90d": max((runs[age] for age in recent), default=None),
        "events_gap_mean": mean(gaps),
        "events_gap_max_90d": max(pauses, default=None),
        "events_days_since_last_over_gap_mean": ratio(days[-1], mean(gaps)) if days else None,
        "events_active_days_7d_of_30d": ratio(
            sum(age <= 7 for age in days), sum(age <= 30 for age in days)
        ),
        "events_friction_rate_90d": ratio(met.total() - met[None], met.total()),
    }


def plan_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    started = sorted(
        before(tables["subscriptions"], "started_at", cutoff), key=lambda row: row["started_at"]
    )
    ended = before(started, "ended_at", cutoff)
    running = [since(row["started_at"], cutoff) for row in started if row not in ended]
    steps = list(pairwise(started))
    rises = [new for old, new in steps if new["monthly_price"] > old["monthly_price"]]
    other = [new for old, new in steps if new["plan"] != old["plan"]]
    return {
        "subscriptions_plan_change_count_365d": len(before(other, "started_at", cutoff, 365)),
        "subscriptions_price_last_change": (
            change(steps[-1][1]["monthly_price"], steps[-1][0]["monthly_price"]) if steps else None
        ),
        "subscriptions_price_rise_count_90d": len(before(rises, "started_at", cutoff, 90)),
        "subscriptions_price_rise_count_365d": len(before(rises, "started_at", cutoff, 365)),
        "subscriptions_days_since_price_rise": (
            since(rises[-1]["started_at"], cutoff) if rises else None
        ),
        "subscriptions_days_to_anniversary": 365 - min(running) % 365 if running else None,
        "subscriptions_ended_by_payment_365d": sum(
            row["end_reason"] == "payment_failure" for row in before(ended, "ended_at", cutoff, 365)
        ),
    }


def profile_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    signed = [row["signed_up_at"] for row in before(tables["customers"], "signed_up_at", cutoff)]
    return {"customers_signup_month": float(signed[0].month) if signed else None}


BEHAVIOUR_LOOPS: list[Callable[[dict[str, Rows], datetime], Expected]] = [
    satisfaction_loop,
    basket_loop,
    friction_loop,
    plan_loop,
    profile_loop,
]
