"""A message leaves only if nothing has come between its decision and now."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, insert, select, text

from features.outreach_config import OutreachConfig
from serving.database import Database
from serving.history import FILE, write_history
from serving.outreach.decide.decisions import Cap
from serving.outreach.deliver.recheck import Boundary, Permission, boundary_of
from serving.outreach.forgotten import forget_for_good
from serving.outreach.identities import Identities
from serving.outreach.message import Message
from serving.outreach.records import AUDIT, SUPPRESSIONS
from tests.serving.outreach.outbox_rows import NOW, add_message, add_programme

CONFIG = OutreachConfig.model_validate(
    {
        "channels": {
            "email": {"endpoint": "drop", "daily_capacity": 9},
            "messaging": {"endpoint": "drop", "daily_capacity": 9},
        },
        "endpoints": {"drop": {"kind": "file", "folder": "out"}},
        "caps": [{"most": 2, "days": 7}],
    }
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.writing() as opened:
        add_programme(opened)
        yield opened


@pytest.fixture
def boundary(tmp_path: Path) -> Boundary:
    return boundary_of(CONFIG, tmp_path)


def asked(connection: Connection, one: Message, boundary: Boundary, now: datetime = NOW) -> Any:
    (permission,) = boundary.permissions(connection, [one], now)
    return permission


def suppressed(reason: str) -> Permission:
    return Permission("suppressed", reason)  # type: ignore[arg-type]


def test_a_message_leaves_when_nothing_has_changed(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    assert asked(connection, one, boundary) == Permission("send")


def test_what_is_past_its_time_expires_and_so_does_what_was_erased(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    assert asked(connection, one, boundary, NOW + timedelta(hours=24)) == Permission("expired")
    gone = replace(one, id="msg_erased")
    assert asked(connection, gone, boundary) == Permission("expired")


def test_nothing_leaves_for_who_was_erased_under_any_of_their_ids(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    forget_for_good(connection, "C2", NOW)
    assert asked(connection, one, boundary).verdict == "send"
    merged = replace(boundary, identities=Identities([("C1", "C2")]))
    assert asked(connection, one, merged) == suppressed("no_consent")


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("email", suppressed("no_consent")), ("any", suppressed("no_consent"))],
)
def test_a_suppression_holds_from_the_next_attempt_on(
    connection: Connection, boundary: Boundary, channel: str, expected: Permission
) -> None:
    one = add_message(connection, "a")
    values = {"customer_id": "C1", "channel": channel, "since": NOW, "reason": "unsubscribed"}
    connection.execute(insert(SUPPRESSIONS).values(values))
    assert asked(connection, one, boundary) == expected


def test_a_suppression_of_another_channel_or_of_another_customer_is_none(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    for customer_id, channel in (("C1", "messaging"), ("C2", "any")):
        values = {"customer_id": customer_id, "channel": channel, "since": NOW, "reason": ""}
        connection.execute(insert(SUPPRESSIONS).values(values))
    assert asked(connection, one, boundary).verdict == "send"
    merged = replace(boundary, identities=Identities([("C1", "C2")]))
    assert asked(connection, one, merged) == suppressed("no_consent")


def test_a_message_to_a_held_out_customer_is_stopped_and_raises_an_alarm(
    connection: Connection, boundary: Boundary, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute(text("UPDATE programmes SET holdout_share = 0.999999999"))
    one = add_message(connection, "a")
    assert asked(connection, one, boundary) == suppressed("holdout")
    assert "msg_a is for a held-out customer" in caplog.text
    row = connection.execute(select(AUDIT)).one()
    assert (row.action, row.subject, row.detail) == (
        "holdout_refused",
        "C1",
        {"message_id": "msg_a"},
    )


def test_who_is_held_out_under_a_merged_id_gets_nothing(
    connection: Connection, boundary: Boundary
) -> None:
    connection.execute(text("UPDATE programmes SET holdout_share = 0.5"))
    from serving.outreach.holdout import Holdout
    from tests.serving.outreach.outbox_rows import KEY

    holdout = Holdout(KEY, "retention", 0.5)
    ids = [f"C{place}" for place in range(50)]
    free = next(one for one in ids if not holdout.holds(one))
    held = next(one for one in ids if holdout.holds(one))
    one = add_message(connection, "a", free)
    assert asked(connection, one, boundary).verdict == "send"
    merged = replace(boundary, identities=Identities([(free, held)]))
    assert asked(connection, one, merged) == suppressed("holdout")


def test_someone_asleep_is_left_until_the_morning(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a", not_after=NOW + timedelta(hours=36))
    evening = datetime(2026, 3, 2, 14, tzinfo=UTC)  # 21:00 in Jakarta
    assert asked(connection, one, boundary, evening - timedelta(seconds=1)).verdict == "send"
    morning = datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert asked(connection, one, boundary, evening) == Permission("wait", "quiet_hours", morning)
    short = add_message(connection, "b", not_after=morning)
    assert asked(connection, short, boundary, evening) == suppressed("quiet_hours")
    lost = add_message(connection, "c", "C2", zone="Nowhere/Land")
    assert asked(connection, lost, boundary) == suppressed("quiet_hours")


@pytest.mark.parametrize(
    ("state", "attempts"), [("delivered", 1), ("unknown", 1), ("dead", 1), ("sending", 0)]
)
def test_a_cap_reached_meanwhile_holds(
    connection: Connection, boundary: Boundary, state: str, attempts: int
) -> None:
    one = add_message(connection, "a")
    tried: dict[str, Any] = {
        "state": state,
        "attempts": attempts,
        "settled_at": NOW - timedelta(days=5),
    }
    for name in ("b", "c"):
        add_message(connection, name, decided_at=NOW - timedelta(days=5), **tried)
    assert asked(connection, one, boundary) == suppressed("capped")


def test_what_waits_or_was_never_tried_takes_no_place_and_what_may_have_arrived_does(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    for state in ("pending", "expired", "suppressed", "dead"):
        add_message(connection, state, state=state)
    assert asked(connection, one, boundary).verdict == "send"
    add_message(connection, "tried", state="expired", attempts=1, settled_at=NOW)
    assert asked(connection, one, boundary) == suppressed("capped")


def test_rest_is_kept_and_a_cap_looks_at_its_own_channel_alone(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    add_message(connection, "b", state="delivered", settled_at=NOW - timedelta(days=3))
    assert asked(connection, one, boundary).verdict == "send"
    by_email = replace(boundary, caps=(Cap(1, timedelta(days=9), "email"),))
    assert asked(connection, one, by_email) == suppressed("capped")
    by_chat = replace(boundary, caps=(Cap(1, timedelta(days=9), "messaging"),))
    assert asked(connection, one, by_chat).verdict == "send"
    add_message(connection, "c", channel="phone", state="delivered", settled_at=NOW)
    assert asked(connection, one, boundary) == suppressed("capped")


def test_of_one_person_under_two_ids_in_one_batch_the_first_is_written_to(
    connection: Connection, boundary: Boundary
) -> None:
    batch = [add_message(connection, "a", "C1"), add_message(connection, "b", "C2")]
    merged = replace(boundary, identities=Identities([("C1", "C2")]))
    verdicts = [one.verdict for one in merged.permissions(connection, batch, NOW)]
    assert verdicts == ["send", "suppressed"]
    assert [one.verdict for one in boundary.permissions(connection, batch, NOW)] == ["send"] * 2


@pytest.mark.parametrize(
    ("ticket", "expected"),
    [
        ({"opened_at": NOW}, "open_ticket"),
        ({"opened_at": NOW - timedelta(days=9)}, None),
        ({"opened_at": NOW - timedelta(minutes=9), "resolved_at": NOW}, None),
        ({"opened_at": NOW, "escalated_at": NOW, "resolved_at": NOW}, "open_ticket"),
        (
            {
                "opened_at": NOW - timedelta(days=9),
                "resolved_at": NOW - timedelta(days=8),
                "reopened_at": NOW - timedelta(minutes=1),
            },
            "open_ticket",
        ),
    ],
)
def test_a_ticket_that_came_in_since_sends_the_customer_to_support(
    connection: Connection, boundary: Boundary, ticket: dict[str, Any], expected: str | None
) -> None:
    one = add_message(connection, "a")
    add_fresh(connection, {"tickets": [{"ticket_id": "t_1", **ticket}]})
    permission = asked(connection, one, boundary)
    assert permission == (suppressed(expected) if expected else Permission("send"))


def test_a_later_row_of_a_ticket_takes_the_place_of_an_earlier_one(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a")
    opened = NOW - timedelta(minutes=30)
    add_fresh(connection, {"tickets": [{"ticket_id": "t", "opened_at": opened}]})
    assert asked(connection, one, boundary).reason == "open_ticket"
    solved = {"ticket_id": "t", "opened_at": opened, "resolved_at": NOW}
    add_fresh(connection, {"tickets": [solved]}, NOW + timedelta(seconds=1))
    assert asked(connection, one, boundary, NOW + timedelta(seconds=2)).verdict == "send"


@pytest.fixture
def scored_later(tmp_path: Path, make_snapshot: Any) -> Any:
    """A boundary after a scoring run that knew these tables."""

    def of(**tables: Any) -> Boundary:
        rows = {"orders": [{"customer_id": "C1", "ordered_at": NOW, "amount": 1.0}], **tables}
        snapshot = make_snapshot(tmp_path / "snapshots", rows)
        (tmp_path / "scores").mkdir()
        write_history(tmp_path / "scores" / FILE, snapshot)
        snapshot.connection.close()
        return boundary_of(CONFIG, tmp_path)

    return of


def test_consent_withdrawn_in_newer_data_holds(connection: Connection, scored_later: Any) -> None:
    agreed = {"customer_id": "C1", "email_consent": True, "sms_consent": False}
    withdrawn = {**agreed, "email_consent": False, "valid_from": NOW - timedelta(days=1)}
    one = add_message(connection, "a")
    assert asked(connection, one, scored_later(customers=[withdrawn, agreed])) == suppressed(
        "no_consent"
    )


def test_a_ticket_in_newer_data_goes_to_support(connection: Connection, scored_later: Any) -> None:
    opened = {"customer_id": "C1", "ticket_id": "t", "opened_at": NOW - timedelta(minutes=9)}
    boundary = scored_later(tickets=[opened])
    one = add_message(connection, "a")
    assert asked(connection, one, boundary) == suppressed("open_ticket")
    # A decision on scores that knew of all this has weighed it already.
    later = {"score_as_of": (NOW + timedelta(hours=1)).isoformat()}
    two = add_message(connection, "b", "C1", payload=later)
    assert asked(connection, two, boundary).verdict == "send"


def test_what_still_is_agreed_in_newer_data_leaves(
    connection: Connection, scored_later: Any
) -> None:
    agreed = {"customer_id": "C1", "email_consent": True, "sms_consent": False}
    boundary = scored_later(customers=[agreed])
    assert asked(connection, add_message(connection, "a"), boundary).verdict == "send"
    other = add_message(connection, "b", channel="messaging")
    assert asked(connection, other, boundary) == suppressed("no_consent")


def test_an_event_told_to_a_system_asks_for_no_consent(
    connection: Connection, boundary: Boundary
) -> None:
    one = add_message(connection, "a", type="customer.at_risk", zone="Nowhere/Land")
    assert asked(connection, one, boundary).verdict == "send"


def test_no_system_is_told_of_a_held_out_customer_and_nobody_is_alarmed(
    connection: Connection, boundary: Boundary
) -> None:
    """Whatever acts on the event would reach the customer."""
    connection.execute(text("UPDATE programmes SET holdout_share = 0.999999999"))
    one = add_message(connection, "a", type="customer.at_risk")
    assert asked(connection, one, boundary) == suppressed("holdout")
    assert connection.execute(select(AUDIT)).all() == []


def add_fresh(connection: Connection, rows: dict[str, Any], at: datetime = NOW) -> None:
    statement = text(
        'INSERT INTO fresh_rows (customer_id, received_at, "rows") VALUES (:c, :t, :r)'
    )
    shown = at if connection.dialect.name == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")
    connection.execute(statement, {"c": "C1", "t": shown, "r": orjson.dumps(rows)})
