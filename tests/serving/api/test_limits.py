"""Rate limits: one bucket per key, however many workers take from it."""

import asyncio
from pathlib import Path

import pytest

from serving.api.limits import Limits, lease_tokens
from serving.api.problems import Problem
from serving.database import Database
from serving.keys import ApiKey
from tests.serving.operations import NOW, Place, new_key

MADE = NOW.timestamp()


def leased(database: Database, key: ApiKey, now: float) -> int:
    """All that the bucket gives at `now`."""
    total = 0
    while granted := lease_tokens(database, key, now).granted:
        total += granted
    return total


async def taken(limits: Limits, key: ApiKey, requests: int) -> tuple[int, list[Problem]]:
    """How many of so many requests at once pass, and what the others are told."""
    answers = await asyncio.gather(
        *(limits.take(key) for _ in range(requests)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Problem)]
    assert all(isinstance(answer, list | Problem) for answer in answers)
    return requests - len(refused), refused


def test_a_bucket_holds_a_minute_and_refills_steadily(database: Database) -> None:
    _, key = new_key(database, per_minute=600, now=NOW)
    assert leased(database, key, MADE) == 600
    assert leased(database, key, MADE + 0.05) == 0
    assert leased(database, key, MADE + 1) == 10
    assert leased(database, key, MADE + 31) == 300
    assert leased(database, key, MADE + 10_000) == 600


def test_a_clock_that_goes_back_gives_nothing_twice(database: Database) -> None:
    _, key = new_key(database, per_minute=60, now=NOW)
    assert leased(database, key, MADE + 100) == 60
    assert leased(database, key, MADE) == 0
    assert leased(database, key, MADE + 100) == 0
    assert leased(database, key, MADE + 110) == 10


def test_a_lease_is_a_hundredth(database: Database) -> None:
    _, key = new_key(database, per_minute=6_000, now=NOW)
    grant = lease_tokens(database, key, MADE)
    assert (grant.granted, grant.left) == (60, 5_940)


def test_two_workers_at_once_share_one_limit(place: Place) -> None:
    first, second = place.open(), place.open()
    _, key = new_key(first, per_minute=12)

    async def both() -> int:
        limits = [Limits(first), Limits(second)]
        passed = await asyncio.gather(*(taken(each, key, 20) for each in limits))
        return sum(count for count, _ in passed)

    # A refill of one every five seconds may add a few where the machine is slow.
    assert 12 <= asyncio.run(both()) <= 15
    first.close()
    second.close()


def test_what_is_over_the_limit_is_told_when_to_come_back(database: Database) -> None:
    _, key = new_key(database, per_minute=2)
    passed, refused = asyncio.run(taken(Limits(database), key, 5))
    assert passed == 2
    assert {problem.status for problem in refused} == {429}
    problem = refused[0]
    assert problem.slug == "quota-exceeded"
    wait = int(problem.headers["Retry-After"])
    assert 1 <= wait <= 30
    assert problem.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert problem.headers["ratelimit"].startswith('"default";r=0;t=')
    assert problem.headers["x-ratelimit-remaining"] == "0"


def test_the_headers_count_down(database: Database) -> None:
    _, key = new_key(database, per_minute=6_000)

    async def remaining() -> list[int]:
        limits = Limits(database)
        answers = [dict(await limits.take(key)) for _ in range(3)]
        assert answers[0][b"ratelimit-policy"] == b'"default";q=6000;w=60'
        assert answers[0][b"ratelimit"] == b'"default";r=5999;t=1'
        return [int(headers[b"x-ratelimit-remaining"]) for headers in answers]

    assert asyncio.run(remaining()) == [5_999, 5_998, 5_997]


def test_one_key_does_not_use_up_another(database: Database) -> None:
    (_, one), (_, other) = new_key(database, per_minute=1), new_key(database, per_minute=1)

    async def each() -> list[int]:
        limits = Limits(database)
        return [(await taken(limits, key, 3))[0] for key in (one, other)]

    assert asyncio.run(each()) == [1, 1]


def test_without_the_database_requests_pass(
    tmp_path: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys are still checked from memory; a limit is not worth an outage."""
    _, key = new_key(database, per_minute=300)
    (tmp_path / "setia.db").write_text("no database " * 500)
    lost = Database(tmp_path)
    assert asyncio.run(taken(Limits(lost), key, 5))[0] == 5
    assert "rate limits cannot be shared" in caplog.text
    lost.close()
