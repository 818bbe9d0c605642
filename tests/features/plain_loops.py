"""Plain-Python definitions of ticket features, written without the compiler, and their tools."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
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


def ages(rows: Rows, column: str, cutoff: datetime) -> list[int]:
    """Local days before the cutoff's, oldest first, each once."""
    return sorted({(cutoff.date() - row[column].date()).days for row in rows}, reverse=True)


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


TICKET_LOOPS: list[Callable[[dict[str, Rows], datetime], Expected]] = [
    channel_loop,
    repeat_loop,
    target_loop,
]
