"""Plain-Python definitions of features, written without the compiler, for the reference test."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from features.contracts import CHANNELS

Rows = list[dict[str, Any]]
Expected = dict[str, float | str | None]

UNASSISTED = ("self_service", "chatbot", "forum")
LIVE = ("in_person", "phone", "chat", "messaging", "chatbot", "self_service")
TOPICS = {
    "Refund request": "refund",
    "keluhan_produk": "complaint",
    "Invoice": "billing",
    "Pengiriman": "delivery",
    "App crash": "technical",
}
FRICTION = {
    "Payment-Failed": "checkout",
    "search_no_results": "search",
    "help page": "help",
    "error 500": "error",
}


def since(time: datetime, cutoff: datetime) -> float:
    return (cutoff - time).total_seconds() / 86_400


def before(
    rows: Rows, column: str, cutoff: datetime, days: float = math.inf, until: float = 0
) -> Rows:
    return [
        row
        for row in rows
        if row[column] is not None and until < since(row[column], cutoff) <= days
    ]


def mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else None


def ratio(top: float | None, bottom: float | None) -> float | None:
    return None if top is None or not bottom else top / bottom


def change(recent: float | None, earlier: float | None) -> float | None:
    return None if recent is None or not earlier else (recent - earlier) / earlier


def difference(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def is_close(found: float | str | None, expected: float | str | None) -> bool:
    if isinstance(found, float) and expected is not None and not isinstance(expected, str):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return found == expected


def hours(row: dict[str, Any], column: str) -> float:
    return float((row[column] - row["opened_at"]).total_seconds() / 3600)


def by_opening(tables: dict[str, Rows], cutoff: datetime) -> Rows:
    """Tickets seen at the cutoff, oldest first, with what was not yet known taken out."""
    seen = sorted(
        before(tables["tickets"], "opened_at", cutoff),
        key=lambda row: (row["opened_at"], row["ticket_id"]),
    )
    return [_as_known(row, cutoff) for row in seen]


def _as_known(row: dict[str, Any], cutoff: datetime) -> dict[str, Any]:
    known = dict(row)
    for time in ("first_response_at", "resolved_at", "reopened_at", "escalated_at"):
        if known[time] is not None and known[time] >= cutoff:
            known[time] = None
    if known["resolved_at"] is None:
        known |= {"contacts": None, "transfers": None, "agent_id": None}
    return known


def channel_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    tickets = by_opening(tables, cutoff)
    found: Expected = {}
    for days in (90, 365):
        window = before(tickets, "opened_at", cutoff, days)
        through = Counter(row["channel"] for row in window)
        found |= {f"tickets_by_{name}_count_{days}d": through[name] for name in CHANNELS}
        found[f"tickets_channel_changes_{days}d"] = sum(
            old["channel"] != new["channel"] for old, new in pairwise(tickets) if new in window
        )
    changes = found["tickets_channel_changes_365d"]
    followed = sum(row in window for row in tickets[1:])
    assert not isinstance(changes, str)
    quarter = Counter(row["channel"] for row in before(tickets, "opened_at", cutoff, 90))
    return found | {
        "tickets_self_service_count_90d": sum(quarter[name] for name in UNASSISTED),
        "tickets_channels_365d": len(through),
        "tickets_channel_change_rate_365d": ratio(changes, followed),
        "tickets_main_channel_share_365d": ratio(max(through.values(), default=0), through.total()),
    }


def repeated(tickets: Rows, row: dict[str, Any], days: int) -> bool:
    """Whether the latest earlier ticket of the same category is at most `days` older."""
    earlier = [old for old in tickets[: tickets.index(row)] if old["category"] == row["category"]]
    return bool(row["category"] and earlier) and row["opened_at"] - earlier[-1][
        "opened_at"
    ] <= timedelta(days=days)


def repeat_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    tickets = by_opening(tables, cutoff)
    bought = [row for row in tables["orders"] if not row["is_return"]]
    after_orders = {}
    for row in tickets:
        past = [o["ordered_at"] for o in bought if o["ordered_at"] <= row["opened_at"]]
        if past:
            after_orders[row["ticket_id"]] = row["opened_at"] - max(past)
    found: Expected = {}
    for days in (90, 365):
        window = before(tickets, "opened_at", cutoff, days)
        about = Counter(TOPICS.get(row["category"]) for row in window)
        found |= {f"tickets_{topic}_count_{days}d": about[topic] for topic in TOPICS.values()}
        for within in (7, 30):
            found[f"tickets_repeated_in_{within}_days_count_{days}d"] = sum(
                repeated(tickets, row, within) for row in window
            )
        found[f"tickets_after_order_count_{days}d"] = sum(
            after_orders.get(row["ticket_id"], timedelta.max) <= timedelta(days=7) for row in window
        )
        found[f"tickets_after_self_service_count_{days}d"] = sum(
            row["channel"] not in UNASSISTED
            and any(
                old["channel"] in UNASSISTED
                and row["opened_at"] - old["opened_at"] <= timedelta(days=3)
                for old in tickets[: tickets.index(row)]
            )
            for row in window
        )
        found[f"tickets_transfers_{days}d"] = sum(row["transfers"] or 0 for row in window)
    agents = Counter(row["agent_id"] for row in window if row["agent_id"])
    named = sum(row["category"] is not None for row in window)
    last = [after_orders[r["ticket_id"]] for r in tickets if r["ticket_id"] in after_orders]
    for within in (7, 30):
        name = f"tickets_repeated_in_{within}_days"
        hits = found[f"{name}_count_365d"]
        assert not isinstance(hits, str)
        found[f"{name}_rate_365d"] = ratio(hits, named)
    return found | {
        "tickets_days_from_order_to_last": last[-1].total_seconds() / 86_400 if last else None,
        "tickets_agents_365d": len(agents),
        "tickets_main_agent_share_365d": ratio(max(agents.values(), default=0), agents.total()),
    }


def is_late(row: dict[str, Any]) -> bool:
    return hours(row, "first_response_at") > (1 if row["channel"] in LIVE else 24)


def target_loop(tables: dict[str, Rows], cutoff: datetime) -> Expected:
    tickets = by_opening(tables, cutoff)
    found: Expected = {}
    for days in (90, 365):
        window = before(tickets, "opened_at", cutoff, days)
        answered = [row for row in window if row["first_response_at"]]
        resolved = [row for row in window if row["resolved_at"]]
        late = sum(map(is_late, answered))
        found |= {
            f"tickets_late_answer_count_{days}d": late,
            f"tickets_late_answer_rate_{days}d": ratio(late, len(answered)),
            f"tickets_resolved_count_{days}d": len(resolved),
            f"tickets_resolution_rate_{days}d": ratio(len(resolved), len(window)),
        }
    for name, end in (("first_response", "first_response_at"), ("resolution", "resolved_at")):
        ended = [row for row in tickets if row[end]]
        recent = mean(hours(row, end) for row in before(ended, "opened_at", cutoff, 90))
        past = mean(hours(r, end) for r in before(ended, "opened_at", cutoff, until=90))
        found[f"tickets_{name}_hours_over_own_past_90d"] = ratio(recent, past)
    last = tickets[-1] if tickets else None
    return found | {
        "tickets_slow_solution_rate_365d": ratio(
            sum(hours(row, "resolved_at") > 72 for row in resolved), len(resolved)
        ),
        "tickets_transferred_rate_365d": ratio(
            sum(row["transfers"] > 0 for row in resolved), len(resolved)
        ),
        "tickets_last_is_open": last and float(is_open(last)),
        "tickets_last_was_reopened": last and float(last["reopened_at"] is not None),
        "tickets_last_was_escalated": last and float(last["escalated_at"] is not None),
        "tickets_last_is_repeat": last and float(repeated(tickets, last, 30)),
    }


def is_open(row: dict[str, Any]) -> bool:
    again = row["resolved_at"] and row["reopened_at"] and row["reopened_at"] > row["resolved_at"]
    return row["resolved_at"] is None or bool(again)


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


def ages(rows: Rows, column: str, cutoff: datetime) -> list[int]:
    """Local days before the cutoff's, oldest first, each once."""
    return sorted({(cutoff.date() - row[column].date()).days for row in rows}, reverse=True)


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


PLAIN_LOOPS: list[Callable[[dict[str, Rows], datetime], Expected]] = [
    channel_loop,
    repeat_loop,
    target_loop,
    satisfaction_loop,
    basket_loop,
    friction_loop,
    plan_loop,
    profile_loop,
]
