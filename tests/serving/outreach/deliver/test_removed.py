"""Endpoints taken out of the configuration: their messages end visibly, on both databases."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from serving.database import Database
from serving.outreach.decide.contacted import contacts_since
from serving.outreach.deliver.dead_letters import Choice, dead_letters, replay
from serving.outreach.deliver.leases import LEASE_LASTS, lease
from serving.outreach.deliver.removed import KEPT_FOR, end_removed
from serving.outreach.message import Receipt
from serving.outreach.outbox import message_id
from serving.outreach.records import DECISIONS, MESSAGES
from tests.serving.operations import NOW
from tests.serving.outreach.outbox_rows import add_message, add_programme
from tests.serving.outreach.outboxes import Clock, Scripted, anybody, new, states, worker, write

HOUR = timedelta(hours=1)
CONFIGURED = {"crm"}


def rows(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        return {row.effect_key: row for row in connection.execute(select(MESSAGES))}


def test_what_has_waited_a_day_is_given_up_with_the_reason(database: Database) -> None:
    write(database, new("a", endpoint="old"), new("kept"))
    write(database, new("b", endpoint="old"), now=NOW + HOUR)
    write(database, new("later", endpoint="old", not_before=NOW + 30 * HOUR))
    assert end_removed(database, CONFIGURED, NOW + KEPT_FOR - HOUR) == {}
    assert end_removed(database, CONFIGURED, NOW + KEPT_FOR) == {"old": {"dead": 1}}
    assert states(database) == {"a": "dead", "kept": "pending", "b": "pending", "later": "pending"}
    (letter,) = dead_letters(database)
    assert letter.detail == "'old' is no longer in outreach.endpoints"
    assert (letter.ended_at, letter.attempts) == (NOW + KEPT_FOR, 0)


def test_with_nothing_configured_all_of_it_ends(database: Database) -> None:
    write(database, new("a", endpoint="old"), new("b", endpoint="older"))
    ended = end_removed(database, (), NOW + KEPT_FOR)
    assert ended == {"old": {"dead": 1}, "older": {"dead": 1}}


def test_what_is_past_its_time_expires_at_once(database: Database) -> None:
    write(database, new("a", endpoint="old", not_after=NOW + HOUR))
    assert end_removed(database, CONFIGURED, NOW + HOUR) == {"old": {"expired": 1}}


def test_what_was_in_a_workers_hands_may_have_arrived_and_is_unknown(database: Database) -> None:
    write(database, new("a", endpoint="old"))
    lease(database, "old", 1, NOW, anybody, repeatable=True)
    assert end_removed(database, CONFIGURED, NOW + KEPT_FOR) == {}, "its worker may live"
    assert end_removed(database, CONFIGURED, NOW + LEASE_LASTS + KEPT_FOR) == {
        "old": {"unknown": 1}
    }
    assert rows(database)["a"].attempts == 1
    assert not replay(database, Choice(endpoint="old"), NOW, "ann").again, "only by its own id"


def test_a_pass_delivers_to_the_others_and_counts_what_it_ends(database: Database) -> None:
    write(database, new("a", endpoint="old"), new("b"))
    passing = worker(database, {"crm": Scripted()}, Clock(NOW + KEPT_FOR))
    assert passing.deliver_due() == {"crm": {"delivered": 1}, "old": {"dead": 1}}
    assert passing.deliver_due() == {"crm": {}}


def test_an_endpoint_that_comes_back_gets_each_message_once(database: Database) -> None:
    """One within the day by itself; one after it when somebody says so, under the same id."""
    write(database, new("late", endpoint="old"))
    write(database, new("in time", endpoint="old"), now=NOW + HOUR)
    back, clock = Scripted(), Clock(NOW + KEPT_FOR)
    worker(database, {"crm": Scripted()}, clock).deliver_due()
    both = worker(database, {"crm": Scripted(), "old": back}, clock)
    assert both.deliver_due()["old"] == {"delivered": 1}
    replay(database, Choice(endpoint="old"), clock.now, "ann")
    assert both.deliver_due()["old"] == {"delivered": 1}
    assert both.deliver_due()["old"] == {}
    assert back.sent == [message_id("in time"), message_id("late")]
    assert rows(database)["late"].attempts == 1


def test_an_endpoint_that_cannot_be_used_now_is_not_a_removed_one(database: Database) -> None:
    """Its secret may be missing today: messages wait for it as long as it takes."""
    write(database, new("a", endpoint="crm"))
    assert end_removed(database, CONFIGURED, NOW + 100 * KEPT_FOR) == {}


def test_a_contact_that_was_never_tried_does_not_count_against_rests(database: Database) -> None:
    with database.writing() as connection:
        add_programme(connection)
        add_message(connection, "never", "C1", not_after=None)
        add_message(connection, "tried", "C2", not_after=None, endpoint="crm")
        at = connection.execute(select(DECISIONS.c.decided_at)).scalars().first()
    refused = Scripted(lambda _: Receipt("refused", "no such contact"))
    worker(database, {"crm": refused}, Clock(at)).deliver_due()
    ended = at + KEPT_FOR
    assert end_removed(database, CONFIGURED, ended) == {"drop": {"dead": 1}}
    with database.reading() as connection:
        assert contacts_since(connection, ended, KEPT_FOR).keys() == {"C2"}


def test_replaying_what_was_never_tried_leaves_it_untried(database: Database) -> None:
    write(database, new("a", endpoint="old"))
    end_removed(database, CONFIGURED, NOW + KEPT_FOR)
    replay(database, Choice(id=message_id("a")), NOW + KEPT_FOR, "ann")
    found = rows(database)["a"]
    assert (found.state, found.attempts) == ("pending", 0)
    with database.writing() as connection:
        connection.execute(update(MESSAGES).values(state="dead", attempts=7))
    replay(database, Choice(id=message_id("a")), NOW + KEPT_FOR, "ann")
    assert rows(database)["a"].attempts == 1, "it may have arrived, which caps must not forget"
