"""The account of a crash test: what was decided, written, said, applied, and what that breaks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from benchmarks.webhook_receiver import Told
from features.outreach_config import OutreachConfig
from serving.database import Database
from serving.outreach.decide.decisions import Contact
from serving.outreach.decide.programmes import find_programme
from serving.outreach.decide.rules import rules_of
from serving.outreach.records import DECISIONS, MESSAGES

_ENDED = ("delivered", "expired", "suppressed", "dead", "unknown")


@dataclass(frozen=True)
class Account:
    """Jepsen's words: lost was acknowledged and is not there, unexpected is there unasked."""

    kills: int
    plans_acknowledged: int
    decisions: int
    messages: int
    delivered: int
    expired_or_suppressed: int
    applied: int
    requests: int
    recovered: int
    """Applied, though the sender never heard so."""
    repeated_deliveries: int
    """Requests that applied what had been applied, which the id made harmless."""
    plans_lost: int
    decisions_without_message: int
    messages_lost: int
    """Delivered, as the outbox has it, and never applied."""
    messages_unfinished: int
    unexpected: int
    effects_doubled: int
    """Decisions that two applied messages came of."""
    holdout_contacts: int
    caps_exceeded: int
    processes_that_failed: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled, or done to anybody who is to be left alone."""
        return self.messages > 0 and not any(
            (
                self.plans_lost,
                self.decisions_without_message,
                self.messages_lost,
                self.messages_unfinished,
                self.unexpected,
                self.effects_doubled,
                self.holdout_contacts,
                self.caps_exceeded,
                self.processes_that_failed,
            )
        )


def account(
    database: Database,
    config: OutreachConfig,
    told: Told,
    acknowledged: Sequence[str],
    kills: int,
    failed: int,
) -> Account:
    """What the database says beside what the receiver was told."""
    with database.reading() as connection:
        programme = find_programme(connection, config)
        decided = connection.execute(select(DECISIONS.c.id, DECISIONS.c.run, DECISIONS.c.action))
        decisions = decided.all()
        columns = (MESSAGES.c.id, MESSAGES.c.state, MESSAGES.c.decision_id)
        messages = connection.execute(select(*columns)).all()
    states = {row.id: row.state for row in messages}
    delivered = {id_ for id_, state in states.items() if state == "delivered"}
    written = {row.decision_id for row in messages}
    contacts = {row.id for row in decisions if row.action == "contact"}
    effects = Counter(one.data["decision_id"] for one in told.applied.values())
    reached = {str(one.data["customer_id"]) for one in told.applied.values()}
    held = {one for one in reached if programme is None or programme.holdout.holds(one)}
    return Account(
        kills=kills,
        plans_acknowledged=len(acknowledged),
        decisions=len(decisions),
        messages=len(messages),
        delivered=len(delivered),
        expired_or_suppressed=sum(one in ("expired", "suppressed") for one in states.values()),
        applied=len(told.applied),
        requests=told.requests,
        recovered=len(told.applied.keys() - delivered),
        repeated_deliveries=told.deliveries.total() - len(told.deliveries),
        plans_lost=len(set(acknowledged) - {row.run for row in decisions}),
        decisions_without_message=len(contacts - written),
        messages_lost=len(delivered - told.applied.keys()),
        messages_unfinished=sum(state not in _ENDED for state in states.values()),
        unexpected=len(told.applied.keys() - states.keys()),
        effects_doubled=sum(count > 1 for count in effects.values()),
        holdout_contacts=len(held),
        caps_exceeded=_caps_exceeded(config, told),
        processes_that_failed=failed,
    )


def _caps_exceeded(config: OutreachConfig, told: Told) -> int:
    """How often a customer was reached more often than a cap, or the rest, allows."""
    rules = rules_of(config)
    reached: dict[str, list[Contact]] = defaultdict(list)
    for one in told.applied.values():
        at = datetime.fromtimestamp(one.at, UTC)
        reached[one.data["customer_id"]].append(Contact(at, one.data["channel"]))
    limits = [(cap.most, cap.within, cap.channel) for cap in rules.caps] + [(1, rules.rest, None)]
    exceeded = 0
    for contacts in reached.values():
        for most, within, channel in limits:
            times = sorted(one.at for one in contacts if channel in (None, one.channel))
            pairs = zip(times, times[most:], strict=False)
            exceeded += sum(later - first < within for first, later in pairs)
    return exceeded
