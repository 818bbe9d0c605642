"""Leases, on SQLite and on PostgreSQL: in one worker's hands, settled by whoever holds them."""

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from serving.database import Database
from serving.outreach.deliver.endpoints import circuit_of
from serving.outreach.deliver.leases import (
    LEASE_LASTS,
    Attempt,
    Leased,
    lease,
    settle,
)
from serving.outreach.deliver.recheck import Permission
from serving.outreach.message import Message, Receipt, Verdict
from serving.outreach.outbox import message_id
from serving.outreach.records import ATTEMPTS, MESSAGES
from tests.serving.operations import NOW, Place
from tests.serving.outreach.outboxes import anybody, asking, new, states, write

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def take(
    database: Database, now: datetime = NOW, most: int = 100, *, repeatable: bool = True
) -> list[Leased]:
    return lease(database, "crm", most, now, anybody, repeatable=repeatable)


def answer(
    database: Database, leased: list[Leased], verdict: Verdict | None, now: datetime = NOW
) -> Counter[str]:
    receipt = Receipt(verdict, f"it said {verdict}", 500) if verdict else None
    attempts = [Attempt(one, now, 0.25, receipt) for one in leased]
    return settle(database, "crm", attempts, now, random.Random(7))


def test_nothing_is_leased_before_its_time_or_by_two(database: Database) -> None:
    write(database, new("now"), new("later", not_before=NOW + HOUR))
    (held,) = take(database)
    assert held.message.customer_id == "now"
    assert held.leased_until == NOW + LEASE_LASTS
    assert take(database) == []
    (later,) = take(database, NOW + HOUR, most=1)  # The longest due of two: the lease has ended.
    assert later.message.customer_id == "now"


def test_one_message_of_a_customer_is_under_way_the_older_first(database: Database) -> None:
    write(database, new("first", "ann"), new("second", "ann"), new("other", "bob"))
    held = take(database)
    assert [one.message.payload["customer_id"] for one in held] == ["ann", "bob"]
    assert take(database) == []
    answer(database, held, "delivered")
    (second,) = take(database)
    assert second.message.id == message_id("second")


def test_a_retry_does_not_hold_back_what_is_newer(database: Database) -> None:
    write(database, new("first", "ann"), new("second", "ann"))
    answer(database, take(database), "retry")
    (second,) = take(database)
    assert second.message.id == message_id("second")


def test_each_attempt_is_recorded(database: Database) -> None:
    write(database, new("a"))
    assert answer(database, take(database), "retry") == {"pending": 1}
    (again,) = take(database, NOW + 6 * SECOND)
    assert again.attempts == 1
    assert answer(database, [again], "delivered", NOW + 6 * SECOND) == {"delivered": 1}
    with database.reading() as connection:
        rows = connection.execute(select(ATTEMPTS).order_by(ATTEMPTS.c.id)).all()
        message = connection.execute(select(MESSAGES)).one()
    assert [(row.verdict, row.code, row.seconds) for row in rows] == [
        ("retry", 500, 0.25),
        ("delivered", 500, 0.25),
    ]
    assert (message.attempts, message.settled_at, message.lease) == (2, NOW + 6 * SECOND, None)


def test_who_lost_the_lease_changes_nothing(database: Database) -> None:
    write(database, new("a"))
    slow = take(database)
    after = NOW + LEASE_LASTS
    quick = take(database, after)
    assert quick[0].token != slow[0].token
    assert answer(database, slow, "refused", after) == {"overtaken": 1}
    assert states(database) == {"a": "sending"}
    assert answer(database, quick, "delivered", after) == {"delivered": 1}
    assert answer(database, slow, "refused", after) == {"overtaken": 1}
    assert states(database) == {"a": "delivered"}
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(ATTEMPTS)).scalar() == 3


def test_a_message_erased_while_it_was_sent_holds_up_no_other(database: Database) -> None:
    """Erasure gives it another id, so that no attempt of it can be recorded any more."""
    write(database, new("a"), new("b"))
    held = take(database)
    with database.writing() as connection:
        erased = update(MESSAGES).where(MESSAGES.c.id == message_id("a"))
        connection.execute(erased.values(id="msg_0", state="suppressed", lease=None))
    assert answer(database, held, "delivered") == {"overtaken": 1, "delivered": 1}
    with database.reading() as connection:
        assert connection.execute(select(ATTEMPTS.c.message_id)).scalars().all() == [
            message_id("b")
        ]


def test_what_was_not_sent_goes_back_as_it_was(database: Database) -> None:
    write(database, new("a"))
    assert answer(database, take(database), None) == {"pending": 1}
    (again,) = take(database)
    assert again.attempts == 0


def test_a_cut_off_attempt_that_cannot_be_repeated_is_unknown(database: Database) -> None:
    write(database, new("a"))
    held = take(database, repeatable=False)
    late = NOW + LEASE_LASTS
    assert take(database, late, repeatable=False) == []
    assert states(database) == {"a": "unknown"}
    assert answer(database, held, "delivered", late) == {"delivered": 1}, "its worker lived"


def test_an_unknown_message_is_never_sent_again(database: Database) -> None:
    write(database, new("a"))
    assert answer(database, take(database), "unknown") == {"unknown": 1}
    assert take(database, NOW + 1000 * HOUR) == []


def test_what_is_past_its_time_expires_even_while_the_endpoint_is_shut(database: Database) -> None:
    write(database, new("a", not_after=NOW + HOUR), new("b"))
    answer(database, take(database, most=1), "gone")
    assert take(database, NOW + HOUR) == []
    assert states(database) == {"a": "expired", "b": "pending"}


def test_what_may_not_leave_is_kept_with_the_reason(database: Database) -> None:
    write(database, *map(new, "abcd"))
    answers = {
        "a": Permission("suppressed", "no_consent"),
        "b": Permission("wait", "quiet_hours", NOW + HOUR),
        "c": Permission("expired"),
    }
    asked = asking(lambda message: answers.get(message.customer_id))
    (held,) = lease(database, "crm", 9, NOW, asked, repeatable=True)
    assert held.message.customer_id == "d"
    with database.reading() as connection:
        rows = connection.execute(select(MESSAGES).order_by(MESSAGES.c.sequence)).all()
    assert [(row.state, row.detail, row.attempts, row.settled_at) for row in rows[:3]] == [
        ("suppressed", "no_consent", 0, NOW),
        ("pending", "quiet_hours", 0, None),
        ("expired", "past its time", 0, NOW),
    ]
    woken = take(database, NOW + HOUR)
    assert [one.message.customer_id for one in woken] == ["d", "b"]


def test_messages_behind_those_that_may_not_leave_are_found(database: Database) -> None:
    write(database, *map(new, "abc"))
    asked = asking(
        lambda message: None if message.customer_id == "c" else Permission("suppressed", "capped")
    )
    (held,) = lease(database, "crm", 1, NOW, asked, repeatable=True)
    assert held.message.customer_id == "c"


def test_a_check_that_fails_leases_nothing(database: Database) -> None:
    write(database, new("a"))

    def broken(message: Message) -> Permission:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lease(database, "crm", 9, NOW, asking(broken), repeatable=True)
    assert states(database) == {"a": "pending"}


def test_a_message_whose_worker_ended_counts_as_tried(database: Database) -> None:
    """It may have arrived, which a cap must not forget."""
    write(database, new("a"))
    take(database)
    (again,) = take(database, NOW + LEASE_LASTS)
    assert again.attempts == 1


def test_workers_at_once_never_lease_the_same_message_or_customer(place: Place) -> None:
    database = place.open()
    write(database, *(new(f"{customer}-{n}", customer) for n in range(5) for customer in "abcdef"))

    def work(_: int) -> list[str]:
        seen: list[str] = []
        while held := take(database, most=2):
            assert len({one.message.customer_id for one in held}) == len(held)
            seen += [one.message.id for one in held]
            answer(database, held, "delivered")
        return seen

    with ThreadPoolExecutor(4) as together:
        found = [id for seen in together.map(work, range(4)) for id in seen]
    assert len(found) == len(set(found)) == 30
    assert set(states(database).values()) == {"delivered"}
    database.close()


def test_two_workers_that_race_for_one_cap_send_one_message(place: Place) -> None:
    """Twenty customers with two messages to two endpoints, and a cap of one contact each."""
    database = place.open()
    people = [f"c{number}" for number in range(20)]
    write(database, *(new(f"{who} {to}", who, to) for who in people for to in ("crm", "mail")))

    def one_contact(
        connection: Connection, messages: Sequence[Message], now: datetime
    ) -> list[Permission]:
        ids = [message.customer_id for message in messages]
        query = select(MESSAGES.c.customer_id).where(
            MESSAGES.c.customer_id.in_(ids), MESSAGES.c.state == "sending"
        )
        under_way = set(connection.execute(query).scalars())
        capped = Permission("suppressed", "capped")
        return [capped if one in under_way else Permission("send") for one in ids]

    def work(endpoint: str) -> int:
        sent = 0
        while held := lease(database, endpoint, 3, NOW, one_contact, repeatable=True):
            sent += len(held)
        return sent

    with ThreadPoolExecutor(4) as together:
        assert sum(together.map(work, ["crm", "mail", "crm", "mail"])) == 20
    assert Counter(states(database).values()) == {"sending": 20, "suppressed": 20}
    database.close()


def test_a_clock_set_back_an_hour_neither_loses_nor_doubles(database: Database) -> None:
    write(database, new("a"), new("b"))
    held, back = take(database, most=1), NOW - HOUR
    write(database, new("c"), now=back)
    (newer,) = take(database, back)
    assert newer.message.customer_id == "c"
    assert answer(database, [*held, newer], "delivered", back) == {"delivered": 2}
    (other,) = take(database, NOW)
    assert other.message.customer_id == "b"


def test_a_worker_that_ended_before_the_clock_was_set_back_delays_and_loses_nothing(
    database: Database,
) -> None:
    """Nobody can tell it from one that lives, so its lease holds until the time that it names."""
    write(database, new("a"))
    take(database)
    for minutes in range(-60, 5):
        assert take(database, NOW + timedelta(minutes=minutes)) == []
    (again,) = take(database, NOW + LEASE_LASTS)
    assert again.attempts == 1


def test_failures_in_a_row_break_the_circuit_and_one_message_tries_it(database: Database) -> None:
    write(database, *(new(f"m{number}") for number in range(9)))
    answer(database, take(database, most=5), "retry")
    assert take(database) == []
    with database.reading() as connection:
        until = circuit_of(connection, "crm").closed_until
    assert until == NOW + 30 * SECOND
    (probe,) = take(database, until)
    answer(database, [probe], "delivered", until)
    assert len(take(database, until)) == 8
