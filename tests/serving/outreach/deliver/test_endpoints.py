"""How endpoints fare, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from serving.database import Database
from serving.outreach.deliver.circuit import Circuit
from serving.outreach.deliver.endpoints import (
    UnknownEndpoint,
    circuit_of,
    enable,
    endpoint_statuses,
)
from serving.outreach.message import Receipt
from serving.outreach.records import AUDIT
from tests.serving.operations import NOW
from tests.serving.outreach.outboxes import Clock, Scripted, new, states, worker, write

MINUTE = timedelta(minutes=1)


def test_each_endpoint_is_counted_by_state_with_its_oldest_due(database: Database) -> None:
    write(database, new("a"), now=NOW - MINUTE)
    worker(database, {"crm": Scripted()}, Clock()).deliver_due()
    write(database, new("b"), new("c", not_before=NOW + MINUTE), new("d", endpoint="old"))
    crm, none, old = endpoint_statuses(database, ["crm", "none"], NOW)
    assert (crm.name, crm.states, crm.oldest_due) == ("crm", {"delivered": 1, "pending": 2}, NOW)
    assert (none.name, none.states, none.oldest_due) == ("none", {}, None)
    assert (old.name, old.states) == ("old", {"pending": 1})
    assert [one.standing(NOW) for one in (crm, none, old)] == ["open", "open", "not configured"]


def test_the_standing_follows_the_circuit(database: Database) -> None:
    write(database, *map(new, "abcde"))
    failing = Scripted(lambda _: Receipt("retry", "it said 503"))
    worker(database, {"crm": failing}, Clock()).deliver_due()
    (crm,) = endpoint_statuses(database, ["crm"], NOW)
    assert crm.standing(NOW) == "resting"
    assert crm.standing(NOW + MINUTE) == "on trial"
    assert crm.circuit.detail == "it said 503"


def test_a_disabled_endpoint_is_enabled_with_its_messages_kept(database: Database) -> None:
    write(database, new("a"))
    gone = Scripted(lambda _: Receipt("gone", "answered 410"))
    worker(database, {"crm": gone}, Clock()).deliver_due()
    (crm,) = endpoint_statuses(database, ["crm"], NOW)
    assert crm.standing(NOW) == "disabled"
    enable(database, "crm", ["crm"], NOW, "ann")
    with database.reading() as connection:
        assert circuit_of(connection, "crm") == Circuit()
        act = connection.execute(select(AUDIT)).one()
    assert (act.actor, act.action, act.subject) == ("ann", "enable_endpoint", "crm")
    assert act.detail == {"failures": 1, "was_disabled": True}
    worker(database, {"crm": Scripted()}, Clock()).deliver_due()
    assert states(database) == {"a": "delivered"}


def test_an_unknown_endpoint_is_not_enabled(database: Database) -> None:
    with pytest.raises(UnknownEndpoint, match=r"'crn'; outreach\.endpoints has: crm, mail"):
        enable(database, "crn", ["mail", "crm"], NOW, "ann")
