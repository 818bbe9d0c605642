"""What the operations database holds against or for a contact, read before a plan is made."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, func, select

from features.forgotten import NOBODY, Forgotten
from serving.outreach.decide.contacted import contacts_since
from serving.outreach.decide.decisions import STEPS, Contact
from serving.outreach.decide.programmes import plans_written
from serving.outreach.forgotten import forgotten_in
from serving.outreach.records import DECISIONS, SUPPRESSIONS

_ONCE = timedelta(days=30)
"""Within so long nobody is greeted, or apologised to, twice for one purchase or incident."""
_ONCE_ONLY = (STEPS["incident"], STEPS["first_purchase"])


@dataclass(frozen=True)
class Ledger:
    """The state of outreach at one instant; empty before the first plan."""

    plans: int = 0
    """Plans written so far: another plan since makes this one's basis out of date."""
    forgotten: Forgotten = NOBODY
    """Who was erased, and may still be among the last scores."""
    contacts: Mapping[str, tuple[Contact, ...]] = field(default_factory=dict)
    suppressed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Customer to the channels by which nobody may contact them; `any` is all of them."""
    steps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Customer to the greetings and apologies decided of late."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """Channel to contacts decided today, by all programmes."""
    spent: float = 0.0
    """What those cost, in the currency."""


def read_ledger(connection: Connection, now: datetime, span: timedelta, today: datetime) -> Ledger:
    """The ledger at `now`: contacts of the last `span`; spent and sent since `today` began."""
    # First of all, so that a plan written while the rest is read shows as one more.
    plans = plans_written(connection)
    forgotten = forgotten_in(connection)
    sent, spent = _used(connection, today)
    return Ledger(
        plans=plans,
        forgotten=forgotten,
        contacts=contacts_since(connection, now, span),
        suppressed=_suppressed(connection),
        steps=_steps(connection, now),
        sent=sent,
        spent=spent,
    )


def _used(connection: Connection, today: datetime) -> tuple[dict[str, int], float]:
    query = (
        select(DECISIONS.c.channel, func.count(), func.sum(DECISIONS.c.cost))
        .where(DECISIONS.c.arm == "contact", DECISIONS.c.arm.is_not(None))
        .where(DECISIONS.c.decided_at >= today)
        .group_by(DECISIONS.c.channel)
    )
    rows = connection.execute(query).all()
    return {channel: count for channel, count, _ in rows}, sum(row[2] or 0.0 for row in rows)


def _suppressed(connection: Connection) -> dict[str, frozenset[str]]:
    return _sets(connection, select(SUPPRESSIONS.c.customer_id, SUPPRESSIONS.c.channel))


def _steps(connection: Connection, now: datetime) -> dict[str, frozenset[str]]:
    query = (
        select(DECISIONS.c.customer_id, DECISIONS.c.step)
        .where(DECISIONS.c.arm.is_not(None), DECISIONS.c.decided_at >= now - _ONCE)
        .where(DECISIONS.c.step.in_(_ONCE_ONLY))
    )
    return _sets(connection, query)


def _sets(connection: Connection, pairs: Select[str, str]) -> dict[str, frozenset[str]]:
    """Customer to all that stands beside them."""
    found: dict[str, set[str]] = defaultdict(set)
    for customer_id, one in connection.execute(pairs):
        found[customer_id].add(one)
    return {customer_id: frozenset(some) for customer_id, some in found.items()}
