"""A plan as rows: every decision with what it was made of, every contact as a message."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from features.outreach_config import OutreachConfig
from serving.online import About, OnlineSnapshot
from serving.outreach.decide.candidates import Prospect
from serving.outreach.decide.decision_ids import decision_id
from serving.outreach.decide.decisions import Decision
from serving.outreach.outbox import NewMessage
from serving.scoring import utc_text

_SCORE_FIELDS = ("churn_probability", "risk_tier", "clv", "value_at_risk", "next_step")
_REASON_FIELDS = ("text", "effect", "actionable", "theme")
_AT_ONCE = 5_000


@dataclass(frozen=True)
class PlanRows:
    """The rows of one run, all decided at one instant."""

    run: str
    now: datetime
    config: OutreachConfig
    about: About
    scored_at: datetime
    """Up to when the scores knew the customers."""
    decided: Sequence[Decision]
    prospects: Mapping[str, Prospect]

    def decisions(self) -> Iterator[dict[str, Any]]:
        """Rows of `decisions`, whose ids rise with them."""
        same = {
            "programme": self.config.programme,
            "run": self.run,
            "decided_at": self.now,
            "score_id": self.about.snapshot_id,
            "model_version": self.about.model_version,
        }
        costs = {str(name): channel.cost for name, channel in self.config.channels.items()}
        for place, decision in enumerate(self.decided):
            prospect = self.prospects[decision.customer_id]
            cost = costs[decision.channel or ""] if decision.action == "contact" else None
            row = {"id": self._id(place), "cost": cost, **same}
            yield row | _decided(decision) | _known(prospect)

    def messages(self, online: OnlineSnapshot) -> Iterator[NewMessage]:
        """One message per contact, with the score from `online` that led to it."""
        contacts = [
            (place, one) for place, one in enumerate(self.decided) if one.action == "contact"
        ]
        endpoints = {str(name): channel.endpoint for name, channel in self.config.channels.items()}
        for start in range(0, len(contacts), _AT_ONCE):
            some = contacts[start : start + _AT_ONCE]
            scored = online.find_many([one.customer_id for _, one in some])
            for place, decision in some:
                record = orjson.loads(scored[decision.customer_id].score)
                endpoint = endpoints[decision.channel or ""]
                yield self._message(self._id(place), decision, record, endpoint)

    def _message(
        self, decision_id: str, decision: Decision, record: Mapping[str, Any], endpoint: str
    ) -> NewMessage:
        window = decision.window
        not_after = self.now + timedelta(hours=self.config.send_within_hours)
        opens = window.opens if window else self.now
        effect = [self.config.programme, decision.customer_id, decision.step, opens.isoformat()]
        return NewMessage(
            endpoint=endpoint,
            type="outreach.contact",
            customer_id=decision.customer_id,
            effect_key=sha256(orjson.dumps(effect)).hexdigest(),
            payload=self._payload(decision_id, decision, record, not_after),
            decision_id=decision_id,
            not_before=opens,
            not_after=not_after,
        )

    def _payload(
        self, decision_id: str, decision: Decision, record: Mapping[str, Any], not_after: datetime
    ) -> dict[str, Any]:
        payload = {
            "decision_id": decision_id,
            "customer_id": decision.customer_id,
            "programme": self.config.programme,
            "channel": decision.channel,
            "step": decision.step,
            "language": self.prospects[decision.customer_id].language,
            "currency": self.about.currency,
            "reasons": [
                {name: reason[name] for name in _REASON_FIELDS if name in reason}
                for reason in record["reasons"]
            ],
            "score_as_of": utc_text(self.scored_at),
            "model_version": self.about.model_version,
            "not_after": utc_text(not_after),
            **{name: record[name] for name in _SCORE_FIELDS},
        }
        return payload | {"generated": True} if self.about.generated else payload

    def _id(self, place: int) -> str:
        return decision_id(self.run, place)


def _decided(decision: Decision) -> dict[str, Any]:
    """The policy's part of a row."""
    window = decision.window
    return {
        "customer_id": decision.customer_id,
        "action": decision.action,
        "reason": decision.reason,
        "arm": decision.arm,
        "policy": decision.policy,
        "channel": decision.channel,
        "step": decision.step,
        "expected_gain": decision.expected_gain,
        "window_opens": window and window.opens,
        "window_closes": window and window.closes,
        "note": decision.note,
    }


def _known(prospect: Prospect) -> dict[str, Any]:
    """The part of a row that says what the policy knew."""
    candidate, scored = prospect.candidate, prospect.scored
    return {
        "occasion": candidate.occasion,
        "value": candidate.value,
        "change": candidate.change,
        "churn_probability": scored.churn_probability,
        "risk_tier": scored.risk_tier,
        "segment": prospect.segment,
        "timezone": candidate.timezone,
        "before": prospect.before,
    }
