"""Facts of tickets and surveys in Python: the twins of the SQL roll-ups."""

import math
import re
from bisect import bisect_right
from functools import lru_cache

from features.live.rows import Facts, History, Values, in_order
from features.support import SELF_SERVICE
from features.vocabulary import TICKET_TOPICS, topic_of

_ALONE = frozenset(re.findall(r"\w+", SELF_SERVICE))


def tickets(history: History) -> Facts:
    """One row for each ticket, by when it was opened."""
    rows = history["tickets"]
    opened, resolved = rows.seconds("opened_at"), rows.seconds("resolved_at")
    answered, reopened = rows.seconds("first_response_at"), rows.seconds("reopened_at")
    columns = {
        "ts": opened,
        "opened_at": rows.column("opened_at"),
        "ticket_id": rows.column("ticket_id"),
        "channel": rows.column("channel"),
        "category": rows.column("category"),
        "topic": [_topic(category) for category in rows.column("category")],
        "agent_id": rows.column("agent_id"),
        "contacts": rows.whole("contacts"),
        "transfers": rows.whole("transfers"),
        "first_response_at": answered,
        "response_time": _between(opened, answered),
        "resolved_at": resolved,
        "resolution_time": _between(opened, resolved),
        "closed_at": resolved,
        "reopened_at": reopened,
        "back_at": reopened,
        "escalated_at": rows.seconds("escalated_at"),
    }
    facts = in_order(columns, "opened_at", "ticket_id")
    return {**facts, **_lookback(facts)}


@lru_cache(maxsize=4096)
def _topic(category: str | None) -> str | None:
    """What a category is about; kept, since a company has few categories."""
    return topic_of(category, TICKET_TOPICS)


def _lookback(tickets: Facts) -> Facts:
    """What went before each ticket: the channel, the category's last, the last self-service."""
    found: dict[str, Values] = {
        "channel_before": [None, *tickets["channel"]][: len(tickets["ts"])],
        "since_category": [],
        "since_self_service": [],
    }
    last_of: dict[str, int] = {}
    alone: int | None = None
    for opened, category, channel in zip(
        tickets["ts"], tickets["category"], tickets["channel"], strict=True
    ):
        before = last_of.get(category)
        found["since_category"].append(None if before is None else opened - before)
        found["since_self_service"].append(None if alone is None else opened - alone)
        if category is not None:
            last_of[category] = opened
        alone = opened if channel in _ALONE else alone
    return found


def _between(start: Values, end: Values) -> Values:
    return [None if b is None else b - a for a, b in zip(start, end, strict=True)]


def after_orders(history: History) -> Facts:
    """One row for each ticket, with the seconds since the last purchase before it."""
    ordered = sorted(history["orders"].purchases.seconds("ordered_at"))
    opened = sorted(history["tickets"].seconds("opened_at"))
    before = [bisect_right(ordered, time) for time in opened]
    since = [
        time - ordered[count - 1] if count else None
        for time, count in zip(opened, before, strict=True)
    ]
    return {"ts": opened, "since_order": since}


def answers(history: History) -> Facts:
    """One row for each answer; those of one kind in the same second are averaged."""
    scored = history["surveys"].where("answered_at").where("score")
    given: dict[tuple[int, str], list[tuple[int, bool]]] = {}
    keys = zip(scored.seconds("answered_at"), scored.column("kind"), strict=True)
    tickets = [ticket is not None for ticket in scored.column("ticket_id")]
    for key, answer in zip(keys, zip(scored.fixed("score"), tickets, strict=True), strict=True):
        given.setdefault(key, []).append(answer)
    order = sorted(given)
    scores = [
        math.floor(float(sum(score for score, _ in given[key])) / len(given[key])) for key in order
    ]
    kinds = [kind for _, kind in order]
    return {
        "ts": [time for time, _ in order],
        "kind": kinds,
        "score": scores,
        "on_ticket": [int(any(is_on for _, is_on in given[key])) for key in order],
        "step": _steps(kinds, scores),
        "detractor": [int(score <= 60_000) for score in scores],
        "promoter": [int(score >= 90_000) for score in scores],
        "at_most_two": [int(score <= 20_000) for score in scores],
        "at_most_three": [int(score <= 30_000) for score in scores],
    }


def _steps(kinds: Values, scores: Values) -> Values:
    """How far each score lies from the one before of its kind."""
    before: dict[str, int] = {}
    steps: Values = []
    for kind, score in zip(kinds, scores, strict=True):
        steps.append(score - before[kind] if kind in before else None)
        before[kind] = score
    return steps


def invitations(history: History) -> Facts:
    """One row for each survey sent."""
    sent = history["surveys"].where("sent_at")
    columns = {
        "ts": sent.seconds("sent_at"),
        "answered_at": sent.seconds("answered_at"),
        "sent_at": sent.column("sent_at"),
        "answered": sent.column("answered_at"),
    }
    return in_order(columns, "sent_at", "answered")
