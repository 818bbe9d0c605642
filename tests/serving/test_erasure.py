"""An erased person is nowhere in the database or the files, and what is counted stays true."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import JSON, Boolean, Column, Float, Integer, LargeBinary, insert, select, text

from features.snapshot import open_snapshot
from serving.at_risk import rank_scores, write_at_risk
from serving.batch import score_snapshot
from serving.database import METADATA, Database, UtcTime
from serving.erasure import erase_customer, erase_late
from serving.fresh import FreshStore
from serving.history import History, write_history
from serving.online import OnlineSnapshot
from serving.outreach.deliver.leases import lease
from serving.outreach.deliver.recheck import Permission
from serving.outreach.forgotten import forget_for_good, forgotten_by
from serving.outreach.message import Message
from serving.outreach.prove.assignments import first_assignments, what_became
from serving.outreach.prove.effect_report import report_effect
from serving.outreach.records import AUDIT, MESSAGES, OUTCOMES
from serving.scoring import write_scores
from tests.conftest import write_snapshot
from tests.serving.live_company import score_live_company
from tests.serving.operations import NOW
from tests.serving.outreach.outboxes import new, write
from tests.serving.outreach.programme import DAY, HORIZON, START, begin, config, draw
from tests.serving.scored_company import Company, publish, score_company

WHO = "canary-77"
OTHER = "innocent-1"


def anybody(_: Any, messages: Sequence[Message], __: datetime) -> list[Permission]:
    return [Permission("send")] * len(messages)


def value_of(column: Column[Any], who: str, name: str) -> Any:
    """Something that tells of `who`, fit for the column."""
    fixed = {
        "customer_id": who,
        "programme": "retention",
        "endpoint": "crm",
        "state": "pending",
        "arm": "contact",
        "step": "win_back",
        "policy": "exploration",
        "risk_tier": "high",
        "kind": "purchase",
        "decision_id": f"dec-{name}",
        "message_id": f"msg-{name}",
        "subject": who,
        "channel": f"by {name}"[:20],
        "effect_key": f"hash of {who}",
        "request": f"DELETE /v1/customers/{who}",
    }
    ids = {"decisions": f"dec-{name}", "messages": f"msg-{name}"}
    if column.name == "id" and column.table.name in ids:
        return ids[column.table.name]
    kinds = {
        UtcTime: NOW,
        JSON: {"customer_id": who},
        LargeBinary: f'{{"customer_id":"{who}"}}'.encode(),
        Boolean: True,
        Float: 1.5,
    }
    by_kind = next((given for kind, given in kinds.items() if isinstance(column.type, kind)), None)
    if by_kind is not None:
        return by_kind
    if isinstance(column.type, Integer):
        return 200 + len(name)
    # What must be there is the plan's (a run, a reason); what may be missing can tell anything.
    free = f"{who} {name}" if column.nullable else name
    return fixed.get(column.name, free[: getattr(column.type, "length", None) or 200])


def fill(database: Database, who: str, name: str) -> None:
    """A row about `who` in every table that can hold one; a test finds a new table by itself."""
    with database.writing() as connection:
        for table in METADATA.sorted_tables:
            about = {"customer_id", "message_id", "subject"} & set(table.c.keys())
            if about or table.name == "idempotency":
                given = {
                    column.name: value_of(column, who, name)
                    for column in table.c
                    if column.autoincrement is not True
                }
                connection.execute(insert(table).values(given))


def dump(database: Database) -> str:
    """Every row of every table, as text."""
    with database.reading() as connection:
        return "\n".join(
            str(row)
            for table in METADATA.sorted_tables
            for row in connection.execute(text(f"SELECT * FROM {table.name}"))
        )


def test_nothing_in_the_database_tells_of_an_erased_person(place: Any) -> None:
    database = place.open()
    fill(database, WHO, "one")
    fill(database, OTHER, "another")
    assert WHO in dump(database)
    receipt = erase_customer(database, place.workspace, WHO, "key k1", NOW)
    left = dump(database)
    assert WHO not in left
    assert OTHER in left
    assert receipt.erased_before is None
    assert receipt.rows["decisions"] == receipt.rows["messages"] == 1
    assert receipt.rows["idempotency"] == 1
    assert receipt.sent_to == {"crm": 1}
    with database.reading() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.action == "erasure")).all()
    assert [(row.actor, row.subject) for row in rows] == [
        ("key k1", forgotten_by(database).digest(WHO))
    ]
    database.close()
    for file in place.workspace.glob("setia.db*"):
        assert WHO.encode() not in file.read_bytes(), file


def test_erasing_again_says_when_and_takes_what_has_come_since(
    database: Database, tmp_path: Path
) -> None:
    erase_customer(database, tmp_path, WHO, "command", NOW)
    fill(database, WHO, "late")
    receipt = erase_customer(database, tmp_path, WHO, "command", NOW + DAY)
    assert receipt.erased_before == NOW
    assert WHO not in dump(database)
    again = erase_customer(database, tmp_path, WHO, "command", NOW + 2 * DAY)
    assert again.rows == {}
    assert again.erased_before == NOW
    assert WHO in forgotten_by(database)
    assert OTHER not in forgotten_by(database)


def test_what_waits_to_be_sent_is_stopped(database: Database, tmp_path: Path) -> None:
    fill(database, WHO, "one")
    erase_customer(database, tmp_path, WHO, "command", NOW)
    later = NOW + DAY
    assert lease(database, "crm", 10, later, anybody, repeatable=True) == []
    with database.reading() as connection:
        row = connection.execute(select(MESSAGES)).one()
    assert (row.state, row.payload, row.customer_id[:7]) == ("suppressed", {}, "erased_")


def test_the_number_of_an_erased_message_is_never_given_again(
    database: Database, tmp_path: Path
) -> None:
    """SQLite would give the last number twice if its row went; receivers order by it."""
    write(database, new("a", OTHER), new("b", WHO))
    erase_customer(database, tmp_path, WHO, "command", NOW)
    write(database, new("c", OTHER))
    with database.reading() as connection:
        numbers = connection.scalars(select(MESSAGES.c.sequence).order_by(MESSAGES.c.sequence))
        assert numbers.all() == [1, 2, 3]


def test_a_message_in_a_worker_s_hands_is_not_tried_again(
    database: Database, tmp_path: Path
) -> None:
    fill(database, WHO, "one")
    with database.writing() as connection:
        connection.execute(MESSAGES.update().values(next_at=NOW, not_after=None))
    (leased,) = lease(database, "crm", 10, NOW, anybody, repeatable=True)
    assert leased.message.customer_id == WHO
    erase_customer(database, tmp_path, WHO, "command", NOW)
    with database.reading() as connection:
        row = connection.execute(select(MESSAGES)).one()
    assert (row.state, row.lease) == ("suppressed", None)


def test_the_effect_stays_what_it_was(database: Database, tmp_path: Path) -> None:
    """Whoever leaves erases more often where contacted: without them the effect would be wrong."""
    settings = config(tmp_path)
    begin(database, draw(300, 0.5, seed=4))
    with database.writing() as connection:
        assigned = first_assignments(connection, "retention", HORIZON, settings.zone)
        rows = [
            {
                "customer_id": one.customer_id,
                "kind": "lost" if place % 3 else "kept",
                "occurred_at": one.until,
                "value": 5.0,
                "decision_id": one.decision_id,
                "source": "orders",
                "received_at": START,
            }
            for place, one in enumerate(assigned)
        ]
        connection.execute(insert(OUTCOMES), rows)
        now = START + 90 * DAY
        before = report_effect(connection, settings, now, now)
    for one in assigned[:40]:
        erase_customer(database, tmp_path, one.customer_id, "command", NOW)
    with database.reading() as connection:
        after = report_effect(connection, settings, now, now)
        again = first_assignments(connection, "retention", HORIZON, settings.zone)
        known = what_became(connection, "retention", again)
    assert after.retention == before.retention
    assert after.cost == before.cost
    assert after.staying == before.staying
    assert sum(one.value is None for one in known.values()) == 40
    assert len({one.customer_id for one in again if one.customer_id.startswith("erased_")}) == 40


@pytest.fixture
def scored(tmp_path: Path) -> Company:
    """A workspace with every file of a scoring run; c_0007 is in all of them."""
    company = score_company(tmp_path, customers=60)
    march = datetime(2025, 3, 1, tzinfo=UTC)
    orders = [
        {"customer_id": f"c_{place:04}", "ordered_at": march + day * DAY, "amount": 5.0}
        for place in range(60)
        for day in (1, 2)
    ]
    write_snapshot(tmp_path / "snapshots", {"orders": orders})
    write_history(tmp_path / "scores" / "history.db", open_snapshot(tmp_path / "snapshots"))
    ranked = [company.scores[place] for place in rank_scores(company.scores)]
    write_scores(tmp_path / "scores", ranked)
    write_at_risk(tmp_path / "scores", ranked, "USD")
    return company


def test_nothing_in_the_files_of_the_scores_tells_of_an_erased_person(
    scored: Company, tmp_path: Path
) -> None:
    folder, database = scored.workspace / "scores", Database(scored.workspace)
    rejected = scored.workspace / "rejected_outcomes" / "x.csv"
    rejected.parent.mkdir()
    rejected.write_bytes(
        b'row,reason,detail,raw\r\n1,conflict,no,"{""customer_id"":""c_0007""}"\r\n'
        b'2,conflict,no,"{""customer_id"":""c_0008""}"\r\n'
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name, content in before.items() if b"c_0007" in content} >= {
        "scores.csv",
        "at_risk.csv",
        "online.db",
        "history.db",
    }
    old = OnlineSnapshot(folder / "online.db")
    receipt = erase_customer(database, scored.workspace, "c_0007", "command", NOW)
    assert set(receipt.files) == {
        "scores/history.db",
        "scores/online.db",
        "scores/scores.csv",
        "scores/scores.parquet",
        "scores/at_risk.csv",
        "rejected_outcomes/x.csv",
    }
    for path in [*folder.iterdir(), rejected]:
        assert b"c_0007" not in path.read_bytes(), path
        assert b"c_0008" in path.read_bytes() or path.suffix == ".parquet"
    assert len(parquet.read_table(folder / "scores.parquet")) == 59
    lines = (folder / "scores.csv").read_bytes().splitlines()
    assert lines == [one for one in before["scores.csv"].splitlines() if b"c_0007" not in one]
    assert old.find("c_0007") is not None  # A request that began before goes on with its file.


def test_the_others_keep_place_and_score(scored: Company) -> None:
    path = scored.workspace / "scores" / "online.db"
    before = OnlineSnapshot(path)
    erase_customer(Database(scored.workspace), scored.workspace, "c_0007", "command", NOW)
    after = OnlineSnapshot(path)
    assert after.find("c_0007") is None
    assert after.about.customers == 59
    others = [f"c_{place:04}" for place in range(60) if place != 7]
    for name, one in before.find_many(others).items():
        found = after.find(name)
        assert found is not None
        assert (found.rank, found.score, found.timing) == (one.rank, one.score, one.timing)
    assert len(History(path.with_name("history.db")).rows("c_0008")["orders"]) == 2
    assert History(path.with_name("history.db")).rows("c_0007") == {}


def test_what_earlier_runs_said_of_them_goes_too(scored: Company) -> None:
    publish(scored, NOW + timedelta(days=1))
    path = scored.workspace / "scores" / "online.db"
    assert len(OnlineSnapshot(path).past("c_0007")) == 1
    erase_customer(Database(scored.workspace), scored.workspace, "c_0007", "command", NOW)
    after = OnlineSnapshot(path)
    assert (after.past("c_0007"), len(after.past("c_0008"))) == ([], 1)
    assert b"c_0007" not in path.read_bytes()


def test_the_list_without_its_parquet_file_gives_up_one_more_person(scored: Company) -> None:
    """As the service alone leaves it, which cannot read Parquet."""
    path = scored.workspace / "scores" / "online.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM export")
    erase_customer(Database(scored.workspace), scored.workspace, "c_0007", "command", NOW)
    after = OnlineSnapshot(path)
    assert (after.find("c_0007"), after.has_parquet, after.about.customers) == (None, False, 59)


def test_who_is_in_no_file_changes_none(scored: Company) -> None:
    files = {path: path.stat().st_ino for path in (scored.workspace / "scores").iterdir()}
    receipt = erase_customer(Database(scored.workspace), scored.workspace, WHO, "command", NOW)
    assert receipt.files == {}
    assert {path: path.stat().st_ino for path in files} == files


def test_without_pyarrow_the_parquet_files_go_whole(
    scored: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the environment of the service alone."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    receipt = erase_customer(Database(scored.workspace), scored.workspace, "c_0007", "x", NOW)
    assert receipt.files["scores/scores.parquet"].startswith("deleted whole")
    snapshot = OnlineSnapshot(scored.workspace / "scores" / "online.db")
    assert not snapshot.has_parquet
    assert snapshot.find("c_0008") is not None


def test_who_is_erased_during_a_scoring_run_is_taken_out_of_it(scored: Company) -> None:
    database = Database(scored.workspace)
    erase_customer(database, scored.workspace, "c_0007", "command", NOW)
    score_company(scored.workspace, customers=60)  # The run that began before, and ends now.
    ids = [f"c_{place:04}" for place in range(60)]
    assert erase_late(database, scored.workspace, ids) == {"c_0007"}
    assert OnlineSnapshot(scored.workspace / "scores" / "online.db").find("c_0007") is None
    assert erase_late(Database(scored.workspace / "empty"), scored.workspace, ids) == set()


def test_fresh_rows_are_erased(database: Database, tmp_path: Path) -> None:
    with FreshStore(database).writing(WHO) as writer:
        writer.add({"orders": []}, NOW)
    erase_customer(database, tmp_path, WHO, "command", NOW)
    assert WHO not in dump(database)


def test_a_scoring_run_leaves_out_whom_the_snapshot_still_holds(tmp_path: Path) -> None:
    company = score_live_company(tmp_path, 25)
    workspace = company.config.workspace
    who = company.run.scores[0].customer_id
    database = Database(workspace)
    with database.writing() as connection:
        forget_for_good(connection, who, NOW)
    snapshot = open_snapshot(workspace / "snapshots")
    rows = "SELECT count(*) FROM orders WHERE customer_id = ?"
    assert snapshot.connection.execute(rows, [who]).fetchall()[0][0] > 0
    run = score_snapshot(
        company.config, None, datetime.now(UTC), lambda *_: None, forgotten_by(database)
    )
    assert {one.customer_id for one in run.scores} == {
        one.customer_id for one in company.run.scores
    } - {who}
    for name in ("online.db", "history.db", "scores.csv", "at_risk.csv"):
        assert who.encode() not in (workspace / "scores" / name).read_bytes(), name
