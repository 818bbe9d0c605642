"""Small histories of two customers, ana and bob, as hypothesis draws them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

Rows = list[dict[str, Any]]

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
FIRST = {"customer_id": "ana", "ordered_at": CUTOFF - timedelta(days=400), "amount": 1.0}

times = st.integers(-400 * 24, 60 * 24).map(lambda hours: CUTOFF + timedelta(hours=hours))
delays = st.none() | st.integers(0, 90 * 24).map(lambda hours: timedelta(hours=hours))
cents = st.integers(0, 50_000).map(lambda value: value / 100)
people = st.sampled_from(["ana", "bob"])


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    time, delay, amount = draw(times), draw(delays), draw(cents)
    return {
        "customer_id": draw(people),
        "ordered_at": time,
        "amount": amount,
        "order_id": draw(st.sampled_from(["o1", "o2", "o3", None])),
        "product_id": draw(st.sampled_from("pqr")),
        "category": draw(st.sampled_from("mn")),
        "margin": draw(cents),
        "discount": draw(cents),
        "refunded_at": None if delay is None else time + delay,
        "refund_amount": None if delay is None else amount,
    }


@st.composite
def tickets(draw: st.DrawFn) -> dict[str, Any]:
    time = draw(times)
    ends = {
        name: None if delay is None else time + delay
        for name in ("first_response_at", "resolved_at", "reopened_at", "escalated_at")
        for delay in [draw(delays)]
    }
    return {
        "customer_id": draw(people),
        "ticket_id": str(draw(st.uuids())),
        "opened_at": time,
        "channel": draw(st.sampled_from(["phone", "email", "chatbot"])),
        "category": draw(st.sampled_from(["refund", "billing", None])),
        "contacts": draw(st.integers(0, 3)),
        "transfers": draw(st.integers(0, 2)),
        "agent_id": draw(st.sampled_from(["kim", "lee", None])),
        **ends,
    }


@st.composite
def subscriptions(draw: st.DrawFn) -> dict[str, Any]:
    time, delay = draw(times), draw(delays)
    return {
        "customer_id": draw(people),
        "subscription_id": str(draw(st.uuids())),
        "started_at": time,
        "ended_at": None if delay is None else time + delay,
        "plan": draw(st.sampled_from(["basic", "pro"])),
        "monthly_price": draw(cents),
        "end_reason": None if delay is None else "voluntary",
    }


@st.composite
def surveys(draw: st.DrawFn) -> dict[str, Any]:
    time, delay = draw(times), draw(delays)
    return {
        "customer_id": draw(people),
        "kind": draw(st.sampled_from(["nps", "csat", "ces"])),
        "sent_at": time,
        "answered_at": None if delay is None else time + delay,
        "score": None if delay is None else float(draw(st.integers(1, 5))),
        "ticket_id": draw(st.sampled_from(["t1", None])),
    }


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "customer_id": draw(people),
        "occurred_at": draw(times),
        "event": draw(st.sampled_from(["visit", "payment_failed", "help", "error"])),
        "value": draw(cents),
        "session_id": draw(st.sampled_from(["1", "2", None])),
    }


companies = st.fixed_dictionaries(
    {
        "orders": st.lists(orders(), max_size=12).map(lambda rows: [FIRST, *rows]),
        "tickets": st.lists(tickets(), max_size=6),
        "subscriptions": st.lists(subscriptions(), max_size=4),
        "surveys": st.lists(surveys(), max_size=6),
        "events": st.lists(events(), max_size=12),
    }
)
