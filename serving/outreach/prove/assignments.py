"""Each customer's first assignment to an arm of a programme, and what became of them since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, func, select

from features.windows import shift_days
from serving.outreach.records import DECISIONS, MESSAGES, OUTCOMES

ArmName = Literal["contact", "holdout"]

_ASSIGNED = (
    *("id", "customer_id", "decided_at", "arm", "policy", "channel", "segment", "risk_tier"),
    *("before", "churn_probability"),
)
_LEFT_US = ("delivered", "unknown")
"""States of messages that reached, or may have reached, the customer, and so cost money."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One customer as first assigned; nothing that came later changes arm or traits."""

    decision_id: str
    customer_id: str
    arm: ArmName
    at: datetime
    until: datetime
    """The end of the horizon, at which what became of them is final."""
    policy: str | None
    """By what the plan chose them: expected gain, or a draw for exploration."""
    channel: str | None
    segment: str | None
    tier: str | None
    before: float
    """Contribution over the horizon before; 0 where it is not known."""
    churn_probability: float


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a customer within the horizon."""

    stayed: bool
    value: float | None
    """Contribution, in the currency; None where it is not known."""


def first_assignments(
    connection: Connection, programme: str, horizon_days: int, zone: ZoneInfo
) -> list[Assignment]:
    """Every customer ever assigned to an arm of `programme`, once, by the time of it."""
    place = func.row_number().over(
        partition_by=DECISIONS.c.customer_id, order_by=(DECISIONS.c.decided_at, DECISIONS.c.id)
    )
    placed = (
        select(*(DECISIONS.c[name] for name in _ASSIGNED), place.label("place"))
        .where(DECISIONS.c.programme == programme)
        .where(DECISIONS.c.arm.is_not(None))
        .subquery()
    )
    first = select(placed).where(placed.c.place == 1).order_by(placed.c.decided_at, placed.c.id)
    ends: dict[datetime, datetime] = {}
    found = []
    for row in connection.execute(first):
        if row.decided_at not in ends:
            ends[row.decided_at] = shift_days(row.decided_at, horizon_days, zone)
        found.append(_assignment(row, ends[row.decided_at]))
    return found


def _assignment(row: Row[tuple[object, ...]], until: datetime) -> Assignment:
    return Assignment(
        decision_id=row.id,
        customer_id=row.customer_id,
        arm=row.arm,
        at=row.decided_at,
        until=until,
        policy=row.policy,
        channel=row.channel,
        segment=row.segment,
        tier=row.risk_tier,
        before=row.before or 0.0,
        churn_probability=row.churn_probability or 0.0,
    )


def what_became(
    connection: Connection, programme: str, assignments: Sequence[Assignment]
) -> dict[str, Became]:
    """Decision id to what became of the customer, for those of whom it is known.

    What the orders show comes first. Else somebody told: `stayed` after the horizon's end, or
    `left` before it (left) or after it (stayed until then).
    """
    shown = _shown_by_orders(connection, programme)
    told = _told(connection)
    found = {
        one.decision_id: shown.get(one.decision_id) or _of_told(one, told) for one in assignments
    }
    return {name: became for name, became in found.items() if became is not None}


def _shown_by_orders(connection: Connection, programme: str) -> dict[str, Became]:
    rows = connection.execute(
        select(*OUTCOMES.c["decision_id", "kind", "value"])
        .join(DECISIONS, DECISIONS.c.id == OUTCOMES.c.decision_id)
        .where(DECISIONS.c.programme == programme)
        .where(OUTCOMES.c.kind.in_(("kept", "lost")))
    )
    return {row.decision_id: Became(row.kind == "kept", row.value) for row in rows}


def _told(connection: Connection) -> dict[str, list[Row[tuple[object, ...]]]]:
    rows = connection.execute(
        select(*OUTCOMES.c["customer_id", "kind", "occurred_at", "value"])
        .where(OUTCOMES.c.kind.in_(("stayed", "left", "purchase")))
        .order_by(OUTCOMES.c.occurred_at)
    )
    told: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in rows:
        told.setdefault(row.customer_id, []).append(row)
    return told


def _of_told(one: Assignment, told: dict[str, list[Row[tuple[object, ...]]]]) -> Became | None:
    since = [row for row in told.get(one.customer_id, ()) if row.occurred_at >= one.at]
    for row in since:
        is_late = row.occurred_at >= one.until
        if row.kind == "left" or (row.kind == "stayed" and is_late):
            bought = [r.value for r in since if r.kind == "purchase" and r.occurred_at < one.until]
            return Became(is_late, sum(bought) if row.value is None else row.value)
    return None


def costs_of_contact(
    connection: Connection, programme: str
) -> dict[str, list[tuple[datetime, float]]]:
    """Customer to the time and cost of each contact whose message left, in the currency."""
    rows = connection.execute(
        select(*DECISIONS.c["customer_id", "decided_at", "cost"])
        .join(MESSAGES, MESSAGES.c.decision_id == DECISIONS.c.id)
        .where(DECISIONS.c.programme == programme)
        .where(MESSAGES.c.state.in_(_LEFT_US))
        .where(DECISIONS.c.cost > 0)
    )
    costs: dict[str, list[tuple[datetime, float]]] = {}
    for row in rows:
        costs.setdefault(row.customer_id, []).append((row.decided_at, row.cost))
    return costs


def contacts_of_held_out(connection: Connection) -> int:
    """Messages that were made for a held-out customer: 0, or the holdout is broken."""
    return (
        connection.scalar(
            select(func.count())
            .select_from(MESSAGES)
            .join(DECISIONS, MESSAGES.c.decision_id == DECISIONS.c.id)
            .where(DECISIONS.c.arm == "holdout")
        )
        or 0
    )
