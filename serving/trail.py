"""One customer over time: every score with its cause, every decision and what became of it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, select

from serving.fresh import LIVE_SCORES
from serving.online import OnlineSnapshot
from serving.outreach.records import DECISIONS, MESSAGES
from serving.score_ids import nightly_score_id, snapshot_id
from serving.standings import RISK_EVENTS

_MOST = 200
"""Newest scores, and newest decisions, that are told."""
_RUN = "scoring run"


def score_history(
    snapshot: OnlineSnapshot, connection: Connection, customer_id: str
) -> list[dict[str, Any]]:
    """The customer's scores, of runs and live, the newest first; `event` is what one led to."""
    risk = RISK_EVENTS.c
    told = select(risk.score_id, risk.type).where(risk.customer_id == customer_id)
    events: dict[str, str] = {row.score_id: row.type for row in connection.execute(told)}
    found = [*_of_runs(snapshot, customer_id), *_live(connection, customer_id)]
    found.sort(key=lambda score: score["as_of"], reverse=True)
    return [{**score, "event": events.get(score["score_id"])} for score in found[:_MOST]]


def decisions_of(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    """What plans decided about the customer, the newest first, with the message that followed."""
    messages: dict[str, Row[Any]] = {
        row.decision_id: row
        for row in connection.execute(
            select(MESSAGES)
            .where(MESSAGES.c.customer_id == customer_id)
            .order_by(MESSAGES.c.sequence)
        )
    }
    found = (
        select(DECISIONS)
        .where(DECISIONS.c.customer_id == customer_id)
        .order_by(DECISIONS.c.decided_at.desc())
        .limit(_MOST)
    )
    return [_decision(row, messages.get(row.id)) for row in connection.execute(found)]


def _of_runs(snapshot: OnlineSnapshot, customer_id: str) -> Iterator[dict[str, Any]]:
    for past in snapshot.past(customer_id):
        made_by = snapshot_id(past.created_at)
        yield {
            "score_id": nightly_score_id(made_by, past.rank),
            "as_of": past.created_at,
            "cause": _RUN,
            "churn_probability": past.churn_probability,
            "value_at_risk": past.value_at_risk,
        }
    if found := snapshot.find(customer_id):
        yield _scored(orjson.loads(found.score), snapshot.about.created_at, _RUN)


def _live(connection: Connection, customer_id: str) -> Iterator[dict[str, Any]]:
    live = LIVE_SCORES.c
    kept = select(live.record, live.scored_at, live.cause).where(live.customer_id == customer_id)
    for row in connection.execute(kept.order_by(live.scored_at.desc()).limit(_MOST)):
        yield _scored(orjson.loads(row.record), row.scored_at, row.cause)


def _scored(record: Mapping[str, Any], as_of: datetime, cause: str) -> dict[str, Any]:
    said = {name: record[name] for name in ("score_id", "churn_probability", "value_at_risk")}
    return {**said, "as_of": as_of, "cause": cause}


def _decision(row: Row[Any], message: Row[Any] | None) -> dict[str, Any]:
    names = ("id", "decided_at", "programme", "action", "reason", "channel", "step", "note")
    return {
        **{name: getattr(row, name) for name in (*names, "expected_gain", "cost")},
        "message": message
        and {
            name: getattr(message, name)
            for name in ("id", "endpoint", "state", "created_at", "attempts", "settled_at")
        },
    }
