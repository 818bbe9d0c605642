"""A write that is sent again is answered again and not done again, as the draft has it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends
from starlette.responses import JSONResponse, Response

from serving.api.idempotency import idempotency_key
from serving.api.kept_answers import CLAIMED, KEPT, KeptAnswers
from serving.api.problems import Problem
from serving.api.remembered import Asked, Kept
from serving.database import Database
from tests.serving.operations import NOW
from tests.serving.scored_company import Api

ASKED = Asked("local", "k-1", "POST /v1/outcomes", "0" * 64)
ANSWER = Kept(201, {"content-type": "application/json"}, b'{"stored":1}')


class Ledger(Api):
    """The API with a route that writes: it counts how often it was done."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(workspace)
        self.done = 0
        self.statuses: list[int] = []
        keyed = [Depends(idempotency_key)]
        self.app.add_api_route("/v1/ledger", self._write, methods=["POST"], dependencies=keyed)

    async def _write(self, body: dict[str, Any]) -> Response:
        self.done += 1
        await asyncio.sleep(0)
        status = self.statuses.pop() if self.statuses else 201
        if status == 500:
            raise RuntimeError("of the inside")
        return JSONResponse({"done": self.done, **body}, status, {"Location": "/v1/ledger/1"})

    def write(self, key: str | None, body: object, **headers: str) -> httpx.Response:
        given = {"idempotency-key": key} if key is not None else {}
        return self.post("/v1/ledger", json=body, headers={**given, **headers})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "var")
    yield ledger
    ledger.app.state.database.close()


def problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status
    assert answer.json()["type"] == f"urn:setia:problem:{slug}"


def test_the_same_request_is_done_once_and_answered_alike(ledger: Ledger) -> None:
    first, again = (ledger.write("k-1", {"order": 7}) for _ in range(2))
    assert ledger.done == 1
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["location"] == again.headers["location"]
    assert first.headers["content-type"] == again.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


def test_the_answer_outlives_the_service(tmp_path: Path) -> None:
    before = Ledger(tmp_path)
    first = before.write("k-1", {"order": 7})
    before.app.state.database.close()
    after = Ledger(tmp_path)
    again = after.write("k-1", {"order": 7})
    assert after.done == 0
    assert again.content == first.content
    after.app.state.database.close()


def test_a_write_without_a_key_is_refused_and_one_that_reads_needs_none(ledger: Ledger) -> None:
    problem(ledger.write(None, {}), 400, "idempotency-key-missing")
    assert ledger.done == 0
    assert ledger.post("/v1/scores", json={"customer_ids": ["a"]}).status_code == 503


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, 'a"b', "\t"])
def test_what_cannot_be_a_key_is_refused(ledger: Ledger, key: str) -> None:
    headers = {"idempotency-key": key.encode()}
    answer = ledger.post("/v1/ledger", json={}, headers=headers)
    problem(answer, 400, "idempotency-key-invalid")
    assert ledger.done == 0


def test_a_key_is_the_same_with_and_without_the_quotes_of_the_draft(ledger: Ledger) -> None:
    ledger.write('"8e03978e-40d5"', {})
    ledger.write("8e03978e-40d5", {})
    assert ledger.done == 1


def test_the_same_key_with_another_request_is_refused(ledger: Ledger) -> None:
    ledger.write("k-1", {"order": 7})
    problem(ledger.write("k-1", {"order": 8}), 422, "idempotency-key-reused")
    other = ledger.post("/v1/ledger?x=1", json={"order": 7}, headers={"idempotency-key": "k-1"})
    problem(other, 422, "idempotency-key-reused")
    assert ledger.done == 1


def test_while_the_first_is_running_the_second_waits_its_turn(ledger: Ledger) -> None:
    async def together() -> list[httpx.Response]:
        options = {"json": {"order": 7}, "headers": {"idempotency-key": "k-1"}}
        asked = [ledger._send("POST", "/v1/ledger", options) for _ in range(8)]
        return await asyncio.gather(*asked)

    answers = asyncio.run(together())
    assert ledger.done == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "idempotency-key-in-use")
            assert answer.headers["retry-after"] == "1"
    assert ledger.write("k-1", {"order": 7}).status_code == 201
    assert ledger.done == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_failed_on_our_side_may_be_tried_again(ledger: Ledger, status: int) -> None:
    ledger.statuses = [status]
    assert ledger.write("k-1", {}).status_code == status
    assert ledger.write("k-1", {}).status_code == 201
    assert ledger.done == 2


def test_a_path_of_odd_characters_is_no_trouble(ledger: Ledger) -> None:
    for path in ("/v1/%00", "/v1/%ff", "/v1/" + "x" * 3_000):
        assert ledger.post(path, json={}, headers={"idempotency-key": path[:99]}).status_code == 404


def test_a_refusal_is_an_answer_too(ledger: Ledger) -> None:
    ledger.statuses = [404]
    assert [ledger.write("k-1", {}).status_code for _ in range(2)] == [404, 404]
    assert ledger.done == 1


def test_without_the_database_nothing_is_done(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    (tmp_path / "setia.db").write_text("no database " * 500)
    assert ledger.write("k-1", {}).status_code == 503
    assert ledger.done == 0


def test_an_answer_is_kept_a_day(database: Database) -> None:
    answers = KeptAnswers(database)
    assert answers.claim(ASKED, NOW) is None
    answers.keep(ASKED, ANSWER, NOW)
    assert answers.claim(ASKED, NOW + KEPT - timedelta(seconds=1)) == ANSWER
    assert answers.claim(ASKED, NOW + KEPT) is None


def test_a_claim_whose_worker_died_ends(database: Database) -> None:
    answers = KeptAnswers(database)
    assert answers.claim(ASKED, NOW) is None
    with pytest.raises(Problem) as running:
        answers.claim(ASKED, NOW + CLAIMED - timedelta(seconds=1))
    assert running.value.status == 409
    assert answers.claim(ASKED, NOW + CLAIMED) is None


def test_callers_do_not_share_keys(database: Database) -> None:
    answers = KeptAnswers(database)
    assert answers.claim(ASKED, NOW) is None
    answers.keep(ASKED, ANSWER, NOW)
    other = Asked("another", ASKED.key, ASKED.request, "1" * 64)
    assert answers.claim(other, NOW) is None
