"""Who is let in: keys, scopes and the loopback, before anything else is looked at."""

import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.api.access import OPEN_PATHS, KeyRing, is_open, scopes_enough
from serving.api.access_log import log_answer, start_access_log
from serving.database import Database
from serving.keys import SCOPES, list_keys, revoke_key, rotate_key
from tests.serving.operations import Place, new_key
from tests.serving.scored_company import Api, Company

SCORES = {"customer_ids": ["c_0001"]}


@pytest.fixture
def workspace(company: Company, tmp_path: Path) -> Path:
    return company.linked(tmp_path)


@pytest.fixture
def operations(workspace: Path) -> Iterator[Database]:
    database = Database(workspace)
    yield database
    database.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def refused(answer: Any, status: int, challenge: str) -> None:
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_without_any_key_the_loopback_is_open_and_says_so(workspace: Path) -> None:
    api = Api(workspace)
    assert api.post("/v1/scores", json=SCORES).status_code == 200
    assert "setia_api_keys_required 0.0" in api.get("/metrics").text
    assert not (workspace / "setia.db").exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.7"},
        {"forwarded": "for=203.0.113.7"},
        {"via": "1.1 proxy"},
        {"host": "rebound.example"},
        {"host": "127.0.0.1.example"},
    ],
)
def test_without_any_key_what_a_proxy_or_a_foreign_page_sends_is_refused(
    workspace: Path, headers: dict[str, str]
) -> None:
    refused(Api(workspace).get("/v1/models", headers=headers), 401, 'Bearer realm="setia"')


def test_without_any_key_another_address_than_the_loopback_is_refused(workspace: Path) -> None:
    api = Api(workspace)
    answer = api.get("http://10.0.0.5/v1/models", headers={"host": "127.0.0.1"})
    refused(answer, 401, 'Bearer realm="setia"')


def test_every_wrong_key_gets_the_same_401(workspace: Path, operations: Database) -> None:
    """Unknown, another's secret, revoked, expired: no difference tells which."""
    good, _ = new_key(operations)
    revoked, key = new_key(operations)
    revoke_key(operations, key.id, datetime.now(UTC))
    last_year = datetime.now(UTC) - timedelta(days=366)
    expired, _ = new_key(operations, now=last_year)
    api = Api(workspace)
    assert api.post("/v1/scores", json=SCORES, headers=bearer(good)).status_code == 200
    refused(api.post("/v1/scores", json=SCORES), 401, 'Bearer realm="setia"')
    unknown = f"setia_{'0' * 12}_{'a' * 43}"
    wrong = [revoked, expired, unknown, good[:-1] + "_", good.upper(), "", "x", "é" * 30, good * 9]
    bodies = []
    for token in wrong:
        answer = api.post(
            "/v1/scores", json=SCORES, headers={"authorization": b"Bearer " + token.encode()}
        )
        refused(answer, 401, 'Bearer realm="setia", error="invalid_token"')
        bodies.append({**answer.json(), "request_id": ""})
    assert all(body == bodies[0] for body in bodies)
    for kind in ("Basic", "Token", ""):
        answer = api.get("/v1/models", headers={"authorization": f"{kind} {good}"})
        assert answer.status_code == 401


def test_each_scope_opens_its_own_paths_only(workspace: Path, operations: Database) -> None:
    tokens = {scope: new_key(operations, scope)[0] for scope in SCOPES}
    api = Api(workspace)
    opens = {
        "/v1/customers/c_0001": {"score", "admin"},
        "/v1/at-risk": {"list", "admin"},
        "/v1/models": set(SCOPES),
    }
    for path, scopes in opens.items():
        for scope, token in tokens.items():
            answer = api.get(path, headers=bearer(token))
            assert answer.status_code == (200 if scope in scopes else 403), (path, scope)
    challenge = 'Bearer realm="setia", error="insufficient_scope", scope="list"'
    refused(api.get("/v1/at-risk", headers=bearer(tokens["score"])), 403, challenge)


def test_erasure_and_what_is_not_listed_need_admin() -> None:
    for method, path in (
        ("DELETE", "/v1/customers/c_0001"),
        ("GET", "/v1/new"),
        ("GET", "//v1/at-risk"),
        ("GET", "/v1"),
        ("GET", "/docs.json"),
        ("POST", "/V1/scores"),
    ):
        assert scopes_enough(method, path) == {"admin"}


def test_every_route_says_what_it_needs_in_the_document(workspace: Path) -> None:
    """A route whose path is not listed would need admin, which only erasure should."""
    document = Api(workspace).get("/v1/openapi.json").json()
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scopes = {scope for each in operation["security"] for scope in each["apiKey"]}
            needed = set() if is_open(path) else scopes_enough(method.upper(), path)
            assert scopes == needed
            assert method == "delete" or scopes != {"admin"}, path


def test_probes_and_the_document_need_no_key(workspace: Path, operations: Database) -> None:
    new_key(operations)
    api = Api(workspace)
    for path in OPEN_PATHS:
        assert api.get(path).status_code not in (401, 403)
    assert "setia_api_keys_required 1.0" in api.get("/metrics").text


def test_a_body_is_not_read_for_a_stranger(workspace: Path, operations: Database) -> None:
    new_key(operations)

    async def never() -> Any:
        raise AssertionError("the body was read")
        yield b""

    assert Api(workspace).post("/v1/scores", content=never()).status_code == 401


def test_no_page_of_another_site_may_ask(workspace: Path) -> None:
    """CORS is off: a preflight is refused and no answer allows an origin."""
    api = Api(workspace)
    preflight = {"origin": "https://crm.example", "access-control-request-method": "POST"}
    answer = api.send("OPTIONS", "/v1/scores", headers=preflight)
    assert answer.status_code == 405
    for told in (answer, api.get("/v1/models", headers={"origin": "https://crm.example"})):
        assert not [name for name in told.headers if name.startswith("access-control")]


def test_keys_made_rotated_and_revoked_are_noticed(database: Database) -> None:
    ring, now = KeyRing(database), datetime.now(UTC)
    ring.refresh()
    assert (ring.readable, ring.required) == (True, False)
    first, key = new_key(database)
    ring.refresh()
    assert ring.required
    assert ring.holder(first, now) == key
    second, _ = rotate_key(database, key.id, timedelta(hours=1), timedelta(days=9), now)
    ring.refresh()
    assert ring.holder(first, now)
    assert ring.holder(first, now + timedelta(hours=1)) is None
    revoke_key(database, key.id, now)
    ring.refresh()
    assert ring.holder(first, now) is None
    assert ring.holder(second, now)


def test_a_lost_database_opens_nothing(place: Place) -> None:
    """Known keys still hold, and keys stay required."""
    database = place.open()
    token, key = new_key(database)
    ring = KeyRing(database)
    ring.refresh()
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE api_keys RENAME TO mislaid")
    ring.refresh()
    assert ring.required
    assert ring.holder(token, datetime.now(UTC)) == key
    database.close()


def test_while_keys_cannot_be_read_the_answer_is_503(workspace: Path) -> None:
    (workspace / "setia.db").write_text("no database " * 500)
    answer = Api(workspace).get("/v1/models")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:setia:problem:keys-unknown"


def test_last_use_is_stored_when_the_worker_ends(database: Database) -> None:
    token, _ = new_key(database)
    ring, now = KeyRing(database), datetime.now(UTC)
    ring.refresh()
    ring.holder(token, now)
    ring.close()
    assert list_keys(database)[0].last_used_at == now


def test_a_key_is_checked_in_the_same_time_wherever_it_differs(database: Database) -> None:
    """The least processor time of many interleaved rounds: what else runs can only add to one."""
    token, key = new_key(database)
    ring, now = KeyRing(database), datetime.now(UTC)
    ring.refresh()
    start = len(f"setia_{key.id}_")
    other = "A" if token[start] != "A" else "B"
    last = "A" if token[-1] != "A" else "B"
    wrong = {
        "first character": token[:start] + other + token[start + 1 :],
        "last character": token[:-1] + last,
        "unknown key": f"setia_{'0' * 12}{token[18:]}",
    }
    seconds: dict[str, list[float]] = {name: [] for name in wrong}
    for _ in range(60):
        for name, given in wrong.items():
            began = time.thread_time()
            for _ in range(50):
                assert ring.holder(given, now) is None
            seconds[name].append(time.thread_time() - began)
    least = [min(each) for each in seconds.values()]
    assert max(least) < 1.3 * min(least)


def test_the_access_log_names_routes_and_no_customer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workspace: Path
) -> None:
    monkeypatch.setenv("SETIA_ACCESS_LOG", "true")
    logger = logging.getLogger("setia.access")
    start_access_log()
    try:
        api = Api(workspace)
        sent = {"x-request-id": "call-7"}
        api.get("/v1/customers/c_0001?secret=1", headers=sent)
        api.get("/c_0001/nothing", headers=sent)
    finally:
        logger.handlers.clear()
        logger.propagate = True
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["route"] for line in lines] == ["/v1/customers/{customer_id}", "other"]
    assert [line["status"] for line in lines] == [422, 404]
    assert all(line["request_id"] == "call-7" for line in lines)
    assert "c_0001" not in str(lines)
    assert "secret" not in str(lines)


def test_the_access_log_is_silent_until_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert not os.environ.get("SETIA_ACCESS_LOG")
    start_access_log()
    log_answer({"type": "http"}, 200, 0.1)
    assert capsys.readouterr().out == ""
