"""A log of ticket changes seen at a cutoff is the tickets that its rows before the cutoff tell."""

import csv
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import PipelineConfig
from features.ingest.run import ingest
from features.leakage import changed_features, truncate
from features.snapshot import Snapshot, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table
from features.versions import is_read_by, rows_as_of
from tests.conftest import write_snapshot
from tests.features.ticket_trail import Change, Ticket, tickets_as_of

START = datetime(2024, 3, 1, tzinfo=UTC)
CUTOFFS = [START + timedelta(days=days) for days in (2, 5, 9)]
PEOPLE = ["ana", "bob", "cyd"]
STATUSES = ["New", "Active", "Waiting", "Resolved", "Closed"]
WAITING, RESOLVED = {"New"}, {"Resolved", "Closed"}
LATER = Change("later", CUTOFFS[-1], 0, "ana", CUTOFFS[-1], "Closed", "phone", "app", 0, "joe")
EVENTS = [{"customer_id": who, "occurred_at": START, "event": "login"} for who in PEOPLE]


def random_log(seed: int) -> list[Change]:
    """Changes of a dozen tickets: untidy, sometimes at once, told twice or out of sequence.

    None is at midnight, which would be read as a bare date.
    """
    dice, half = random.Random(seed), timedelta(minutes=30)
    rows: list[Change] = []
    for number in range(12):
        hour = dice.randrange(150)
        opened = START + timedelta(hours=hour) + half
        for sequence in range(dice.randrange(1, 9)):
            hour += dice.choice([0, 0, 1, 5, 24])
            rows.append(
                Change(
                    ticket_id=f"t{number}",
                    changed_at=START + timedelta(hours=hour) + half,
                    sequence=sequence if dice.random() < 0.9 else dice.randrange(9),
                    customer_id=dice.choice(PEOPLE[: 1 + (number + sequence) % 3]),
                    opened_at=opened if dice.random() < 0.9 else opened + timedelta(hours=3),
                    status=dice.choice(STATUSES),
                    channel=dice.choice(["phone", "chat"]),
                    category=dice.choice(["billing", "app", None]),
                    transfers=dice.randrange(3),
                    agent_id=dice.choice(["joe", "kim", None]),
                )
            )
    return rows + [row for row in rows if dice.random() < 0.05]


def logged(folder: Path, rows: Sequence[Change]) -> Snapshot:
    """The snapshot of a log given as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in (("events", EVENTS), ("tickets", [vars(row) for row in rows])):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    trail = {
        "changed_at": "changed_at",
        "sequence": "sequence",
        "status": "status",
        "waiting": sorted(WAITING),
        "resolved": sorted(RESOLVED),
    }
    tickets = {"path": str(folder / "tickets.csv"), "trail": trail, "max_reject_rate": 1}
    sources = {"events": {"path": str(folder / "events.csv")}, "tickets": tickets}
    described = {"name": "desk", "currency": "EUR", "workspace": folder / "var", "sources": sources}
    ingest(PipelineConfig.model_validate(described))
    return open_snapshot(folder / "var" / "snapshots")


def plain(tickets: Sequence[Ticket]) -> list[dict[str, Any]]:
    """Tickets as a company without a log would give them on the day of the cutoff."""
    return [
        {
            "customer_id": ticket.last.customer_id,
            "ticket_id": ticket.last.ticket_id,
            "opened_at": ticket.last.opened_at,
            "channel": ticket.last.channel,
            "category": ticket.last.category,
            "transfers": ticket.last.transfers,
            "agent_id": ticket.last.agent_id,
            "first_response_at": ticket.first_response_at,
            "resolved_at": ticket.resolved_at,
            "reopened_at": ticket.reopened_at,
        }
        for ticket in tickets
    ]


def features_at(snapshot: Snapshot, cutoff: datetime) -> list[dict[str, Any]]:
    spine = pa.table([PEOPLE, [cutoff] * len(PEOPLE)], schema=SPINE_SCHEMA)
    return feature_table(snapshot, spine).to_pylist()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_feature_is_that_of_the_tickets_as_the_rows_before_the_cutoff_tell_them(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, rows = tmp_path_factory.mktemp("desk"), random_log(seed)
    snapshot = logged(folder / "log", rows)
    for cutoff in CUTOFFS:
        tickets = [
            *tickets_as_of(rows, cutoff, WAITING, RESOLVED),
            Ticket(LATER, *[CUTOFFS[-1]] * 3),
        ]
        tables = {"events": EVENTS, "tickets": plain(tickets)}
        told = write_snapshot(folder / f"at-{cutoff:%d}", tables)
        assert features_at(snapshot, cutoff) == features_at(told, cutoff)


def test_rows_of_the_log_from_the_cutoff_on_change_nothing(tmp_path: Path) -> None:
    rows, cutoff = random_log(3), CUTOFFS[1]
    past = [row for row in rows if row.changed_at < cutoff]
    assert 0 < len(past) < len(rows)
    whole, known = logged(tmp_path / "whole", rows), logged(tmp_path / "past", past)
    assert features_at(whole, cutoff) == features_at(known, cutoff)


def test_no_feature_of_a_log_changes_when_the_future_is_deleted(tmp_path: Path) -> None:
    assert changed_features(logged(tmp_path, random_log(4)), CUTOFFS) == []


def test_a_change_at_the_cutoff_is_not_history(tmp_path: Path) -> None:
    cutoff = CUTOFFS[0]
    first = Change("t1", START, 0, "ana", START, "New", "phone", None, 0, None)
    second = Change("t1", cutoff, 1, "ana", START, "Closed", "phone", None, 0, None)
    snapshot = logged(tmp_path, [first, second])
    waits, after = (features_at(snapshot, cutoff + timedelta(days=days))[0] for days in (0, 1))
    assert (waits["tickets_open"], waits["tickets_unanswered_days_max"]) == (1, 2)
    assert (after["tickets_open"], after["tickets_resolution_hours_last"]) == (0, 48)


def test_a_ticket_reopened_and_resolved_in_one_minute_is_not_open(tmp_path: Path) -> None:
    at = [START + timedelta(hours=hours) for hours in (0, 5, 7, 7)]
    statuses = ["New", "Resolved", "Active", "Resolved"]
    rows = [
        Change("t1", time, number, "ana", START, status, "phone", None, 0, None)
        for number, (time, status) in enumerate(zip(at, statuses, strict=True))
    ]
    found = features_at(logged(tmp_path, rows), CUTOFFS[0])[0]
    assert (found["tickets_open"], found["tickets_reopened_count_90d"]) == (0, 1)
    assert found["tickets_resolution_hours_last"] == 7


def test_truncation_ends_no_state_and_keeps_none_that_came_later(tmp_path: Path) -> None:
    statuses = ["New", "Active", "Closed"]
    rows = [
        Change(
            "t1",
            START + timedelta(days=2 * day),
            day,
            "ana",
            START,
            status,
            "phone",
            None,
            day,
            None,
        )
        for day, status in enumerate(statuses)
    ]
    past = truncate(logged(tmp_path / "log", rows), START + timedelta(days=4), tmp_path / "past")
    query = (
        "SELECT strftime(known_from, '%d'), strftime(known_until, '%d'), resolved_at "
        "FROM tickets_versions ORDER BY known_from"
    )
    assert past.connection.execute(query).fetchall() == [("01", "03", None), ("03", None, None)]
    assert past.manifest.tables["tickets"].rows == 2
    assert past.connection.execute("SELECT count(*) FROM tickets").fetchall() == [(1,)]


def test_reading_the_last_state_instead_of_the_one_known_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = logged(tmp_path, random_log(4))
    monkeypatch.setattr(
        "features.changing_facts.rows_as_of", lambda table, _: rows_as_of(table, None)
    )
    caught = {change.name for change in changed_features(snapshot, CUTOFFS)}
    assert "tickets_open" in caught


def test_a_query_reads_the_tables_that_it_names_outside_of_texts() -> None:
    query = "SELECT 'surveys' AS kind FROM tickets t JOIN orders_by_day USING (customer_id)"
    assert [is_read_by(name, query) for name in ("tickets", "surveys", "orders")] == [
        True,
        False,
        False,
    ]
