"""A small random company, as plain rows, for the tests of features."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest

from features.contracts import CHANNELS

Rows = list[dict[str, Any]]
CATEGORIES = (
    "Refund request",
    "keluhan_produk",
    "Invoice",
    "Pengiriman",
    "App crash",
    "other",
    None,
)
EVENTS = ("visit", "Payment-Failed", "search_no_results", "help page", "error 500", "export")
END = datetime(2024, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def random_company() -> Callable[[int, int], dict[str, Rows]]:
    """Make (customers, seed) into every canonical table, with facts up to 2024-08-01."""
    return company


def company(customers: int, seed: int) -> dict[str, Rows]:
    dice = random.Random(seed)
    ids = [f"c{number}" for number in range(customers)]
    makers = {
        "orders": (_order, 14),
        "events": (_event, 40),
        "subscriptions": (_subscription, 4),
        "tickets": (_ticket, 9),
        "surveys": (_survey, 8),
    }
    tables = {
        name: [
            {"customer_id": one, **make(dice, f"{one}.{number}")}
            for one in ids
            for number in range(dice.randint(0, most))
        ]
        for name, (make, most) in makers.items()
    }
    return {"customers": [{"customer_id": one, **_person(dice)} for one in ids], **tables}


TEXTS = (
    "The courier never came, I am very disappointed with your service!",
    "Aplikasi tidak bisa dibuka sejak kemarin, mohon dibantu.",
    "Great service, thank you",
    "Mijn pakket is nog steeds niet aangekomen.",
    "Harga mahal",
    "Pelayanan sangat memuaskan, terima kasih.",
    None,
)


def _text(key: str) -> str | None:
    """One of TEXTS, by the key, so that no other number drawn changes."""
    return TEXTS[crc32(key.encode()) % len(TEXTS)]


def _before(dice: random.Random, days: float) -> datetime:
    return END - timedelta(seconds=dice.randrange(1, int(days * 86_400)))


def _later(
    dice: random.Random, time: datetime, hours: float, chance: float = 0.8
) -> datetime | None:
    if dice.random() > chance:
        return None
    return time + timedelta(seconds=int(3600 * dice.expovariate(1 / hours)))


def _person(dice: random.Random) -> dict[str, Any]:
    agrees = dice.random() < 0.5
    return {
        "signed_up_at": _before(dice, 600) if dice.random() < 0.8 else None,
        "segment": dice.choice(["home", "office"]),
        "region": dice.choice(["north", "south", None]),
        "language": dice.choice(["en", "id"]),
        "timezone": dice.choice(["UTC", "Asia/Jakarta"]),
        "preferred_channel": dice.choice(["email", "phone"]),
        "email_consent": agrees,
        "sms_consent": not agrees,
        "age": dice.randint(18, 80),
        "job": dice.choice(["baker", "smith"]),
    }


def _order(dice: random.Random, key: str) -> dict[str, Any]:
    time, cents = _before(dice, 500), dice.randint(0, 10_000)
    refunded = _later(dice, time, 500, 0.3)
    return {
        "ordered_at": time,
        "amount": cents / 100,
        "order_id": key[:-1] + "x" if dice.random() < 0.2 else key,
        "product_id": dice.choice("pqrs"),
        "category": dice.choice("mn"),
        "channel": dice.choice(["email", "phone"]),
        "quantity": dice.randint(1, 3),
        "margin": cents // 3 / 100,
        "discount": cents // 10 / 100,
        "refunded_at": refunded,
        "refund_amount": cents // 2 / 100 if refunded else None,
        "is_return": refunded is not None and dice.random() < 0.2,
    }


def _event(dice: random.Random, key: str) -> dict[str, Any]:
    return {
        "occurred_at": _before(dice, 250),
        "event": dice.choice(EVENTS),
        "value": dice.randint(0, 900) / 100,
        "session_id": str(dice.randint(1, 9)),
    }


def _subscription(dice: random.Random, key: str) -> dict[str, Any]:
    time = _before(dice, 500)
    ended = _later(dice, time, 3000)
    return {
        "subscription_id": key,
        "started_at": time,
        "ended_at": ended,
        "plan": dice.choice(["basic", "pro"]),
        "monthly_price": dice.choice([9.99, 20.0]),
        "auto_renew": dice.random() < 0.5,
        "end_reason": dice.choice(["voluntary", "payment_failure"]) if ended else None,
    }


def _ticket(dice: random.Random, key: str) -> dict[str, Any]:
    time = _before(dice, 400)
    resolved = _later(dice, time, 400)
    return {
        "ticket_id": key,
        "opened_at": time,
        "first_response_at": _later(dice, time, 60, 0.7),
        "resolved_at": resolved,
        "reopened_at": _later(dice, resolved or time, 400, 0.4),
        "escalated_at": _later(dice, time, 200, 0.4),
        "channel": dice.choice(CHANNELS),
        "category": dice.choice(CATEGORIES),
        "contacts": dice.randint(1, 4),
        "transfers": dice.randint(0, 2),
        "agent_id": dice.choice(["kim", "lee", "moe"]),
        "text": _text(key),
    }


def _survey(dice: random.Random, key: str) -> dict[str, Any]:
    time = _before(dice, 400)
    answered = _later(dice, time, 400)
    return {
        "kind": dice.choice(["nps", "csat", "ces"]),
        "sent_at": time,
        "answered_at": answered,
        "score": float(dice.randint(1, 10)) if answered else None,
        "ticket_id": key if dice.random() < 0.5 else None,
        "text": _text(key) if answered else None,
    }
