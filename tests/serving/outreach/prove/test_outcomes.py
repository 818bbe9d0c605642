"""Outcomes are kept once, refused with a reason, and stop contact where a customer wants that."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from serving.database import Database
from serving.outreach.forgotten import forget_for_good
from serving.outreach.prove.outcomes import GivenOutcome, Taken, take_in
from serving.outreach.records import AUDIT, OUTCOMES, SUPPRESSIONS
from tests.serving.outreach.programme import DAY, START, Assigned, begin

NOW = START + 20 * DAY
LATER = START + 5 * DAY


def given(customer_id: str = "c0", kind: str = "purchase", **members: Any) -> GivenOutcome:
    value = {"value": 12.5} if kind == "purchase" else {}
    about = {"customer_id": customer_id, "kind": kind, "occurred_at": LATER, **value}
    return GivenOutcome.model_validate(about | members)


def taken(database: Database, *outcomes: GivenOutcome, now: datetime = NOW) -> list[Taken]:
    with database.writing() as connection:
        return take_in(connection, outcomes, "import", "test", now)


def said(results: Sequence[Taken]) -> list[str]:
    return [one.refusal.code if one.refusal else one.status for one in results]


@pytest.fixture
def programme(database: Database) -> Database:
    begin(database, [Assigned(f"c{place}", "contact") for place in range(5)])
    return database


def test_the_same_outcome_is_kept_once_however_often_it_comes(programme: Database) -> None:
    one = given()
    jakarta = one.model_copy(
        update={"occurred_at": datetime.fromisoformat("2026-01-06T16:00:00+07:00")}
    )
    assert said(taken(programme, one, one, jakarta)) == ["kept", "duplicate", "duplicate"]
    assert said(taken(programme, one)) == ["duplicate"]
    with programme.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(OUTCOMES)) == 1


def test_an_outcome_goes_with_the_last_decision_before_it(programme: Database) -> None:
    taken(programme, given("c3"))
    with programme.reading() as connection:
        row = connection.execute(select(OUTCOMES)).one()
    assert (row.decision_id, row.value, row.source, row.received_at) == (
        "dec_3",
        12.5,
        "import",
        NOW,
    )


def test_another_value_or_a_contradiction_is_refused_and_says_what_is_known(
    programme: Database,
) -> None:
    first = given()
    stayed = given(kind="stayed", occurred_at=LATER + DAY)
    results = taken(
        programme,
        first,
        given(value=13.0),
        stayed,
        given(kind="left", occurred_at=LATER + 2 * DAY),
        given("c1", kind="left"),
        given("c1", kind="stayed", occurred_at=LATER + DAY),
    )
    assert said(results) == ["kept", "conflict", "kept", "kept", "kept", "conflict"]
    refusals = [one.refusal.detail for one in results if one.refusal]
    assert refusals[0] == "purchase at that time is known with the value 12.5, not 13.0"
    assert refusals[1] == "left at 2026-01-06T09:00:00+00:00 is known, which denies it"


def test_what_nobody_can_know_is_refused(programme: Database) -> None:
    results = taken(
        programme,
        given("stranger"),
        given(occurred_at=START - DAY),
        given(occurred_at=NOW + timedelta(minutes=6)),
        given(occurred_at=NOW + timedelta(minutes=4)),
    )
    assert said(results) == ["unknown_customer", "before_any_decision", "in_the_future", "kept"]
    assert "check the id" in str(results[0].refusal)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"value": float("nan")}, "finite number"),
        ({"value": -1.0}, "greater than or equal to 0"),
        ({"value": None}, "a purchase needs its value"),
        ({"occurred_at": "2026-01-06T09:00:00"}, "timezone"),
        ({"occurred_at": 1_767_000_000}, "a time is a text"),
        ({"kind": "churned"}, "Input should be 'purchase'"),
        ({"kind": "replied", "value": 1.0}, "replied has no value"),
        ({"kind": "bounced", "value": None}, "say by which channel it bounced"),
        ({"channel": "email"}, "purchase takes no channel"),
        ({"customer_id": ""}, "at least 1 character"),
        ({"mood": "good"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_outcome_is_refused_in_words(members: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        given(**members)


def test_a_wish_not_to_be_contacted_forbids_it_at_once_also_from_a_stranger(
    programme: Database,
) -> None:
    results = taken(
        programme,
        given("c0", "unsubscribed"),
        given("c0", "unsubscribed", occurred_at=LATER + DAY),
        given("c1", "bounced", channel="email"),
        given("stranger", "complained"),
    )
    assert said(results) == ["kept"] * 4
    with programme.reading() as connection:
        rows = connection.execute(select(SUPPRESSIONS).order_by("customer_id")).all()
    assert [(row.customer_id, row.channel, row.reason, row.since) for row in rows] == [
        ("c0", "any", "unsubscribed", NOW),
        ("c1", "email", "bounced", NOW),
        ("stranger", "any", "complained", NOW),
    ]


def test_nothing_is_kept_of_an_erased_person(programme: Database) -> None:
    with programme.writing() as connection:
        forget_for_good(connection, "c0", NOW)
    assert said(taken(programme, given("c0"), given("c1"))) == ["forgotten", "kept"]


def test_each_intake_leaves_its_counts_in_the_audit(programme: Database) -> None:
    taken(programme, given(), given(), given("stranger"))
    with programme.reading() as connection:
        row = connection.execute(select(AUDIT)).one()
    assert (row.actor, row.action, row.subject) == ("test", "outcomes", "import")
    assert row.detail == {"kept": 1, "duplicate": 1, "unknown_customer": 1}


def test_of_two_intakes_at_once_one_keeps_and_the_other_knows(programme: Database) -> None:
    outcomes = [given(f"c{place % 5}", occurred_at=LATER + place * DAY / 50) for place in range(50)]
    with ThreadPoolExecutor(4) as together:
        results = list(together.map(lambda _: said(taken(programme, *outcomes)), range(4)))
    assert sorted(one.count("kept") for one in results) == [0, 0, 0, 50]
    assert sum(one.count("duplicate") for one in results) == 150


def test_half_an_intake_is_none(programme: Database) -> None:
    """The suppression and the outcome are one transaction."""

    def broken() -> None:
        with programme.writing() as connection:
            take_in(connection, [given("c0", "unsubscribed")], "import", "test", NOW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    with programme.reading() as connection:
        assert connection.execute(select(SUPPRESSIONS)).all() == []
        assert connection.execute(select(OUTCOMES)).all() == []
