"""Every error is a problem document that says what to do and shows nothing of the inside."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from serving.api.guard import MAX_BODY_BYTES
from tests.serving.scored_company import Api

JSON = {"content-type": "application/json"}


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


def test_a_path_nobody_serves(api: Api) -> None:
    assert "openapi.json" in problem(api.get("/v2/scores"), 404)["detail"]


def test_a_method_the_path_does_not_take(api: Api) -> None:
    answer = api.send("DELETE", "/v1/scores")
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_a_body_that_is_not_json(api: Api) -> None:
    answer = api.post("/v1/scores", content=b'{"customer_ids": [', headers=JSON)
    assert "not JSON" in problem(answer, 400)["detail"]


def test_a_body_nested_deeper_than_any_parser_goes(api: Api) -> None:
    problem(api.post("/v1/scores", content=b"[" * 100_000, headers=JSON), 400)


def test_a_body_of_another_media_type(api: Api) -> None:
    answer = api.post("/v1/scores", content=b"a,b", headers={"content-type": "text/csv"})
    assert "application/json" in problem(answer, 415)["detail"]


@pytest.mark.parametrize(
    ("body", "location", "detail"),
    [
        ({}, "", "either customer_ids or customers"),
        ({"customer_ids": [], "customers": []}, "", "either customer_ids or customers"),
        ({"customer_ids": ["a"], "expain": True}, "/expain", "not known here"),
        ({"customer_ids": [7]}, "/customer_ids/0", "valid string"),
        ({"customer_ids": [""]}, "/customer_ids/0", "at least 1 character"),
        ({"customer_ids": ["a"] * 10_001}, "/customer_ids", "at most 10000 items"),
        ({"customer_ids": ["a"], "explain": "yes"}, "/explain", "valid boolean"),
        ({"customers": [{"customer_id": "a"}]}, "/customers/0/features", "Field required"),
        (
            {"customers": [{"customer_id": "a", "features": {"a/b~c": True}}]},
            "/customers/0/features/a~1b~0c",
            "finite number, text or null",
        ),
        ({"customers": [{"customer_id": "a", "features": {}}] * 501}, "", "at most 500"),
    ],
)
def test_a_request_that_is_not_valid_names_the_place(
    api: Api, body: dict[str, Any], location: str, detail: str
) -> None:
    (error,) = problem(api.post("/v1/scores", json=body), 422)["errors"]
    assert error["location"] == location
    assert detail in error["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_not_finite_is_refused(api: Api, number: str) -> None:
    body = f'{{"customers":[{{"customer_id":"a","features":{{"orders_frequency":{number}}}}}]}}'
    answer = api.post("/v1/scores", content=body.encode(), headers=JSON)
    (error,) = problem(answer, 422)["errors"]
    assert error["location"] == "/customers/0/features/orders_frequency"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("tier=severe", "tier"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("min_probability=1.5", "min_probability"),
        ("min_value=nan", "min_value"),
        ("tire=high", "tire"),
        ("format=xml", "format"),
    ],
)
def test_a_query_that_is_not_valid_names_the_parameter(api: Api, query: str, name: str) -> None:
    (error,) = problem(api.get(f"/v1/at-risk?{query}"), 422)["errors"]
    assert error["location"] == name


def test_a_body_that_is_too_large_by_its_own_word(api: Api) -> None:
    headers = {**JSON, "content-length": str(MAX_BODY_BYTES + 1)}
    answer = api.post("/v1/scores", content=b"{}", headers=headers)
    assert "several calls" in problem(answer, 413)["detail"]


def test_a_body_that_turns_out_too_large(api: Api) -> None:
    async def endless() -> Any:
        for _ in range(MAX_BODY_BYTES // 2**20 + 1):
            yield b" " * 2**20

    problem(api.post("/v1/scores", content=endless(), headers=JSON), 413)


def test_an_empty_workspace_answers_503_with_the_command(tmp_path: Path) -> None:
    api = Api(tmp_path)
    for path in ("/v1/customers/a", "/v1/at-risk", "/v1/models"):
        document = problem(api.get(path), 503)
        assert "run `setia train --promote`" in document["detail"]
        assert str(tmp_path) not in str(document)


@pytest.fixture
def broken(tmp_path: Path) -> Api:
    api = Api(tmp_path)

    async def fail() -> None:
        raise RuntimeError("secret of the inside")

    api.app.add_api_route("/fail", fail)
    return api


def test_a_failure_of_ours_shows_nothing_of_the_inside(
    broken: Api, caplog: pytest.LogCaptureFixture
) -> None:
    answer = broken.get("/fail", headers={"x-request-id": "trace-7"})
    document = problem(answer, 500)
    assert "secret" not in answer.text
    assert document["request_id"] == "trace-7"
    assert "request trace-7 failed" in caplog.text


def test_an_answer_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serving.api.guard.ANSWER_SECONDS", 0.05)
    api = Api(tmp_path)
    given_up: list[bool] = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.append(True)

    api.app.add_api_route("/never", never)
    assert "fewer customers" in problem(api.get("/never"), 504)["detail"]
    assert given_up
    assert "took more than" in caplog.text


def test_an_answer_that_has_begun_may_take_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.api.guard.ANSWER_SECONDS", 0.05)
    api = Api(tmp_path)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"part "
            await asyncio.sleep(0.05)

    async def export() -> StreamingResponse:
        return StreamingResponse(parts())

    api.app.add_api_route("/export", export, response_model=None)
    answer = api.get("/export")
    assert (answer.status_code, answer.text) == (200, "part " * 4)


def test_a_request_id_comes_back_when_it_is_one_and_is_made_when_it_is_not(api: Api) -> None:
    given = api.get("/v1/models", headers={"x-request-id": "abc.DEF-1:2_3"})
    assert given.headers["x-request-id"] == "abc.DEF-1:2_3"
    for odd in ("a b", "x" * 129, "<script>", ""):
        made = api.get("/v1/models", headers={"x-request-id": odd}).headers["x-request-id"]
        assert made.startswith("req_")
        assert made != odd
