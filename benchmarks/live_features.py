"""Live features of one customer beside the engine's query for the same customer, in one run."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts import TABLES
from features.live.customer import LiveFeatures
from features.snapshot import Manifest, Snapshot, TableEntry, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import catalogue_contract, company_numbers, feature_table

CUTOFF = datetime(2024, 8, 1, tzinfo=UTC)
SIZES = ((50, 5, 50, 1.0), (500, 50, 50, 3.0), (500, 50, 500, None))
"""Orders, tickets, usage events, and the most milliseconds the median may take, if promised."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CALLS, QUERIES = 400, 5

Rows = list[dict[str, Any]]
_ARROW = {
    "time": pa.timestamp("us", tz="UTC"),
    "money": pa.float64(),
    "number": pa.float64(),
    "whole": pa.float64(),
    "boolean": pa.bool_(),
    "id": pa.string(),
    "text": pa.string(),
    "choice": pa.string(),
}


def main() -> int:
    is_met = True
    for orders, tickets, events, most in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            tables = _customer(orders, tickets, events)
            snapshot = _written(Path(folder), tables)
            middle, slow, busy, features = _live(snapshot, tables)
            query = _query(snapshot)
        is_met &= most is None or middle <= most
        print(
            f"{orders} orders, {tickets} tickets, {events} events: {features} features, "
            f"p50 {middle:.2f} ms{f' (at most {most:g})' if most else ''}, p99 {slow:.2f} ms, "
            f"CPU {busy:.2f} ms; DuckDB {query:.0f} ms, {query / middle:.0f} times as long"
        )
    return 0 if is_met else 1


def _live(snapshot: Snapshot, tables: Mapping[str, Rows]) -> tuple[float, float, float, int]:
    """Median, 99th percentile and mean CPU in milliseconds, and the number of features."""
    live = LiveFeatures(catalogue_contract(snapshot), snapshot.zone)
    company = company_numbers(snapshot, CUTOFF)
    features = live(tables, CUTOFF, company)
    started = time.thread_time()
    times = sorted(_milliseconds(lambda: live(tables, CUTOFF, company)) for _ in range(CALLS))
    busy = (time.thread_time() - started) * 1000 / CALLS
    return statistics.median(times), times[CALLS * 99 // 100], busy, len(features)


def _query(snapshot: Snapshot) -> float:
    """Median milliseconds of the feature table of one customer, its facts included."""
    spine = pa.table({"customer_id": ["c"], "cutoff": [CUTOFF]}, SPINE_SCHEMA)
    return statistics.median(
        _milliseconds(lambda: feature_table(snapshot, spine)) for _ in range(QUERIES)
    )


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _customer(orders: int, tickets: int, events: int) -> dict[str, Rows]:
    """One customer of two years, with as many surveys as tickets."""
    dice = random.Random(7)  # noqa: S311
    return {
        "customers": [{"customer_id": "c", "signed_up_at": CUTOFF - timedelta(days=800)}],
        "orders": [_order(dice, number) for number in range(orders)],
        "events": [_event(dice) for _ in range(events)],
        "subscriptions": [_subscription(dice, number) for number in range(2)],
        "tickets": [_ticket(dice, number) for number in range(tickets)],
        "surveys": [_survey(dice) for _ in range(tickets)],
    }


def _before(dice: random.Random) -> datetime:
    return CUTOFF - timedelta(seconds=dice.randrange(1, 730 * 86_400))


def _order(dice: random.Random, number: int) -> dict[str, Any]:
    placed = _before(dice)
    return {
        "customer_id": "c",
        "ordered_at": placed,
        "order_id": f"o{number}",
        "amount": dice.randint(100, 20_000) / 100,
        "product_id": f"p{dice.randint(1, 60)}",
        "category": dice.choice("abcdef"),
        "channel": dice.choice(["web", "store"]),
        "quantity": float(dice.randint(1, 4)),
        "margin": dice.randint(10, 900) / 100,
        "discount": dice.randint(0, 300) / 100,
        "refunded_at": placed + timedelta(days=9) if number % 12 == 0 else None,
        "refund_amount": 5.0 if number % 12 == 0 else None,
    }


def _event(dice: random.Random) -> dict[str, Any]:
    return {
        "customer_id": "c",
        "occurred_at": _before(dice),
        "event": dice.choice(["login", "search", "checkout_failed", "play"]),
        "value": dice.randint(0, 900) / 100,
        "session_id": str(dice.randint(1, 400)),
    }


def _subscription(dice: random.Random, number: int) -> dict[str, Any]:
    return {
        "customer_id": "c",
        "subscription_id": f"s{number}",
        "started_at": _before(dice),
        "plan": dice.choice(["basic", "pro"]),
        "monthly_price": 9.99,
        "auto_renew": True,
    }


def _ticket(dice: random.Random, number: int) -> dict[str, Any]:
    opened = _before(dice)
    return {
        "customer_id": "c",
        "ticket_id": f"t{number}",
        "opened_at": opened,
        "first_response_at": opened + timedelta(minutes=dice.randint(5, 3000)),
        "resolved_at": opened + timedelta(hours=dice.randint(60, 200)),
        "reopened_at": opened + timedelta(hours=300) if number % 7 == 0 else None,
        "escalated_at": opened + timedelta(hours=20) if number % 5 == 0 else None,
        "channel": dice.choice(["phone", "email", "chat", "chatbot"]),
        "category": dice.choice(["billing", "delivery", "refund", "login"]),
        "contacts": float(dice.randint(1, 4)),
        "transfers": float(dice.randint(0, 2)),
        "agent_id": f"a{dice.randint(1, 9)}",
    }


def _survey(dice: random.Random) -> dict[str, Any]:
    sent = _before(dice)
    is_answered = dice.random() < 0.7
    return {
        "customer_id": "c",
        "kind": dice.choice(["nps", "csat", "ces"]),
        "sent_at": sent,
        "answered_at": sent + timedelta(hours=30) if is_answered else None,
        "score": float(dice.randint(1, 5)) if is_answered else None,
        "ticket_id": f"t{dice.randint(0, 9)}",
    }


def _written(folder: Path, tables: Mapping[str, Rows]) -> Snapshot:
    """The rows as a snapshot, every contract column of their tables present."""
    for name, table in TABLES.items():
        if name not in tables:
            continue
        rows = tables[name]
        columns = {
            column.name: pa.array([row.get(column.name) for row in rows], _ARROW[column.kind])
            for column in table.kept
        }
        if name in ("orders", "events"):
            times = [row[str(table.time)] for row in rows]
            columns["day"] = pa.array([(time - _EPOCH).days for time in times], pa.int32())
        if name == "orders":
            columns["is_return"] = pa.array([False] * len(rows))
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    manifest = Manifest(
        tables={
            table.name: TableEntry(rows=0, columns=table.names, first=None, last=None)
            for table in TABLES.values()
            if table.name in tables
        },
        first=CUTOFF - timedelta(days=800),
        watermark=CUTOFF,
        timezone="UTC",
        currency="EUR",
        fingerprint="",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return open_snapshot(folder)


if __name__ == "__main__":
    raise SystemExit(main())
