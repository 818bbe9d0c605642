"""Dead letters, on SQLite and on PostgreSQL: what was given up comes back only when told to."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from serving.database import Database
from serving.outreach.deliver.dead_letters import Choice, ReplayError, dead_letters, replay
from serving.outreach.message import Message, Receipt
from serving.outreach.outbox import message_id
from serving.outreach.records import ATTEMPTS, AUDIT
from tests.serving.operations import NOW
from tests.serving.outreach.outboxes import Clock, Scripted, new, states, worker, write

HOUR = timedelta(hours=1)


def ended(database: Database, effect: str, verdict: Any = "refused", hours: int = 0) -> str:
    """A message that came to its end so many hours from now; returns its id."""
    at = NOW + hours * HOUR
    write(database, new(effect), now=at)

    def answer(message: Message) -> Receipt:
        return Receipt(verdict, f"it said {verdict}")

    worker(database, {"crm": Scripted(answer)}, Clock(at)).deliver_due()
    return message_id(effect)


def again(database: Database, **choice: Any) -> list[str]:
    return [one.customer_id for one in replay(database, Choice(**choice), NOW, "ann").again]


def test_dead_and_unknown_messages_are_listed_the_last_first(database: Database) -> None:
    ended(database, "a")
    ended(database, "b", "unknown", hours=1)
    ended(database, "c", "delivered")
    first, second = dead_letters(database)
    assert (first.customer_id, first.state, first.ended_at) == ("b", "unknown", NOW + HOUR)
    assert (second.customer_id, second.state, second.detail) == ("a", "dead", "it said refused")
    assert dead_letters(database, most=1) == [first]
    assert dead_letters(database, Choice(endpoint="other")) == []


def test_a_range_leaves_out_what_may_have_arrived(database: Database) -> None:
    ended(database, "a")
    unknown = ended(database, "b", "unknown")
    assert again(database, endpoint="crm") == ["a"]
    assert states(database) == {"a": "pending", "b": "unknown"}
    assert again(database, id=unknown) == ["b"]


def test_a_range_is_of_the_time_at_which_they_were_given_up(database: Database) -> None:
    for hours, effect in enumerate("abcd"):
        ended(database, effect, hours=hours)
    chosen = Choice(since=NOW + HOUR, until=NOW + 3 * HOUR)
    found = replay(database, chosen, NOW, "ann", dry_run=True)
    assert [one.customer_id for one in found.again] == ["c", "b"]
    assert set(states(database).values()) == {"dead"}, "nothing changed"


def test_a_replayed_message_keeps_its_id_and_history_and_is_audited(database: Database) -> None:
    dead = ended(database, "a")
    again(database, id=dead)
    sender = Scripted()
    worker(database, {"crm": sender}, Clock()).deliver_due()
    assert sender.sent == [dead]
    assert states(database) == {"a": "delivered"}
    with database.reading() as connection:
        verdicts = connection.execute(select(ATTEMPTS.c.verdict).order_by(ATTEMPTS.c.id))
        assert verdicts.scalars().all() == ["refused", "delivered"]
        act = connection.execute(select(AUDIT)).one()
    assert (act.at, act.actor, act.action, act.subject) == (NOW, "ann", "replay", dead)
    assert act.detail == {"endpoint": "crm", "was": "dead", "attempts": 1}


def test_what_is_too_late_is_told_apart(database: Database) -> None:
    write(database, new("a", not_after=NOW + HOUR))
    refuse = Scripted(lambda _: Receipt("refused"))
    worker(database, {"crm": refuse}, Clock()).deliver_due()
    found = replay(database, Choice(endpoint="crm"), NOW + HOUR, "ann")
    assert [one.customer_id for one in found.too_late] == ["a"]
    assert not found.again
    assert states(database) == {"a": "dead"}


def test_what_cannot_be_replayed_is_said(database: Database) -> None:
    delivered = ended(database, "a", "delivered")
    with pytest.raises(ReplayError, match="choose what to send again"):
        replay(database, Choice(), NOW, "ann")
    with pytest.raises(ReplayError, match="is delivered; only dead and unknown"):
        replay(database, Choice(id=delivered), NOW, "ann")
    with pytest.raises(ReplayError, match="no message 'msg_0'"):
        replay(database, Choice(id="msg_0"), NOW, "ann")
