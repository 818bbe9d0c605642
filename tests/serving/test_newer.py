"""Which live scores a worker knows of, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from serving.database import Database
from serving.fresh import LIVE_SCORES, FreshStore
from serving.newer import NewerScores
from serving.online import About
from serving.scoring import Score
from serving.served import load_served
from tests.serving.operations import NOW, Place
from tests.serving.scored_company import score_company

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def about(tmp_path_factory: pytest.TempPathFactory) -> About:
    folder = tmp_path_factory.mktemp("about")
    score_company(folder, customers=5, now=NOW)
    return load_served(folder).snapshot.about.model_copy(update={"cutoff": None})


def keep(database: Database, customer_id: str, at: datetime, propensity: float = 0.5) -> str:
    score = Score(customer_id, NOW, propensity, None, None, None, None, propensity, "medium")
    with FreshStore(database).writing(customer_id) as writer:
        return writer.record(score, {}, "1 orders", "1", at, is_at_risk=False).score_id


def found(known: NewerScores, about: About, *customer_ids: str) -> dict[str, bool]:
    scores = known.find(about, customer_ids, NOW + SECOND)
    return {customer_id: one.is_stale for customer_id, one in scores.items()}


def test_a_worker_learns_of_scores_that_others_keep(
    database: Database, about: About, other: Database
) -> None:
    known = NewerScores(database)
    known.refresh(about)
    assert not known.any_of(["ana"])
    keep(other, "ana", NOW + SECOND)
    known.refresh(about)
    assert known.any_of(["budi", "ana"])
    assert not known.any_of(["budi"])
    assert found(known, about, "ana", "budi") == {"ana": False}


def test_a_run_that_knows_the_rows_takes_the_place_of_the_live_score(
    database: Database, about: About
) -> None:
    keep(database, "ana", NOW + SECOND)
    keep(database, "budi", NOW + 3 * SECOND)
    newer_run = about.model_copy(update={"data_until": NOW + 2 * SECOND, "cutoff": None})
    known = NewerScores(database)
    known.refresh(about)
    assert found(known, about, "ana", "budi") == {"ana": False, "budi": False}
    # Between the swap and the next look the known run alone decides.
    assert found(known, newer_run, "ana", "budi") == {"budi": False}
    known.refresh(newer_run)
    assert not known.any_of(["ana"])
    fresh = NewerScores(database)
    fresh.refresh(newer_run)
    assert (fresh.mark, known.mark != 0) == (known.mark, True)
    # A run at an earlier cutoff brings the score back.
    known.refresh(about)
    assert found(known, about, "ana", "budi") == {"ana": False, "budi": False}


@pytest.fixture
def slow(place: Place, other: Database) -> Database:
    """Another worker's, where commits need not come in the order of the numbers."""
    if place.url is None:
        pytest.skip("SQLite commits in the order of the numbers")
    return other


@contextmanager
def slow_score(database: Database, customer_id: str) -> Iterator[None]:
    """A live score with its number drawn, committed when the block ends."""
    score = Score(customer_id, NOW, 0.5, None, None, None, None, 0.5, "medium")
    with FreshStore(database).writing(customer_id) as writer:
        writer.record(score, {}, "1 orders", "1", NOW + SECOND, is_at_risk=False)
        yield


def test_a_score_is_not_missed_however_late_after_one_with_a_higher_number_it_is_committed(
    database: Database, about: About, slow: Database
) -> None:
    known = NewerScores(database)
    with slow_score(slow, "ana"):
        # Scores of an hour, looked at after each, while the slow one hangs.
        for minute in range(60):
            keep(database, f"customer {minute}", NOW + timedelta(minutes=minute, seconds=2))
            known.refresh(about)
        assert not known.any_of(["ana"])
    known.refresh(about)
    assert found(known, about, "ana") == {"ana": False}
    known.refresh(about)


def test_of_several_slow_scores_each_is_found_once_it_is_committed(
    database: Database, about: About, slow: Database
) -> None:
    known = NewerScores(database)
    with ExitStack() as last, ExitStack() as first:
        first.enter_context(slow_score(slow, "ana"))
        keep(database, "budi", NOW + SECOND)
        known.refresh(about)
        last.enter_context(slow_score(slow, "citra"))
        keep(database, "dewi", NOW + SECOND)
        known.refresh(about)
        first.close()
        known.refresh(about)
        assert [known.any_of([one]) for one in ("ana", "citra")] == [True, False]
        keep(database, "eka", NOW + SECOND)
        known.refresh(about)
    known.refresh(about)
    names = ["ana", "budi", "citra", "dewi", "eka"]
    assert found(known, about, *names) == dict.fromkeys(names, False)


def test_what_is_known_is_not_read_again_for_a_number_that_was_taken_back(
    database: Database, about: About
) -> None:
    with suppress(ZeroDivisionError), slow_score(database, "ana"):
        raise ZeroDivisionError
    keep(database, "budi", NOW + SECOND)
    known = NewerScores(database)
    known.refresh(about)
    with database.writing() as connection:
        connection.execute(update(LIVE_SCORES).values(scored_at=NOW, customer_id="budi again"))
    known.refresh(about)
    assert not known.any_of(["budi again"])


def test_a_live_score_is_stale_when_the_run_beneath_it_is(database: Database, about: About) -> None:
    keep(database, "ana", NOW + timedelta(days=3))
    known = NewerScores(database)
    known.refresh(about)
    (shown,) = known.find(about, ["ana"], NOW + timedelta(days=3)).values()
    assert shown.is_stale
    assert b'"stale":true' in shown.record


def test_without_its_database_the_runs_own_scores_have_to_do(
    place: Place, database: Database, about: About, other: Database
) -> None:
    keep(database, "ana", NOW + SECOND)
    known = NewerScores(other)
    known.refresh(about)
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE live_scores")
    assert found(known, about, "ana") == {}
    known.refresh(about)
