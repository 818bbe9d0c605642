"""Planning: the day's decisions computed, then written with their messages, all or nothing."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import Connection, delete

from features.config import PipelineConfig
from features.windows import local_day, start_of_day
from serving.database import Database
from serving.outreach.audit import audit
from serving.outreach.bulk import ready_rows
from serving.outreach.decide.basis import Basis
from serving.outreach.decide.candidates import Prospect, prospects
from serving.outreach.decide.contacted import longest_span
from serving.outreach.decide.decision_ids import ids_from, run_name
from serving.outreach.decide.decisions import Day, Plan, Rules
from serving.outreach.decide.ledger import Ledger, read_ledger
from serving.outreach.decide.plan_rows import PlanRows
from serving.outreach.decide.policy import plan_outreach
from serving.outreach.decide.programmes import (
    Programme,
    draw_holdout,
    find_programme,
    keep_programme,
    plans_written,
)
from serving.outreach.decide.rules import rules_of
from serving.outreach.forgotten import forgotten_in
from serving.outreach.outbox import enqueue, take_turn
from serving.outreach.records import DECISIONS

_TRIES = 10
_PROGRAMME_DAYS = 90
"""A programme is sized for so many days at full capacity."""


class PlansCollided(RuntimeError):
    """Other planners were faster every time; nothing was written."""


@dataclass(frozen=True)
class Planned:
    """A plan with what it was made of."""

    at: datetime
    run: str | None
    """Under which it was written; None for a preview."""
    basis: Basis
    ledger: Ledger
    rules: Rules
    programme: Programme
    prospects: Mapping[str, Prospect]
    plan: Plan


def preview_plan(
    database: Database, config: PipelineConfig, basis: Basis, now: datetime
) -> Planned:
    """The plan as `write_plan` would write it now; nothing is written.

    Before a programme's first plan its holdout is drawn for this preview alone.

    Raises OutreachOff, ProgrammeError, PolicyError or UnvaluedError when nothing can be planned.
    """
    if database.exists:
        with database.reading() as connection:
            return _computed(connection, config, basis, now)
    return _computed(None, config, basis, now)


def write_plan(database: Database, config: PipelineConfig, basis: Basis, now: datetime) -> Planned:
    """Decide on every customer of `basis` and write it: decisions, messages, audit, programme.

    All of it is one transaction, so that no decision is without its message. It is computed
    outside and written only if no other plan has been written since its ledger was read;
    otherwise it is computed again. So two planners at once, or a plan made twice, contact nobody
    twice and exceed no cap, capacity or budget.

    Raises as `preview_plan` does, and PlansCollided when others were faster ten times.
    """
    run = run_name(now, secrets.token_hex(3))
    for _ in range(_TRIES):
        with database.reading() as connection:
            planned = _computed(connection, config, basis, now, run)
            rows = _rows(config, planned, run)
            decisions = ready_rows(connection.dialect, DECISIONS, rows.decisions())
        messages = list(rows.messages(basis.online))
        with database.writing() as connection:
            take_turn(connection)
            if _still_holds(connection, planned.ledger):
                decisions.insert(connection)
                enqueue(connection, messages, now)
                _finish(connection, config, planned, run)
                return planned
    raise PlansCollided(
        f"{_TRIES} other plans were written while this one was computed; nothing was written: "
        "run one planner at a time"
    )


def _still_holds(connection: Connection, ledger: Ledger) -> bool:
    """Whether nobody has written a plan, or been erased, since the ledger was read."""
    is_same_plan = plans_written(connection) == ledger.plans
    return is_same_plan and forgotten_in(connection) == ledger.forgotten


def _computed(
    connection: Connection | None,
    config: PipelineConfig,
    basis: Basis,
    now: datetime,
    run: str | None = None,
) -> Planned:
    rules = rules_of(config.outreach)
    known = find_programme(connection, config.outreach) if connection else None
    today = start_of_day(local_day(now, config.zone), config.zone)
    ledger = read_ledger(connection, now, longest_span(rules), today) if connection else Ledger()
    holdout = known.holdout if known else draw_holdout(config.outreach)
    found = prospects(basis, ledger, holdout, config, now)
    programme = known or Programme(holdout, _size(found, rules, holdout.share))
    day = Day(now, holdout.key, ledger.sent, ledger.spent)
    plan = plan_outreach((one.candidate for one in found), rules, day)
    by_id = {one.candidate.customer_id: one for one in found}
    return Planned(now, run, basis, ledger, rules, programme, by_id, plan)


def _size(found: Sequence[Prospect], rules: Rules, share: float) -> int:
    """Customers whom a programme will have assigned to an arm, as far as can be foreseen.

    They are all who may be reached, or as many as 90 days at full capacity have room for.
    """
    reachable = sum(bool(one.candidate.consents) for one in found)
    room = _PROGRAMME_DAYS * sum(channel.daily_capacity for channel in rules.channels)
    return max(1, min(reachable, ceil(room / (1 - share))))


def _rows(config: PipelineConfig, planned: Planned, run: str) -> PlanRows:
    return PlanRows(
        run=run,
        now=planned.at,
        config=config.outreach,
        about=planned.basis.online.about,
        scored_at=planned.basis.known_until,
        decided=planned.plan.decisions,
        prospects=planned.prospects,
    )


def _finish(connection: Connection, config: PipelineConfig, planned: Planned, run: str) -> None:
    """Write what goes with the decisions and messages of a plan, and drop what is too old."""
    keep_programme(connection, planned.programme, planned.at)
    _forget_old(connection, planned.at - timedelta(days=config.serving.history_days))
    audit(connection, planned.at, "planner", "plan_written", {run: _summary(planned)})


def _forget_old(connection: Connection, before: datetime) -> None:
    """Delete decisions made before then, but for those in an arm, by which effects are measured."""
    old = DECISIONS.c.id < ids_from(before)
    connection.execute(delete(DECISIONS).where(old, DECISIONS.c.arm.is_(None)))


def _summary(planned: Planned) -> dict[str, object]:
    plan = planned.plan
    arms = Counter(one.arm for one in plan.decisions)
    return {
        "programme": planned.programme.holdout.programme,
        "score_id": planned.basis.online.about.snapshot_id,
        "considered": len(plan.decisions),
        "contacts": arms["contact"],
        "holdout": arms["holdout"],
        "reasons": dict(plan.reasons()),
        "cost": plan.cost,
    }
