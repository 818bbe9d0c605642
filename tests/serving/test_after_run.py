"""What follows a scoring run: told once to whom it concerns, on SQLite and on PostgreSQL."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.after_run import Followed, follow_run
from serving.database import Database
from serving.fresh import FRESH_ROWS, LIVE_SCORES, FreshStore
from serving.outreach.records import MESSAGES
from serving.scoring import Score
from serving.served import load_served
from serving.standings import RISK_EVENTS, SCORING_RUNS, Change, standing, tell
from tests.serving.operations import NOW
from tests.serving.scored_company import Company, publish, score_company

DAY = timedelta(days=1)
TWO = ("crm", "desk")


@pytest.fixture
def scored(tmp_path: Path) -> Company:
    return score_company(tmp_path / "company", customers=6)


def run(
    company: Company,
    database: Database,
    propensities: Sequence[float],
    now: datetime,
    **said: Any,
) -> Followed:
    """A scoring run at `now` that finds these propensities, told to two endpoints."""
    publish(company, now, events_to=TWO, **said)
    ranked = [
        replace(score, churn_probability=propensity)
        for score, propensity in zip(company.scores, propensities, strict=False)
    ]
    return follow_run(company.workspace, database, ranked, now, lambda *_: None)


def events(database: Database) -> list[tuple[str, str]]:
    told = select(RISK_EVENTS.c.customer_id, RISK_EVENTS.c.type).order_by(RISK_EVENTS.c.id)
    with database.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(told)]


def test_the_first_run_tells_nobody_and_the_next_ones_who_crossed(
    scored: Company, database: Database
) -> None:
    assert run(scored, database, (0.9, 0.59, 0.1), NOW) == Followed(0, 0, 0)
    assert events(database) == []
    assert run(scored, database, (0.56, 0.61, 0.1), NOW + DAY) == Followed(1, 0, 0)
    assert run(scored, database, (0.54, 0.56, 0.7), NOW + 2 * DAY) == Followed(1, 1, 0)
    assert run(scored, database, (0.54, 0.56, 0.7), NOW + 3 * DAY) == Followed(0, 0, 0)
    assert events(database) == [
        ("c_0001", "customer.at_risk"),
        ("c_0000", "customer.recovered"),
        ("c_0002", "customer.at_risk"),
    ]


def test_a_run_that_is_followed_again_tells_nothing_twice(
    scored: Company, database: Database
) -> None:
    run(scored, database, (0.1,), NOW)
    run(scored, database, (0.9,), NOW + DAY)
    assert run(scored, database, (0.9,), NOW + DAY) == Followed(0, 0, 0)
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(SCORING_RUNS)).scalar() == 2
        assert connection.execute(select(func.count()).select_from(MESSAGES)).scalar() == 2


def test_each_endpoint_gets_a_message_with_the_score_behind_it(
    scored: Company, database: Database
) -> None:
    run(scored, database, (0.1,), NOW)
    run(scored, database, (0.9,), NOW + DAY)
    with database.reading() as connection:
        rows = connection.execute(select(MESSAGES).order_by(MESSAGES.c.endpoint)).all()
    assert [row.endpoint for row in rows] == ["crm", "desk"]
    assert {row.type for row in rows} == {"customer.at_risk"}
    assert rows[0].payload == rows[1].payload
    found = load_served(scored.workspace).snapshot.find("c_0000")
    assert found is not None
    assert rows[0].payload == {
        "customer_id": "c_0000",
        "churn_probability": 0.9,
        "risk_tier": scored.scores[0].risk_tier,
        "value_at_risk": scored.scores[0].value_at_risk,
        "currency": "USD",
        "score_id": f"snap_20260103T030405000000_{found.rank}",
        "cause": "scoring run",
        "at": "2026-01-03T03:04:05Z",
        "model_version": "1",
        "generated": True,
    }


def test_a_run_and_live_scores_see_the_same_standing(scored: Company, database: Database) -> None:
    run(scored, database, (0.1, 0.1), NOW)
    score = replace(scored.scores[0], churn_probability=0.8)
    live(database, scored, score, NOW + timedelta(hours=1))
    assert run(scored, database, (0.7, 0.1), NOW + DAY) == Followed(0, 0, 0)
    assert run(scored, database, (0.3, 0.8), NOW + 2 * DAY) == Followed(1, 1, 0)
    with FreshStore(database).writing("c_0000") as writer:
        assert standing(writer.connection, "c_0000") is False
        assert standing(writer.connection, "c_0001") is True
        assert standing(writer.connection, "nobody") is False


def live(database: Database, company: Company, score: Score, now: datetime) -> bool:
    """A live score that comes in as the service's do; whether it was told."""
    about = load_served(company.workspace).snapshot.about
    with FreshStore(database).writing(score.customer_id) as writer:
        if standing(writer.connection, score.customer_id):
            return False
        kept = writer.record(score, {}, "1 orders", "1", now, is_at_risk=True)
        tell(writer.connection, [Change(score, kept.score_id, "1 orders", True)], about, now)
        return True


def test_a_run_and_live_scores_at_once_tell_of_each_customer_once(
    scored: Company, database: Database
) -> None:
    run(scored, database, [0.1] * 6, NOW)
    risen = [replace(score, churn_probability=0.9) for score in scored.scores]
    with ThreadPoolExecutor(7) as together:
        later = NOW + DAY
        batch = together.submit(run, scored, database, [0.9] * 6, later)
        lives = [together.submit(live, database, scored, score, later) for score in risen]
        told = batch.result().at_risk + sum(one.result() for one in lives)
    assert told == 6
    assert sorted(events(database)) == [(f"c_{i:04d}", "customer.at_risk") for i in range(6)]


def test_who_was_erased_while_the_run_was_made_is_not_told_of(
    scored: Company, database: Database
) -> None:
    run(scored, database, (0.1, 0.1), NOW)
    publish(replace(scored, scores=scored.scores[1:], X=scored.X[1:]), NOW + DAY)
    risen = [replace(score, churn_probability=0.9) for score in scored.scores[:2]]
    assert follow_run(scored.workspace, database, risen, NOW + DAY, lambda *_: None).at_risk == 1
    assert events(database) == [("c_0001", "customer.at_risk")]


def test_rows_that_two_runs_know_and_old_scores_are_deleted(
    scored: Company, database: Database
) -> None:
    store = FreshStore(database)
    old = NOW - timedelta(days=100)
    for at in (old, NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        with store.writing("c_0000") as writer:
            writer.add({"orders": []}, at)
            writer.record(scored.scores[0], {}, "1 orders", "1", at, is_at_risk=False)

    def left() -> tuple[int, int]:
        with database.reading() as connection:
            counts = [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (FRESH_ROWS, LIVE_SCORES)
            ]
        return counts[0], counts[1]

    run(scored, database, (0.1,), NOW, data_until=NOW + 2 * DAY)
    assert left() == (3, 2)
    run(scored, database, (0.1,), NOW + DAY, data_until=NOW + 2 * DAY)
    assert left() == (0, 2)
