"""Facts of orders, usage and subscriptions in Python: the twins of the SQL roll-ups."""

import operator
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Any

from features.live.rows import Facts, History, Values, in_order
from features.vocabulary import FRICTION, topic_of


def purchase_days(history: History) -> Facts:
    """One row for each day with a purchase."""
    bought = history["orders"].purchases
    days = bought.days("ordered_at")
    lines = Counter(days)
    ts = sorted(lines)
    numbers = {
        name: _totals(days, bought.fixed(column), ts)
        for name, column in (
            ("value", "amount"),
            ("discount", "discount"),
            ("margin", "margin"),
            ("items", "quantity"),
        )
    }
    ids = bought.column("order_id")
    orders = _different(days, ids)
    orders.update(day for day, order_id in zip(days, ids, strict=True) if order_id is None)
    return {
        "ts": ts,
        "orders": [orders[day] for day in ts],
        "lines": [lines[day] for day in ts],
        "gap": _gaps(ts),
        "weekday": [day % 7 for day in ts],
        **numbers,
    }


def _gaps(ts: Values) -> Values:
    """Days since the row before; None for the first."""
    return [None, *(later - earlier for earlier, later in pairwise(ts))][: len(ts)]


def _different(days: Values, values: Values) -> Counter[int]:
    """How many different values each day has; missing ones do not count."""
    pairs = set(zip(days, values, strict=True))
    return Counter(day for day, value in pairs if value is not None)


def _totals(days: Values, numbers: Values, ts: Values) -> Values:
    """The sum of each day; missing numbers count as 0."""
    total = dict.fromkeys(ts, 0)
    for day, number in zip(days, numbers, strict=True):
        if number is not None:
            total[day] += number
    return list(total.values())


def basket(history: History) -> Facts:
    """One row for each different product, category and channel of a day."""
    bought = history["orders"].purchases
    names = ("ts", "product_id", "category", "channel")
    columns = [bought.days("ordered_at"), *(bought.column(name) for name in names[1:])]
    rows = sorted(dict.fromkeys(zip(*columns, strict=True)), key=itemgetter(0))
    listed = map(list, zip(*rows, strict=True)) if rows else ([] for _ in names)
    return dict(zip(names, listed, strict=True))


def refunds(history: History) -> Facts:
    """One row for each refund."""
    repaid = history["orders"].where("refunded_at")
    amounts = repaid.fixed("refund_amount")
    given = repaid.column("refund_amount")
    refund = [0 if none is None else amount for none, amount in zip(given, amounts, strict=True)]
    returned = [int(bool(is_return)) for is_return in repaid.column("is_return")]
    columns = {"ts": repaid.seconds("refunded_at"), "refund": refund, "returned": returned}
    return in_order(columns, "ts")


def usage_days(history: History) -> Facts:
    """One row for each day with an event."""
    events = history["events"]
    days = events.days("occurred_at")
    count = Counter(days)
    ts = sorted(count)
    values = events.fixed("value")
    total = dict(zip(ts, _totals(days, values, ts), strict=True))
    valued = {day for day, value in zip(days, values, strict=True) if value is not None}
    sessions = _different(days, events.column("session_id"))
    return {
        "ts": ts,
        "events": [count[day] for day in ts],
        "sessions": [sessions[day] for day in ts],
        "amount": [total[day] if day in valued else None for day in ts],
        "active": [1] * len(ts),
        "gap": _gaps(ts),
        "streak": _streaks(ts),
    }


def _streaks(ts: Values) -> Values:
    """Days in a row that end with each day."""
    streaks: Values = []
    for gap in _gaps(ts):
        streaks.append(streaks[-1] + 1 if gap == 1 else 1)
    return streaks


def event_kinds(history: History) -> Facts:
    """One row for each kind of event of a day."""
    events = history["events"]
    uses = Counter(zip(events.days("occurred_at"), events.column("event"), strict=True))
    kinds = sorted(uses, key=itemgetter(0))
    return {
        "ts": [day for day, _ in kinds],
        "event": [event for _, event in kinds],
        "uses": [uses[kind] for kind in kinds],
        "friction": [_friction(event) for _, event in kinds],
    }


@lru_cache(maxsize=4096)
def _friction(event: str) -> str | None:
    """What went wrong, by the name of an event; kept, since a company has few names."""
    return topic_of(event, FRICTION)


def subscriptions(history: History) -> Facts:
    """One row for each subscription, by when it started."""
    rows = history["subscriptions"]
    columns = {
        "ts": rows.seconds("started_at"),
        "started_at": rows.column("started_at"),
        "subscription_id": rows.column("subscription_id"),
        "ended_at": rows.seconds("ended_at"),
        "plan": rows.column("plan"),
        "price": rows.fixed("monthly_price"),
        "auto_renew": rows.whole("auto_renew"),
        "end_reason": rows.column("end_reason"),
    }
    facts = in_order(columns, "started_at", "subscription_id")
    plans, prices = facts["plan"], facts["price"]
    before = _before(prices)
    others = _both(operator.ne, plans, _before(plans))
    return {
        **facts,
        "plan_changed": [int(bool(is_other)) for is_other in others],
        "price_step": _both(operator.sub, prices, before),
        "price_before": _both(lambda _, earlier: earlier, prices, before),
    }


def _before(values: Values) -> Values:
    """The value of the row before; None for the first."""
    return [None, *values][: len(values)]


def _both(of: Callable[[Any, Any], Any], now: Values, before: Values) -> Values:
    """Something of two values; None where either is missing."""
    pairs = zip(now, before, strict=True)
    return [None if a is None or b is None else of(a, b) for a, b in pairs]
