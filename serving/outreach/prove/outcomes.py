"""What became of customers after a decision, as others tell it: judged, and kept once each."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection, insert, select

from features.outreach_config import ChannelName
from serving.database import insert_or
from serving.instants import Instant
from serving.outreach.audit import audit
from serving.outreach.forgotten import forgotten_in
from serving.outreach.outbox import take_turn
from serving.outreach.records import DECISIONS, OUTCOMES, SUPPRESSIONS

OutcomeKind = Literal[
    "purchase", "stayed", "left", "replied", "unsubscribed", "complained", "bounced"
]
Code = Literal[
    "unknown_customer", "before_any_decision", "in_the_future", "conflict", "forgotten", "not_valid"
]
ANY = "any"
"""In place of a channel: none at all."""
AT_ONCE = 1_000
"""Outcomes taken in by one transaction."""

_FORBIDS: Collection[OutcomeKind] = ("unsubscribed", "complained", "bounced")
"""After these nobody is contacted again by the channel that they name, or by any."""
_VALUED: Collection[OutcomeKind] = ("purchase", "stayed", "left")
_CLOCKS_DIFFER = timedelta(minutes=5)
_LARGEST = 1e15


class GivenOutcome(BaseModel):
    """One thing that a customer did, or that became of them, as a caller or a file tells it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    customer_id: Annotated[str, Field(min_length=1, max_length=200)]
    kind: OutcomeKind
    """`stayed` and `left` say whether they were still a customer at `occurred_at`."""
    occurred_at: Instant
    """ISO 8601 with a zone."""
    value: Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)] | None = None
    """Of a purchase; of stayed or left, the contribution since the decision."""
    channel: ChannelName | None = None
    """By which nobody may be contacted again; all, when it is left out."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "GivenOutcome":
        if self.kind == "purchase" and self.value is None:
            raise ValueError("a purchase needs its value")
        if self.value is not None and self.kind not in _VALUED:
            raise ValueError(f"{self.kind} has no value; leave it out")
        if self.kind == "bounced" and self.channel is None:
            raise ValueError("say by which channel it bounced, such as email")
        if self.channel is not None and self.kind not in _FORBIDS:
            raise ValueError(f"{self.kind} takes no channel; leave it out")
        return self


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an outcome was not kept."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one outcome: kept, known already, or refused."""

    status: Literal["kept", "duplicate", "refused"]
    refusal: Refusal | None = None


KEPT, DUPLICATE = Taken("kept"), Taken("duplicate")


def take_in(
    connection: Connection, given: Sequence[GivenOutcome], source: str, actor: str, now: datetime
) -> list[Taken]:
    """Keep what is new and true, each with its decision; one result for each, in order.

    A wish not to be contacted becomes a suppression in the same transaction, and counts also
    from somebody on whom nothing was ever decided. Leaves one audit row.
    """
    # Two intakes must not both find that an outcome is new; nor is anything leased meanwhile.
    take_turn(connection)
    ids = {one.customer_id for one in given}
    intake = _Intake(connection, source, now, _known(connection, ids))
    results = [intake.take(one) for one in given]
    audit(connection, now, actor, "outcomes", {source: _counts(results)})
    return results


def opt_out(connection: Connection, customer_id: str, channel: str, now: datetime) -> None:
    """Take in that the customer unsubscribed from `channel` by their own link; twice is once."""
    take_turn(connection)
    known = select(SUPPRESSIONS.c.since).where(SUPPRESSIONS.c.customer_id == customer_id)
    if connection.scalar(known.where(SUPPRESSIONS.c.channel.in_((channel, ANY)))) is None:
        told = {"customer_id": customer_id, "kind": "unsubscribed", "occurred_at": now}
        one = GivenOutcome.model_validate(told | {"channel": channel})
        take_in(connection, [one], "link", "unsubscribe link", now)


class _Intake:
    """Judges outcomes one after another, each against all that were kept before it."""

    def __init__(
        self,
        connection: Connection,
        source: str,
        now: datetime,
        known: dict[str, list[GivenOutcome]],
    ) -> None:
        self._connection = connection
        self._source = source
        self._now = now
        self._known = known
        self._forgotten = forgotten_in(connection)

    def take(self, one: GivenOutcome) -> Taken:
        """Keep `one`, or say why not."""
        if one.customer_id in self._forgotten:
            return _refused("forgotten", "this person was erased; nothing of theirs is kept")
        if one.occurred_at > self._now + _CLOCKS_DIFFER:
            return _refused("in_the_future", f"{one.occurred_at.isoformat()} has not come yet")
        if one.kind in _FORBIDS:
            forbid(self._connection, one.customer_id, one.channel or ANY, one.kind, self._now)
        decision = self._decision(one.customer_id, one.occurred_at)
        if decision is None and one.kind not in _FORBIDS:
            return self._undecided(one)
        return self._new(one, decision)

    def _new(self, one: GivenOutcome, decision: str | None) -> Taken:
        for other in self._known.get(one.customer_id, ()):
            if said := _compared(one, other):
                return said
        values = one.model_dump(exclude={"channel"}) | {
            "decision_id": decision,
            "source": self._source,
            "received_at": self._now,
        }
        self._connection.execute(insert(OUTCOMES).values(values))
        self._known.setdefault(one.customer_id, []).append(one)
        return KEPT

    def _undecided(self, one: GivenOutcome) -> Taken:
        later = self._decision(one.customer_id, None)
        if later is None:
            detail = "no plan has ever considered this customer; check the id"
            return _refused("unknown_customer", detail)
        detail = f"the first decision on this customer fell after {one.occurred_at.isoformat()}"
        return _refused("before_any_decision", detail)

    def _decision(self, customer_id: str, by: datetime | None) -> str | None:
        """The last decision on the customer, or the last by a time."""
        last = (
            select(DECISIONS.c.id)
            .where(DECISIONS.c.customer_id == customer_id)
            .order_by(DECISIONS.c.decided_at.desc())
            .limit(1)
        )
        return self._connection.scalar(last.where(DECISIONS.c.decided_at <= by) if by else last)


def forbid(
    connection: Connection, customer_id: str, channel: str, reason: str, now: datetime
) -> None:
    """Let nobody contact the customer by `channel` from the next attempt on; twice is once."""
    row = {"customer_id": customer_id, "channel": channel, "since": now, "reason": reason}
    connection.execute(insert_or(connection, SUPPRESSIONS).values(row).on_conflict_do_nothing())


def _compared(one: GivenOutcome, other: GivenOutcome) -> Taken | None:
    """What `other`, kept before, makes of `one`; None when they go together."""
    if (one.kind, one.occurred_at) == (other.kind, other.occurred_at):
        if one.value == other.value:
            return DUPLICATE
        told = f"{one.kind} at that time is known with the value {other.value}, not {one.value}"
        return _refused("conflict", told)
    if {one.kind, other.kind} == {"stayed", "left"}:
        stayed, left = (one, other) if one.kind == "stayed" else (other, one)
        if left.occurred_at <= stayed.occurred_at:
            told = f"{other.kind} at {other.occurred_at.isoformat()} is known, which denies it"
            return _refused("conflict", told)
    return None


def _refused(code: Code, detail: str) -> Taken:
    return Taken("refused", Refusal(code, detail))


def _known(connection: Connection, ids: Iterable[str]) -> dict[str, list[GivenOutcome]]:
    """The outcomes told of these customers before."""
    rows = connection.execute(
        select(*OUTCOMES.c["customer_id", "kind", "occurred_at", "value"])
        .where(OUTCOMES.c.customer_id.in_(sorted(ids)))
        .where(OUTCOMES.c.kind.in_(get_args(OutcomeKind)))
    )
    known: dict[str, list[GivenOutcome]] = {}
    for row in rows:
        one = GivenOutcome.model_construct(**row._mapping)
        known.setdefault(one.customer_id, []).append(one)
    return known


def _counts(results: Sequence[Taken]) -> Counter[str]:
    return Counter(one.refusal.code if one.refusal else one.status for one in results)
