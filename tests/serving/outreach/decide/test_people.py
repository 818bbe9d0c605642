"""What the snapshot says of people, worked out on paper."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.snapshot import Snapshot
from serving.outreach.decide.cases import is_case
from serving.outreach.decide.decisions import Contact
from serving.outreach.decide.people import People, Person, people_at
from tests.serving.outreach.outreach_company import DAY, WATERMARK, order, shop_config
from tests.serving.scored_company import NOW

SPAN = timedelta(days=30)
HOUR = timedelta(hours=1)


def ticket(customer_id: str, ticket_id: str, opened: timedelta, **later: Any) -> dict[str, Any]:
    """Opened so long ago, with times of other things given as so long ago."""
    times = {name: NOW - ago if isinstance(ago, timedelta) else ago for name, ago in later.items()}
    return {"customer_id": customer_id, "ticket_id": ticket_id, "opened_at": NOW - opened, **times}


@pytest.fixture
def known(tmp_path: Path, make_snapshot: Any) -> Any:
    def of(**tables: Any) -> People:
        tables.setdefault("orders", [order("a", NOW - 40 * DAY)])
        snapshot: Snapshot = make_snapshot(tmp_path, tables, "Asia/Jakarta", WATERMARK)
        try:
            return people_at(snapshot, shop_config(tmp_path), ["a", "b", "c"], NOW, SPAN)
        finally:
            snapshot.connection.close()

    return of


def test_a_person_is_the_last_row_that_holds_already(known: Any) -> None:
    rows = [
        {"customer_id": "a", "timezone": "Asia/Jakarta", "email_consent": True},
        {"customer_id": "a", "timezone": "Europe/Paris", "valid_from": NOW - DAY, "language": "fr"},
        {"customer_id": "a", "timezone": "Asia/Tokyo", "valid_from": NOW + DAY},
        {"customer_id": "stranger", "timezone": "Asia/Tokyo"},
    ]
    assert known(customers=rows).persons == {"a": Person("Europe/Paris", "fr")}
    assert known().persons == {}


def test_support_is_busy_with_what_is_open_reopened_or_just_escalated(known: Any) -> None:
    tickets = [
        ticket("a", "old_open", 200 * DAY),
        ticket("a", "new_open", 2 * DAY, resolved_at=-DAY),
        ticket("b", "solved", 9 * DAY, resolved_at=8 * DAY),
        ticket("b", "just_escalated", 9 * DAY, resolved_at=HOUR, escalated_at=6 * DAY),
        ticket("c", "escalated_long_ago", 30 * DAY, resolved_at=HOUR, escalated_at=7 * DAY),
        ticket("c", "forgotten", 99 * DAY, resolved_at=98 * DAY, reopened_at=30 * DAY),
    ]
    assert known(tickets=tickets).cases == {"a": "new_open", "b": "just_escalated"}
    again = ticket("c", "back", 9 * DAY, resolved_at=8 * DAY, reopened_at=2 * DAY)
    assert known(tickets=[*tickets, again]).cases["c"] == "back"
    cases = [is_case(each, NOW) for each in [*tickets, again]]
    assert cases == [True, True, False, True, False, False, True]


def test_without_times_of_resolution_a_ticket_is_open_for_a_week(known: Any) -> None:
    tickets = [ticket("a", "t1", 6 * DAY), ticket("b", "t2", 8 * DAY)]
    assert known(tickets=tickets).cases == {"a": "t1"}


def test_a_complaint_is_a_low_answer_a_category_or_an_escalation(known: Any) -> None:
    surveys = [
        {"customer_id": "a", "kind": "csat", "answered_at": NOW - 2 * DAY, "score": 2.0},
        {"customer_id": "a", "kind": "csat", "answered_at": NOW - DAY, "score": 3.0},
        {"customer_id": "b", "kind": "nps", "answered_at": NOW - 3 * DAY, "score": 6.0},
        {"customer_id": "c", "kind": "nps", "answered_at": NOW - 3 * DAY, "score": 7.0},
        {"customer_id": "c", "kind": "csat", "answered_at": NOW - 31 * DAY, "score": 1.0},
    ]
    assert known(surveys=surveys).complaints == {"a": NOW - 2 * DAY, "b": NOW - 3 * DAY}
    tickets = [
        ticket("a", "t1", DAY, category="Keluhan produk", resolved_at=HOUR),
        ticket("b", "t2", DAY, category="delivery", resolved_at=HOUR, escalated_at=2 * HOUR),
        ticket("c", "t3", DAY, category="delivery", resolved_at=HOUR),
    ]
    found = known(surveys=surveys, tickets=tickets).complaints
    assert found == {"a": NOW - DAY, "b": NOW - 2 * HOUR}


def test_a_newcomer_has_bought_on_one_day_only(known: Any) -> None:
    orders = [
        order("a", NOW - 2 * DAY),
        order("a", NOW - 2 * DAY + HOUR),
        order("b", NOW - 2 * DAY),
        order("b", NOW - 40 * DAY),
        order("c", NOW - 3 * DAY) | {"is_return": True},
    ]
    assert known(orders=orders).newcomers == {"a": NOW - 2 * DAY}


def test_contacts_of_the_span_count_unless_they_were_held_out(known: Any) -> None:
    rows = [
        {"customer_id": "a", "contacted_at": NOW - DAY, "channel": "phone", "arm": "treatment"},
        {"customer_id": "a", "contacted_at": NOW - 2 * DAY},
        {"customer_id": "b", "contacted_at": NOW - DAY, "channel": "email", "arm": "holdout"},
        {"customer_id": "c", "contacted_at": NOW - 31 * DAY, "channel": "email"},
    ]
    found = known(contacts=rows).contacts
    assert {name: set(contacts) for name, contacts in found.items()} == {
        "a": {Contact(NOW - DAY, "phone"), Contact(NOW - 2 * DAY, "other")}
    }


def test_what_was_brought_in_before_is_the_value_of_the_last_horizon(
    tmp_path: Path, make_snapshot: Any
) -> None:
    orders = [
        order("a", WATERMARK - 366 * DAY, 1_000.0),
        order("a", WATERMARK - 365 * DAY, 7.0),
        order("a", NOW - DAY, 5.0) | {"refunded_at": NOW - HOUR, "refund_amount": 2.0},
        order("b", NOW - 400 * DAY, 9.0),
    ]
    snapshot = make_snapshot(tmp_path, {"orders": orders}, "Asia/Jakarta", WATERMARK)
    found = people_at(snapshot, shop_config(tmp_path), ["a", "b"], NOW, SPAN)
    assert found.before == {"a": 10.0, "b": 0.0}
    snapshot.connection.close()


def test_a_company_without_orders_has_no_value_before(tmp_path: Path, make_snapshot: Any) -> None:
    events = [{"customer_id": "a", "occurred_at": NOW - DAY, "event": "login"}]
    snapshot = make_snapshot(tmp_path, {"events": events}, "Asia/Jakarta", WATERMARK)
    found = people_at(snapshot, shop_config(tmp_path), ["a"], NOW, SPAN)
    assert (found.before, found.newcomers, found.cases, found.incidents) == ({}, {}, {}, [])
    snapshot.connection.close()
