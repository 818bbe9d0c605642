"""Messages as the outbox hands them to a sender."""

from datetime import UTC, datetime
from typing import Any

from serving.outreach.message import Message, MessageType
from serving.outreach.words.playbook import Playbook
from serving.outreach.words.samples import sample

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAYBOOK = Playbook("Toko Nusantara", unsubscribe="https://toko.example/stop?c={customer_id}")


def contact(number: int, customer_id: str = "", channel: str = "email", **changes: Any) -> Message:
    """The `number`-th message: a contact of a made-up customer."""
    customer_id = customer_id or f"c_{number}"
    payload = sample("win_back", channel, "en") | {
        "customer_id": customer_id,
        "decision_id": f"dec_{number}",
        **changes,
    }
    return Message(f"msg_{number}", number, "outreach.contact", customer_id, NOW, payload)


def event(number: int, customer_id: str, kind: MessageType = "customer.at_risk") -> Message:
    """The `number`-th message: a customer who came into danger."""
    payload = {
        "customer_id": customer_id,
        "churn_probability": 0.8,
        "risk_tier": "high",
        "value_at_risk": 10.0,
        "currency": "IDR",
        "score_id": f"score_{number}",
        "cause": "ticket",
        "at": "2026-01-02T03:00:00+00:00",
        "model_version": "4",
    }
    return Message(f"msg_{number}", number, kind, customer_id, NOW, payload)
