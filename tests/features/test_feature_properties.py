"""Properties that hold for any company: row order, truncation and doubled prices."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogue import ALL
from features.leakage import changed_features
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table, supported_features

Rows = list[dict[str, Any]]
MakeSnapshot = Callable[..., Snapshot]

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
FIRST = {"customer_id": "ana", "ordered_at": CUTOFF - timedelta(days=400), "amount": 1.0}
MONEY = ("amount", "margin", "discount", "refund_amount", "monthly_price")

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

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


@contextmanager
def opened(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> Iterator[Snapshot]:
    with tempfile.TemporaryDirectory() as folder:
        filled = {name: rows for name, rows in tables.items() if rows}
        snapshot = make_snapshot(Path(folder), filled)
        yield snapshot
        snapshot.connection.close()


def features_of(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> pa.Table:
    spine = pa.table([["ana", "bob"], [CUTOFF, CUTOFF]], schema=SPINE_SCHEMA)
    with opened(make_snapshot, tables) as snapshot:
        return feature_table(snapshot, spine)


@quick
@given(tables=companies, shuffler=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows], shuffler: Any
) -> None:
    shuffled = {name: shuffler.sample(rows, len(rows)) for name, rows in tables.items()}
    assert features_of(make_snapshot, shuffled).equals(features_of(make_snapshot, tables))


@quick
@given(tables=companies)
def test_truncation_changes_nothing(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> None:
    with opened(make_snapshot, tables) as snapshot:
        assert changed_features(snapshot, [CUTOFF]) == []


@quick
@given(tables=companies)
def test_a_customer_alone_has_the_features_they_have_among_others(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows]
) -> None:
    anas = {name: [r for r in rows if r["customer_id"] == "ana"] for name, rows in tables.items()}
    alone = features_of(make_snapshot, anas).to_pylist()[0]
    among = features_of(make_snapshot, tables).to_pylist()[0]
    own = {feature.name for feature in ALL if not feature.company_relative} & alone.keys()
    assert {name: alone[name] for name in own} == {name: among[name] for name in own}


@quick
@given(tables=companies)
def test_doubling_amounts_doubles_money_features_and_no_other(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows]
) -> None:
    doubled = {name: [_doubled(row) for row in rows] for name, rows in tables.items()}
    with opened(make_snapshot, tables) as snapshot:
        units = {feature.name: feature.unit for feature in supported_features(snapshot)}
    before = features_of(make_snapshot, tables).to_pylist()
    after = features_of(make_snapshot, doubled).to_pylist()
    for old, new in zip(before, after, strict=True):
        for name, unit in units.items():
            times = 2 if unit.startswith("money") and old[name] is not None else 1
            assert new[name] == (old[name] * times if times == 2 else old[name]), name


def _doubled(row: dict[str, Any]) -> dict[str, Any]:
    return {
        column: value * 2 if column in MONEY and value is not None else value
        for column, value in row.items()
    }
