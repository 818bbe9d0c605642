"""What a plan says of itself: who, why, the money, how each constraint bound, what it can show."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

import orjson

from features.config import PipelineConfig
from serving.outreach.decide.candidates import Prospect
from serving.outreach.decide.decisions import Decision
from serving.outreach.decide.planning import Planned
from serving.outreach.holdout import (
    HoldoutError,
    Stratum,
    holdout_report,
    smallest_detectable_effect,
)

REASON_WORDS: Mapping[str, str] = {
    "expected_gain": "contacted: the largest expected gains",
    "exploration": "contacted: drawn at random, to keep learning honest",
    "holdout": "would be contacted, but held out to measure the effect",
    "below_value": "a contact would cost more than it is expected to bring",
    "no_consent": "agreed to no channel, or asked to be left alone",
    "open_ticket": "support is busy with their ticket; listed for support",
    "recent_complaint": "complained lately",
    "contacted_recently": "contacted lately, or a message is on its way",
    "capped": "had as many contacts as the caps allow",
    "quiet_hours": "asleep until the message would be too late, or their time zone is unknown",
    "over_budget": "the day's budget is spent",
    "over_capacity": "the channels they agreed to are full today",
    "do_not_disturb": "contact would rather drive them away",
    "stale_score": "the score is too old to act on",
    "model_abstains": "the uplift model says nothing of them",
}
"""Each reason in words."""
_SHOWN = 10


@dataclass(frozen=True)
class ReasonSeen:
    """How many decisions fell for a reason, and the gain expected from contacting them."""

    reason: str
    words: str
    customers: int
    expected_gain: float
    """Of those for whom it is above 0: what a constraint cost, or contacts are to bring."""


@dataclass(frozen=True)
class ChannelUse:
    """How far a channel is filled by the plan."""

    name: str
    contacts: int
    room: int
    """Contacts that were left in the day before the plan."""
    cost: float


@dataclass(frozen=True)
class HoldoutSize:
    """The holdout, and the smallest effect on churn that it can show."""

    share: float
    customers: int
    held_out: int
    by_tier: Mapping[str, Stratum]
    planned: int
    """Customers, both arms together, that the programme is sized for."""
    base_rate: float
    """Mean churn probability of those contacted, or held out in their place."""
    smallest_effect: float | None
    """In absolute points, with 80 % power; None when too few are held out for any."""


@dataclass(frozen=True)
class Shown:
    """One contact of the plan."""

    customer_id: str
    step: str
    channel: str
    reason: str
    churn_probability: float
    value: float
    change: float | None
    expected_gain: float | None
    opens: datetime
    why: str
    """What raises their risk most, in words; else what lowers it."""


@dataclass(frozen=True)
class IncidentSeen:
    """A spike of similar tickets."""

    category: str
    ended_at: datetime
    tickets: int
    usual: float
    customers: int


@dataclass(frozen=True)
class PlanReport:
    """A plan for a person or a machine to read; money in `currency`."""

    programme: str
    run: str | None
    """None for a dry run, which wrote nothing."""
    at: datetime
    generated: bool
    currency: str
    score_as_of: datetime
    considered: int
    reasons: Sequence[ReasonSeen]
    """The most frequent first."""
    contacts: int
    cost: float
    budget_left: float
    """Before the plan."""
    expected_gain: float
    channels: Sequence[ChannelUse]
    holdout: HoldoutSize
    assumption: str
    first: Sequence[Shown]
    for_support: int
    incidents: Sequence[IncidentSeen]
    notes: Sequence[str]


def report_plan(planned: Planned, config: PipelineConfig) -> PlanReport:
    """Sum up `planned`."""
    about, plan = planned.basis.online.about, planned.plan
    contacts, holdout = plan.contacts(), _holdout(planned)
    return PlanReport(
        programme=planned.programme.holdout.programme,
        run=planned.run,
        at=planned.at,
        generated=about.generated,
        currency=about.currency,
        score_as_of=planned.basis.known_until,
        considered=len(plan.decisions),
        reasons=_reasons(planned),
        contacts=len(contacts),
        cost=plan.cost,
        budget_left=planned.rules.budget - planned.ledger.spent,
        expected_gain=sum(one.expected_gain or 0.0 for one in contacts),
        channels=_channels(planned),
        holdout=holdout,
        assumption=_assumption(planned, config),
        first=_first(contacts[:_SHOWN], planned),
        for_support=plan.reasons()["open_ticket"],
        incidents=[
            IncidentSeen(one.category, one.ended_at, one.tickets, one.usual, len(one.customers))
            for one in planned.basis.people.incidents
        ],
        notes=_notes(planned, config, holdout),
    )


def _reasons(planned: Planned) -> list[ReasonSeen]:
    gains: dict[str, float] = defaultdict(float)
    for one in planned.plan.decisions:
        gains[one.reason] += max(0.0, one.expected_gain or 0.0)
    return [
        ReasonSeen(reason, REASON_WORDS[reason], count, gains[reason])
        for reason, count in planned.plan.reasons().most_common()
    ]


def _channels(planned: Planned) -> list[ChannelUse]:
    sent = planned.ledger.sent
    return [
        ChannelUse(
            channel.name,
            planned.plan.used[channel.name],
            max(0, channel.daily_capacity - sent.get(channel.name, 0)),
            planned.plan.used[channel.name] * channel.cost,
        )
        for channel in planned.rules.channels
    ]


def _holdout(planned: Planned) -> HoldoutSize:
    holdout, found = planned.programme.holdout, planned.prospects
    in_arms = [one.customer_id for one in planned.plan.decisions if one.arm]
    rates = [found[one].scored.churn_probability for one in in_arms or found]
    base_rate = fmean(rates) if rates else 0.0
    tiers = {name: one.scored.risk_tier for name, one in found.items()}
    return HoldoutSize(
        share=holdout.share,
        customers=len(found),
        held_out=sum(one.candidate.held_out for one in found.values()),
        by_tier=holdout_report(holdout, tiers),
        planned=planned.programme.planned,
        base_rate=base_rate,
        smallest_effect=_smallest(planned.programme.planned, base_rate, holdout.share),
    )


def _smallest(customers: int, base_rate: float, share: float) -> float | None:
    try:
        return smallest_detectable_effect(customers, base_rate, share)
    except HoldoutError:
        return None


def _assumption(planned: Planned, config: PipelineConfig) -> str:
    basis = planned.basis
    found = f"; {basis.verdict}" if basis.verdict else ""
    if not basis.is_assumed:
        return f"what contact changes is measured, by the uplift model{found}"
    return (
        "what contact changes is assumed, not measured: it keeps "
        f"{config.outreach.assumed_change:.1%} of those who would leave "
        f"(outreach.assumed_change){found}"
    )


def _first(contacts: Sequence[Decision], planned: Planned) -> list[Shown]:
    scored = planned.basis.online.find_many([one.customer_id for one in contacts])
    return [
        _shown(one, planned.prospects[one.customer_id], orjson.loads(scored[one.customer_id].score))
        for one in contacts
    ]


def _shown(decision: Decision, prospect: Prospect, record: Mapping[str, Any]) -> Shown:
    window = decision.window
    return Shown(
        customer_id=decision.customer_id,
        step=decision.step or "",
        channel=decision.channel or "",
        reason=decision.reason,
        churn_probability=prospect.scored.churn_probability,
        value=prospect.candidate.value,
        change=prospect.candidate.change,
        expected_gain=decision.expected_gain,
        opens=window.opens if window else prospect.candidate.scored_at,
        why=_why(record["reasons"]),
    )


def _why(reasons: Sequence[Mapping[str, Any]]) -> str:
    raising = [reason for reason in reasons if reason["effect"] == "raises"]
    return next((reason["text"] for reason in (*raising, *reasons)), "")


def _notes(planned: Planned, config: PipelineConfig, holdout: HoldoutSize) -> list[str]:
    """What a person should mend or know, worst first."""
    people, reasons = planned.basis.people, planned.plan.reasons()
    notes = []
    needed = {config.outreach.consent(channel) for channel in config.outreach.channels}
    for consent in sorted(needed - {"not_needed"}):
        if not any(getattr(one, consent) for one in people.persons.values()):
            notes.append(
                f"nobody has given {consent}: map customers.{consent}, or say under "
                "outreach.channels why none is needed"
            )
    if reasons["stale_score"]:
        notes.append("scores are out of date: run `setia check` and `setia score`, then plan")
    odd = [name for name, one in holdout.by_tier.items() if one.is_odd]
    if odd:
        notes.append(f"the holdout is of an unlikely size in tier {', '.join(odd)}")
    return notes
