"""Delivery over real HTTP and databases: outages, storms, hanging endpoints, stops, full disks."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from serving.database import Database, DatabaseError
from serving.outreach.deliver.recheck import Permission
from serving.outreach.message import Message, Receipt
from serving.outreach.outbox import message_id
from serving.outreach.records import ATTEMPTS, MESSAGES
from tests.serving.operations import NOW
from tests.serving.outreach.outboxes import (
    Clock,
    Scripted,
    asking,
    new,
    states,
    webhook,
    worker,
    write,
)
from tests.serving.outreach.receiver import Receiver, Reply, Seen, receiving

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
PATIENCE_SECONDS = 20.0


def ids(*effects: str) -> list[str]:
    return [message_id(effect) for effect in effects]


@contextmanager
def delivering(database: Database, receivers: dict[str, Receiver], clock: Clock) -> Iterator[None]:
    """A pass on a thread of its own, which has ended when the block has."""
    senders = {name: webhook(receiver.url) for name, receiver in receivers.items()}
    one_pass = worker(database, senders, clock)
    thread = threading.Thread(target=one_pass.deliver_due)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    for sender in senders.values():
        sender.close()


def test_everything_due_is_delivered_once_and_counted(database: Database) -> None:
    write(database, *(new(f"m{number}") for number in range(150)), new("b", endpoint="b"))
    with receiving() as receiver, receiving() as other:
        senders = {"crm": webhook(receiver.url), "b": webhook(other.url)}
        counts = worker(database, senders, Clock()).deliver_due()
        for sender in senders.values():
            sender.close()
    assert counts == {"crm": {"delivered": 150}, "b": {"delivered": 1}}
    assert Counter(receiver.ids) == Counter(ids(*(f"m{number}" for number in range(150))))
    assert other.ids == ids("b")
    assert receiver.connections <= 8, "connections are kept"


def test_a_hanging_endpoint_delays_no_other(database: Database) -> None:
    names = ["a", "b", "hangs", "c"]
    write(database, *(new(f"{name}{n}", endpoint=name) for name in names for n in range(12)))
    let_go, healthy = threading.Event(), threading.Semaphore(0)

    def hang(seen: Seen) -> Reply:
        let_go.wait(PATIENCE_SECONDS)
        return Reply()

    def quick(seen: Seen) -> Reply:
        healthy.release()
        return Reply()

    with receiving(hang) as hanging, receiving(quick) as one:
        receivers = {name: hanging if name == "hangs" else one for name in names}
        with delivering(database, receivers, Clock()):
            for _ in range(36):
                assert healthy.acquire(timeout=PATIENCE_SECONDS)
            assert not any(
                state == "delivered"
                for effect, state in states(database).items()
                if effect.startswith("hangs")
            )
            let_go.set()
    assert set(states(database).values()) == {"delivered"}


def test_told_to_stop_it_settles_what_is_in_flight_and_begins_nothing(database: Database) -> None:
    write(database, *(new(f"m{number}") for number in range(40)))
    under_way, let_go = threading.Semaphore(0), threading.Event()

    def hold(seen: Seen) -> Reply:
        under_way.release()
        let_go.wait(PATIENCE_SECONDS)
        return Reply()

    with receiving(hold) as receiver:
        sender = webhook(receiver.url)
        running = worker(database, {"crm": sender}, Clock())
        told: list[tuple[str, object]] = []
        thread = threading.Thread(target=running.work, args=(lambda *said: told.append(said),))
        thread.start()
        for _ in range(8):
            assert under_way.acquire(timeout=PATIENCE_SECONDS)
        running.stopped.set()
        let_go.set()
        thread.join(PATIENCE_SECONDS)
        sender.close()
    assert len(receiver.seen) == 8
    assert told == [("crm", {"delivered": 8, "pending": 32})]
    assert Counter(states(database).values()) == {"delivered": 8, "pending": 32}
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(ATTEMPTS)).scalar() == 8
        query = select(func.sum(MESSAGES.c.attempts)).where(MESSAGES.c.state == "pending")
        assert connection.execute(query).scalar() == 0


def test_a_receiver_down_for_three_days_loses_nothing_and_gets_nothing_stale(
    database: Database,
) -> None:
    kept = [f"kept{number}" for number in range(12)]
    stale = [f"stale{number}" for number in range(12)]
    write(database, *map(new, kept), *(new(one, not_after=NOW + 24 * HOUR) for one in stale))
    clock = Clock()
    with receiving() as receiver:
        port = receiver.server.server_port
        url = receiver.url
    sender = webhook(url)
    passes = worker(database, {"crm": sender}, clock)
    while clock.now < NOW + 72 * HOUR:
        passes.deliver_due()
        clock.now += 40 * MINUTE
    assert {states(database)[one] for one in stale} == {"expired"}
    assert {states(database)[one] for one in kept} == {"pending"}
    with receiving(port=port) as receiver:
        for _ in range(40):
            passes.deliver_due()
            clock.now += 40 * MINUTE
        assert Counter(receiver.ids) == Counter(ids(*kept))
    sender.close()
    assert {states(database)[one] for one in kept} == {"delivered"}


def test_a_storm_of_429_is_not_answered_by_a_storm_of_requests(database: Database) -> None:
    effects = [f"m{number}" for number in range(100)]
    write(database, *map(new, effects))
    clock = Clock()
    storm = Reply(429, {"retry-after": "600"})
    calm = NOW + 2 * HOUR
    with receiving(lambda _: storm if clock.now < calm else Reply()) as receiver:
        sender = webhook(receiver.url)
        passes = worker(database, {"crm": sender}, clock)
        while clock.now < calm:
            passes.deliver_due()
            clock.now += MINUTE
        assert len(receiver.seen) <= 8 + 12, "those in flight, then one every ten minutes"
        before = len(receiver.seen)
        for _ in range(30):
            passes.deliver_due()
            clock.now += 20 * MINUTE
        sender.close()
        assert Counter(receiver.ids[before:]) == Counter(ids(*effects))
    assert set(states(database).values()) == {"delivered"}


def test_a_410_disables_and_keeps_the_messages(database: Database) -> None:
    write(database, *(new(f"m{number}") for number in range(30)))
    clock = Clock()
    with receiving(lambda _: Reply(410)) as receiver:
        sender = webhook(receiver.url)
        worker(database, {"crm": sender}, clock).deliver_due()
        clock.now += 100 * HOUR
        worker(database, {"crm": sender}, clock).deliver_due()
        sender.close()
    assert len(receiver.seen) <= 8
    assert set(states(database).values()) == {"pending"}


def test_after_five_failures_in_a_row_the_rest_of_the_batch_stays(database: Database) -> None:
    write(database, *(new(f"m{number}") for number in range(20)))
    sender = Scripted(lambda _: Receipt("retry", "it said 503", 503))
    assert worker(database, {"crm": sender}, Clock()).deliver_due() == {"crm": {"pending": 20}}
    assert len(sender.sent) == 5


def test_a_message_whose_time_passes_while_others_are_sent_expires(database: Database) -> None:
    write(database, new("first"), new("second", not_after=NOW + HOUR))
    clock = Clock()

    def slow(message: Message) -> Receipt:
        clock.now += 2 * HOUR
        return Receipt("delivered")

    sender = Scripted(slow)
    worker(database, {"crm": sender}, clock).deliver_due()
    assert sender.sent == ids("first")
    assert states(database) == {"first": "delivered", "second": "expired"}


def test_a_clock_set_back_while_sending_loses_and_doubles_nothing(database: Database) -> None:
    effects = [f"m{number}" for number in range(30)]
    write(database, *map(new, effects))
    clock = Clock()

    def set_back(message: Message) -> Receipt:
        if message.id == message_id("m9"):
            clock.now -= HOUR
        return Receipt("delivered")

    sender = Scripted(set_back)
    passes = worker(database, {"crm": sender}, clock)
    for _ in range(10):
        passes.deliver_due()
        clock.now += 10 * MINUTE
    assert Counter(sender.sent) == Counter(ids(*effects))
    assert set(states(database).values()) == {"delivered"}
    with database.reading() as connection:
        assert connection.execute(select(func.min(ATTEMPTS.c.seconds))).scalar() == 0


@pytest.mark.parametrize(("repeatable", "state"), [(True, "pending"), (False, "unknown")])
def test_a_sender_that_breaks_stops_neither_worker_nor_message(
    database: Database, repeatable: bool, state: str
) -> None:
    def breaks(message: Message) -> Receipt:
        raise ZeroDivisionError("of our own making")

    write(database, new("a"), new("b", endpoint="other"))
    senders = {"crm": Scripted(breaks, repeatable=repeatable), "other": Scripted()}
    worker(database, senders, Clock()).deliver_due()
    assert states(database) == {"a": state, "b": "delivered"}
    with database.reading() as connection:
        detail = connection.execute(select(MESSAGES.c.detail).where(MESSAGES.c.id == ids("a")[0]))
        assert detail.scalar() == "ZeroDivisionError: of our own making"


def test_what_cannot_be_repeated_is_leased_as_it_is_sent(database: Database) -> None:
    """A crash half-way leaves one message unknown, not a batch of them."""
    write(database, *(new(f"m{number}") for number in range(3)))

    def others_wait(message: Message) -> Receipt:
        assert Counter(states(database).values())["sending"] == 1
        return Receipt("delivered")

    sender = Scripted(others_wait, repeatable=False)
    assert worker(database, {"crm": sender}, Clock()).deliver_due() == {"crm": {"delivered": 3}}


def test_the_rule_is_asked_again_at_every_attempt(database: Database) -> None:
    write(database, new("a"))
    clock, agrees = Clock(), True

    def agreed(message: Message) -> Permission | None:
        return None if agrees else Permission("suppressed", "no_consent")

    sender = Scripted(lambda _: Receipt("retry", "it said 503"))
    passes = worker(database, {"crm": sender}, clock, asking(agreed))
    passes.deliver_due()
    agrees = False
    clock.now += HOUR
    passes.deliver_due()
    assert states(database) == {"a": "suppressed"}
    assert len(sender.sent) == 1


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path)
    effects = [f"m{number}" for number in range(200)]
    write(database, *map(new, effects))
    most = limit_pages(database, 0)
    clock, sender = Clock(), Scripted()
    passes = worker(database, {"crm": sender}, clock)
    with pytest.raises(DatabaseError, match="full"):
        write(database, *(new(f"more{number}") for number in range(500)))
    full = 0
    for spare in range(40):
        limit_pages(database, most + spare)
        try:
            passes.deliver_due()
        except DatabaseError:
            full += 1
        clock.now += 10 * MINUTE
    assert full > 0
    assert set(sender.sent) == set(ids(*effects))
    assert states(database) == dict.fromkeys(effects, "delivered"), "and nothing of the rest"
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    database.close()


def limit_pages(database: Database, pages: int) -> int:
    """Let the file grow to so many pages, or no more; returns how many that is."""
    with database.reading() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        most = max(pages, used)
        connection.exec_driver_sql(f"PRAGMA max_page_count={most}")
    return int(most)
