"""Customers who do not exist, to try templates on and to show a preview without scores."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from serving.outreach.decide.decisions import STEPS
from serving.reasons import EXPERIENCES


def samples(channel: str, language: str) -> Iterator[dict[str, Any]]:
    """Payloads of made-up customers, each step with and without something to be sorry for."""
    for step in STEPS.values():
        bare: dict[str, Any] = {
            "reasons": [],
            "next_step": None,
            "clv": None,
            "value_at_risk": None,
        }
        yield sample(step, channel, language) | bare | {"risk_tier": "low", "generated": False}
        for theme in sorted(EXPERIENCES):
            yield sample(step, channel, language, theme)


def sample(step: str, channel: str, language: str, theme: str = "waiting") -> dict[str, Any]:
    """The `outreach.contact` payload of a customer who does not exist."""
    text = "First answer took 31 hours (raises risk)"
    return {
        "decision_id": "dec_sample",
        "customer_id": "c_sample",
        "programme": "retention",
        "channel": channel,
        "step": step,
        "language": language,
        "churn_probability": 0.71,
        "risk_tier": "high",
        "clv": 1_850_000.0,
        "value_at_risk": 1_313_500.0,
        "currency": "IDR",
        "reasons": [{"text": text, "effect": "raises", "actionable": True, "theme": theme}],
        "next_step": "Apologise for the wait and name one person to turn to",
        "score_as_of": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        "model_version": "0",
        "not_after": datetime(2026, 1, 3, 3, tzinfo=UTC).isoformat(),
        "generated": True,
    }
