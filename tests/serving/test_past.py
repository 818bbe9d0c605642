"""A customer's earlier scores, from one online snapshot to the next."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from features.config import ServingConfig
from serving.online import OnlineSnapshot
from tests.serving.operations import NOW
from tests.serving.scored_company import Company, publish, score_company

DAY = timedelta(days=1)


@pytest.fixture
def scored(tmp_path: Path) -> Company:
    return score_company(tmp_path, customers=4)


def times(company: Company, customer_id: str = "c_0001") -> list[datetime]:
    snapshot = OnlineSnapshot(company.workspace / "scores" / "online.db")
    return [past.created_at for past in snapshot.past(customer_id)]


def test_what_a_run_said_is_known_to_the_next_to_the_bit(scored: Company) -> None:
    publish(scored, NOW + DAY)
    before = OnlineSnapshot(scored.workspace / "scores" / "online.db")
    publish(scored, NOW + 2 * DAY)
    after = OnlineSnapshot(scored.workspace / "scores" / "online.db")
    for score in scored.scores:
        found = before.find(score.customer_id)
        assert found is not None
        first, second = after.past(score.customer_id)
        assert (first.created_at, second.created_at) == (NOW, NOW + DAY)
        assert (second.rank, second.churn_probability, second.value_at_risk) == (
            found.rank,
            score.churn_probability,
            score.value_at_risk,
        )
    assert after.past("nobody") == []


def test_a_fortnight_of_days_then_weeks_are_kept_until_too_old(scored: Company) -> None:
    last = NOW + 60 * DAY
    for day in range(61):
        publish(scored, NOW + day * DAY)
    kept = times(scored)
    assert kept[-13:] == [last - day * DAY for day in range(13, 0, -1)]
    # Weeks begin on Thursdays, as 1970 did; the one that is thinned now has got to 17 February.
    weekly = ["01-07", "01-14", "01-21", "01-28", "02-04", "02-11", "02-17"]
    assert [f"{at:%m-%d}" for at in kept[:-13]] == weekly
    short = replace(scored, serving=ServingConfig(history_days=5))
    publish(short, last + DAY)
    assert times(scored) == [last - day * DAY for day in range(4, -1, -1)]


def test_two_runs_of_a_day_are_one_and_an_older_run_carries_nothing(scored: Company) -> None:
    for hours in (1, 2, 3):
        publish(scored, NOW + timedelta(hours=hours))
    assert times(scored) == [NOW + timedelta(hours=2)]
    publish(scored, NOW)
    assert times(scored) == []


def test_whom_a_run_leaves_out_starts_anew(scored: Company) -> None:
    without = replace(scored, scores=scored.scores[:1], X=scored.X[:1])
    publish(without, NOW + DAY)
    assert times(scored, "c_0000") == [NOW]
    publish(scored, NOW + 2 * DAY)
    assert times(scored, "c_0000") == [NOW, NOW + DAY]
    assert times(scored, "c_0001") == []


def test_an_unreadable_snapshot_is_replaced_all_the_same(scored: Company) -> None:
    path = scored.workspace / "scores" / "online.db"
    path.write_text("not a database")
    publish(scored, NOW + DAY)
    assert times(scored) == []
