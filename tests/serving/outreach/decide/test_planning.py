"""Plans are written whole or not at all, however many are made at once or one after another."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from features.config import PipelineConfig
from serving.database import Database
from serving.outreach.decide import policy
from serving.outreach.decide.basis import Basis
from serving.outreach.decide.planning import Planned, PlansCollided, preview_plan, write_plan
from serving.outreach.decide.programmes import ProgrammeError, find_programme
from serving.outreach.decide.rules import OutreachOff
from serving.outreach.decide.support_list import write_support_list
from serving.outreach.forgotten import forget_for_good
from serving.outreach.records import AUDIT, DECISIONS, MESSAGES, PROGRAMMES, SUPPRESSIONS
from tests.serving.operations import Place
from tests.serving.outreach.outbox_rows import add_programme
from tests.serving.outreach.outreach_company import DAY, Shop, open_shop, shop_config
from tests.serving.scored_company import CUTOFF, NOW

HOUR = timedelta(hours=1)
CUSTOMERS = 120
CONTACTS = 30


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """With one customer whom support is busy with, the second most at risk."""
    busy = {"ticket_id": "t_1", "opened_at": NOW - DAY, "resolved_at": NOW + DAY}
    folder = tmp_path_factory.mktemp("shop")
    tickets = [{"customer_id": "c_0007", **busy}]
    return open_shop(folder, CUSTOMERS, {"tickets": tickets})


@pytest.fixture(scope="module")
def basis(shop: Shop) -> Basis:
    return shop.basis()


def config_of(shop: Shop, **outreach: Any) -> PipelineConfig:
    return shop_config(shop.config.workspace, **outreach)


def rows_of(database: Database, table: Any) -> Sequence[Any]:
    with database.reading() as connection:
        return connection.execute(select(table)).all()


def test_a_plan_is_written_with_its_messages_its_programme_and_its_audit(
    database: Database, shop: Shop, basis: Basis
) -> None:
    planned = write_plan(database, shop.config, basis, NOW)
    decisions = {row.customer_id: row for row in rows_of(database, DECISIONS)}
    messages = {row.customer_id: row for row in rows_of(database, MESSAGES)}
    assert len(decisions) == CUSTOMERS
    assert set(messages) == {one.customer_id for one in planned.plan.contacts()}
    assert set(messages) == {one for one, row in decisions.items() if row.action == "contact"}
    assert Counter(row.channel for row in decisions.values() if row.action == "contact") == {
        "email": 20,
        "messaging": 10,
    }
    (programme,) = rows_of(database, PROGRAMMES)
    assert (programme.plans, len(programme.holdout_key), programme.planned) == (1, 32, CUSTOMERS)
    (audit,) = rows_of(database, AUDIT)
    assert (audit.action, audit.subject) == ("plan_written", planned.run)
    assert audit.detail["contacts"] == CONTACTS
    assert audit.detail["reasons"] == dict(planned.plan.reasons())
    assert {row.run for row in decisions.values()} == {planned.run}


def test_a_decision_and_its_message_say_what_they_were_made_of(
    database: Database, shop: Shop, basis: Basis
) -> None:
    planned = write_plan(database, shop.config, basis, NOW)
    decision = planned.plan.contacts()[0]
    scores = {score.customer_id: score for score in shop.company.scores}
    score = scores[decision.customer_id]
    (row,) = [r for r in rows_of(database, DECISIONS) if r.customer_id == decision.customer_id]
    assert (row.arm, row.occasion, row.step, row.timezone) == (
        "contact",
        "risk",
        "win_back",
        "Asia/Jakarta",
    )
    assert (row.value, row.change) == (score.clv, 0.5 * score.churn_probability)
    assert row.expected_gain == pytest.approx(score.clv * 0.5 * score.churn_probability - row.cost)
    assert (row.before, row.segment, row.risk_tier) == (20.0, "home", score.risk_tier)
    assert row.score_id == basis.online.about.snapshot_id
    assert (row.decided_at, row.window_opens) == (NOW, NOW)
    (message,) = [m for m in rows_of(database, MESSAGES) if m.customer_id == score.customer_id]
    assert (message.decision_id, message.endpoint, message.state) == (row.id, "drop", "pending")
    assert (message.next_at, message.not_after) == (NOW, NOW + DAY)
    payload = dict(message.payload)
    reasons = payload.pop("reasons")
    assert [reason["text"] for reason in reasons] == [one.text for one in score.reasons]
    assert payload == {
        "decision_id": row.id,
        "customer_id": score.customer_id,
        "programme": "retention",
        "channel": "email",
        "step": "win_back",
        "language": "id",
        "churn_probability": score.churn_probability,
        "risk_tier": score.risk_tier,
        "clv": score.clv,
        "value_at_risk": score.value_at_risk,
        "currency": "USD",
        "next_step": score.next_step,
        "score_as_of": CUTOFF.isoformat().replace("+00:00", "Z"),
        "model_version": "1",
        "not_after": "2026-01-03T03:04:05Z",
        "generated": True,
    }


def test_a_held_out_customer_has_a_decision_in_an_arm_and_no_message(
    database: Database, shop: Shop, basis: Basis
) -> None:
    write_plan(database, shop.config, basis, NOW)
    with database.reading() as connection:
        programme = find_programme(connection, shop.config.outreach)
    assert programme is not None
    messages = {row.customer_id for row in rows_of(database, MESSAGES)}
    in_arm = [row for row in rows_of(database, DECISIONS) if row.arm == "holdout"]
    assert in_arm
    for row in in_arm:
        assert programme.holdout.holds(row.customer_id)
        assert (row.reason, row.action, row.cost) == ("holdout", "suppress", None)
        assert (row.channel, row.step, row.window_opens) != (None, None, None)
    assert not messages & {row.customer_id for row in in_arm}
    assert not any(programme.holdout.holds(one) for one in messages)


def test_a_plan_made_twice_the_same_day_contacts_nobody_twice(
    database: Database, shop: Shop, basis: Basis
) -> None:
    first = write_plan(database, shop.config, basis, NOW)
    again = write_plan(database, shop.config, basis, NOW + HOUR)
    assert (len(first.plan.contacts()), again.plan.contacts()) == (CONTACTS, [])
    resting = {
        one.customer_id for one in again.plan.decisions if one.reason == "contacted_recently"
    }
    arms = {one.customer_id for one in first.plan.decisions if one.arm}
    assert resting == arms  # Both arms rest alike.
    tomorrow = write_plan(database, shop.config, basis, NOW + DAY)
    assert len(tomorrow.plan.contacts()) == CONTACTS
    assert not arms & {one.customer_id for one in tomorrow.plan.contacts()}


def test_capacity_and_budget_of_a_day_are_what_its_plans_leave(
    database: Database, shop: Shop, basis: Basis
) -> None:
    write_plan(database, config_of(shop, daily_budget=7), basis, NOW)
    more = write_plan(database, config_of(shop, daily_budget=15), basis, NOW + HOUR)
    assert (more.ledger.spent, more.plan.cost) == (7.0, 8.0)
    assert more.ledger.sent == {"email": 7}
    midnight = datetime(2026, 1, 2, 17, tzinfo=UTC)
    assert write_plan(database, shop.config, basis, midnight).ledger.sent == {}


def test_planners_at_once_share_the_room_of_the_day(
    place: Place, shop: Shop, basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four have computed their first plan before any of them writes."""
    from serving.outreach.decide import planning

    together, first = threading.Barrier(4), threading.local()

    def plan_outreach(*given: Any) -> Any:
        made = policy.plan_outreach(*given)
        if not hasattr(first, "made"):
            first.made = together.wait(30)
        return made

    monkeypatch.setattr(planning, "plan_outreach", plan_outreach)

    def plan(minute: int) -> Planned:
        database = place.open()
        try:
            return write_plan(database, shop.config, basis, NOW + minute * timedelta(minutes=1))
        finally:
            database.close()

    with ThreadPoolExecutor(4) as threads:
        plans = list(threads.map(plan, range(4)))
    database = place.open()
    reached = [one.customer_id for each in plans for one in each.plan.contacts()]
    assert len(reached) == len(set(reached)) == CONTACTS
    assert len(rows_of(database, MESSAGES)) == CONTACTS
    assert len({planned.programme.holdout.key for planned in plans}) == 1
    (programme,) = rows_of(database, PROGRAMMES)
    assert (programme.plans, len(rows_of(database, AUDIT))) == (4, 4)
    database.close()


def test_a_plan_whose_basis_moved_is_computed_again(
    database: Database, shop: Shop, basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another plan is written between reading and writing, the first time."""
    from serving.outreach.decide import planning

    turns = []

    def take_turn(connection: Any) -> None:
        if not turns:
            turns.append(1)
            add_programme(connection, name="other")

    monkeypatch.setattr(planning, "take_turn", take_turn)
    assert write_plan(database, shop.config, basis, NOW).ledger.plans == 1
    assert len(rows_of(database, DECISIONS)) == CUSTOMERS
    monkeypatch.setattr(planning, "plans_written", lambda _: -1)
    with pytest.raises(PlansCollided, match="run one planner at a time"):
        write_plan(database, shop.config, basis, NOW)


def test_a_plan_that_fails_half_way_leaves_nothing(
    database: Database, shop: Shop, basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.outreach.decide import planning

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(planning, "enqueue", fail)
    with pytest.raises(ZeroDivisionError):
        write_plan(database, shop.config, basis, NOW)
    for table in (DECISIONS, MESSAGES, PROGRAMMES, AUDIT):
        assert rows_of(database, table) == []


def test_a_preview_writes_nothing_and_makes_no_database(
    place: Place, tmp_path: Path, shop: Shop, basis: Basis
) -> None:
    database = place.open()
    seen = preview_plan(database, shop.config, basis, NOW)
    assert (len(seen.plan.decisions), len(seen.plan.contacts())) == (CUSTOMERS, CONTACTS)
    if place.url is None:
        assert not database.exists
    for table in (DECISIONS, MESSAGES, PROGRAMMES, AUDIT):
        assert rows_of(database, table) == []
    written = write_plan(database, shop.config, basis, NOW)
    again = preview_plan(database, shop.config, basis, NOW + DAY)
    assert again.programme == written.programme
    assert len(rows_of(database, DECISIONS)) == CUSTOMERS
    database.close()


def test_a_programme_keeps_its_share_and_another_name_is_another_programme(
    database: Database, shop: Shop, basis: Basis
) -> None:
    first = write_plan(database, shop.config, basis, NOW)
    with pytest.raises(ProgrammeError, match=r"'retention' began with .* 0\.2.*instead|in place"):
        write_plan(database, config_of(shop, holdout_share=0.1), basis, NOW)
    other = config_of(shop, holdout_share=0.1, programme="spring")
    assert write_plan(database, other, basis, NOW).programme.holdout.key != (
        first.programme.holdout.key
    )


def test_a_suppression_of_today_holds_in_the_next_plan(
    database: Database, shop: Shop, basis: Basis
) -> None:
    best = preview_plan(database, shop.config, basis, NOW).plan.contacts()[0].customer_id
    with database.writing() as connection:
        values = {"customer_id": best, "channel": "any", "since": NOW, "reason": "objected"}
        connection.execute(insert(SUPPRESSIONS).values(values))
    decided = {
        one.customer_id: one for one in write_plan(database, shop.config, basis, NOW).plan.decisions
    }
    assert decided[best].reason == "no_consent"


def test_who_was_erased_has_no_decision_though_the_scores_still_hold_them(
    database: Database, shop: Shop, basis: Basis
) -> None:
    with database.writing() as connection:
        forget_for_good(connection, "c_0003", NOW)
    write_plan(database, shop.config, basis, NOW)
    decided = {row.customer_id for row in rows_of(database, DECISIONS)}
    assert decided == {f"c_{place:04}" for place in range(CUSTOMERS)} - {"c_0003"}


def test_a_plan_under_way_when_somebody_is_erased_is_computed_again(
    database: Database, shop: Shop, basis: Basis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.outreach.decide import planning

    monkeypatch.setattr(
        planning, "take_turn", lambda connection: forget_for_good(connection, "c_0003", NOW)
    )
    planned = write_plan(database, shop.config, basis, NOW)
    assert "c_0003" not in planned.prospects
    assert "c_0003" not in {row.customer_id for row in rows_of(database, DECISIONS)}


def test_both_arms_say_by_what_policy_they_were_chosen(
    database: Database, shop: Shop, basis: Basis
) -> None:
    write_plan(database, config_of(shop, holdout_share=0.3), basis, NOW)
    rows = rows_of(database, DECISIONS)
    chosen = Counter((row.arm, row.policy) for row in rows)
    assert chosen["holdout", "expected_gain"] > 0
    assert {policy for arm, policy in chosen if arm is None} == {None}
    assert all(row.reason == row.policy for row in rows if row.arm == "contact")


def test_without_a_channel_nothing_is_planned_and_the_error_says_what_to_write(
    database: Database, shop: Shop, basis: Basis
) -> None:
    with pytest.raises(OutreachOff, match=r"add outreach\.channels and outreach\.endpoints"):
        write_plan(database, config_of(shop, channels={}, endpoints={}), basis, NOW)


def test_support_gets_those_with_a_ticket_and_a_note(
    database: Database, shop: Shop, basis: Basis, tmp_path: Path
) -> None:
    planned = write_plan(database, shop.config, basis, NOW)
    lines = write_support_list(tmp_path, planned).read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(
        "c_0007,t_1,ticket t_1: this customer may leave; solve it before we sell,0."
    )


def test_old_decisions_go_but_for_those_by_which_effects_are_measured(
    database: Database, shop: Shop, basis: Basis
) -> None:
    first = write_plan(database, shop.config, basis, NOW)
    arms = {one.customer_id for one in first.plan.decisions if one.arm}
    for days, kept in ((90, CUSTOMERS), (91, len(arms))):
        later = write_plan(database, shop.config, basis, NOW + timedelta(days=days))
        rows = [row for row in rows_of(database, DECISIONS) if row.run == first.run]
        assert len(rows) == kept
        assert later.run in {row.run for row in rows_of(database, DECISIONS)}
    assert {row.customer_id for row in rows} == arms
