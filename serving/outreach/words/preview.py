"""What would be said to a customer, from their last score, without deciding or sending anything."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import orjson

from features.config import PipelineConfig
from serving.history import FILE as HISTORY
from serving.history import History
from serving.online import FILE, OnlineSnapshot
from serving.outreach.decide.candidates import language_code
from serving.outreach.words.samples import sample
from serving.scoring import utc_text

_CHANNELS = ("email", "messaging", "phone")
"""One for each form, where the company has not said which it uses."""
_SCORED = ("churn_probability", "risk_tier", "clv", "value_at_risk", "next_step", "reasons")


class UnknownCustomer(ValueError):
    """A customer whom the last scoring run did not score; the message names them."""


def preview_payloads(
    settings: PipelineConfig,
    customer_id: str | None,
    step: str,
    channel: str | None,
    language: str | None,
    now: datetime,
) -> list[dict[str, Any]]:
    """A payload for `channel`, or for each of the company's; a made-up customer unless named.

    Raises OnlineError when nothing has been scored, UnknownCustomer for a customer who was not.
    """
    channels = [channel] if channel else settings.outreach.channels or _CHANNELS
    known = _known(settings, customer_id) if customer_id else {"currency": settings.currency}
    spoken = language or known.get("language") or settings.serving.language
    last = utc_text(now + timedelta(hours=settings.outreach.send_within_hours))
    told = known | {"language": spoken, "not_after": last}
    return [sample(step, one, spoken) | told for one in channels]


def _known(settings: PipelineConfig, customer_id: str) -> dict[str, Any]:
    """What the last scoring run says of the customer, and the language they speak."""
    scores = settings.workspace / "scores"
    online = OnlineSnapshot(scores / FILE)
    try:
        about, found = online.about, online.find(customer_id)
    finally:
        online.close()
    if found is None:
        raise UnknownCustomer(
            f"no customer {customer_id!r} in the last scores ({about.customers:,} customers); "
            "without an id a made-up one is shown"
        )
    record = orjson.loads(found.score)
    return {
        "customer_id": customer_id,
        "programme": settings.outreach.programme,
        "currency": about.currency,
        "generated": about.generated,
        "model_version": about.model_version,
        "score_as_of": utc_text(about.cutoff or about.created_at),
        "language": _spoken(settings, customer_id),
        **{name: record[name] for name in _SCORED},
    }


def _spoken(settings: PipelineConfig, customer_id: str) -> str | None:
    path = settings.workspace / "scores" / HISTORY
    if not path.is_file():
        return None
    with closing(History(path)) as history:
        rows: Sequence[dict[str, Any]] = history.rows(customer_id).get("customers", ())
    return language_code(rows[-1].get("language"), settings.serving.language) if rows else None
