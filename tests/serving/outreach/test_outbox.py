"""The outbox, on SQLite and on PostgreSQL: what is to be said is written once, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select

from serving.database import Database
from serving.outreach.outbox import enqueue, message_id
from serving.outreach.records import MESSAGES
from tests.serving.operations import NOW
from tests.serving.outreach.outboxes import new, write

HOUR = timedelta(hours=1)


def rows(database: Database) -> Sequence[Row[Any]]:
    with database.reading() as connection:
        return connection.execute(select(MESSAGES).order_by(MESSAGES.c.sequence)).all()


def test_an_effect_is_written_once_and_left_as_it_is(database: Database) -> None:
    assert write(database, new("a"), new("b")) == 2
    again = replace(new("a"), payload={"clv": 99})
    assert write(database, again, new("c"), again) == 1
    first, *others = rows(database)
    assert first.payload == {"customer_id": "a", "clv": 12.5}
    assert first.id == message_id("a") == "msg_ca978112ca1bbdcafac231b39a23dc4d"
    assert [first.effect_key, *(one.effect_key for one in others)] == ["a", "b", "c"]


def test_a_message_leaves_with_the_transaction_that_wrote_it(database: Database) -> None:
    def fail() -> None:
        with database.writing() as connection:
            enqueue(connection, [new("a")], NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rows(database) == []


def test_a_message_is_due_now_or_when_it_may_leave(database: Database) -> None:
    write(database, new("a"), new("b", not_before=NOW + HOUR), new("c", not_before=NOW - HOUR))
    assert [row.next_at for row in rows(database)] == [NOW, NOW + HOUR, NOW]


def test_nothing_written_is_nothing_known(database: Database) -> None:
    assert write(database) == 0
