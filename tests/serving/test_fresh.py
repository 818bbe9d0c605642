"""Fresh rows and scores in the operations database, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from serving.database import Database
from serving.fresh import LIVE_SCORES, FreshStore
from serving.scoring import Score
from serving.standings import set_standings, standing
from tests.serving.operations import NOW


def score(customer_id: str, propensity: float, cutoff: datetime = NOW) -> Score:
    return Score(customer_id, cutoff, propensity, None, None, None, None, propensity, "high")


def test_rows_that_a_newer_run_knows_are_not_added_again(database: Database) -> None:
    with FreshStore(database).writing("ana") as writer:
        writer.add({"orders": [{"order_id": "a"}]}, NOW)
        assert writer.rows_since(NOW - timedelta(microseconds=1)) == [
            {"orders": [{"order_id": "a"}]}
        ]
        assert writer.rows_since(NOW) == []


def test_workers_at_once_take_turns_about_a_customer(database: Database, other: Database) -> None:
    """Each turns the standing round, so two that saw the same one would show side by side."""
    stores = [FreshStore(database), FreshStore(other)]

    def turn(place: int) -> int:
        now = NOW + timedelta(seconds=place)
        with stores[place % 2].writing("ana") as writer:
            writer.add({"orders": []}, now)
            stands = not standing(writer.connection, "ana")
            writer.record(score("ana", 0.5), {}, "1 orders", "1", now, is_at_risk=stands)
            set_standings(writer.connection, {"ana": stands}, now)
            return len(writer.rows_since(NOW - timedelta(days=1)))

    with ThreadPoolExecutor(8) as together:
        seen = sorted(together.map(turn, range(40)))
    assert seen == list(range(1, 41))
    with database.reading() as connection:
        scores = connection.scalars(
            select(LIVE_SCORES.c.is_at_risk).order_by(LIVE_SCORES.c.sequence)
        ).all()
    assert scores == [True, False] * 20


def test_an_error_takes_back_rows_and_scores(database: Database) -> None:
    store = FreshStore(database)

    def fail() -> None:
        with store.writing("ana") as writer:
            writer.add({"orders": []}, NOW)
            writer.record(score("ana", 0.7), {}, "1 orders", "1", NOW, is_at_risk=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.writing("ana") as writer:
        assert writer.rows_since(NOW - timedelta(days=1)) == []
        assert writer.connection.execute(select(LIVE_SCORES)).all() == []
