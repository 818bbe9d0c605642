"""Keys, limits and idempotency over real HTTP: two service processes on one workspace."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.database import Database
from serving.keys import revoke_key
from tests.running_server import PATIENCE_SECONDS, Server
from tests.serving.operations import new_key
from tests.serving.scored_company import Company
from tests.serving.test_service import REPOSITORY, serving

SCORES = {"customer_ids": ["c_0001"]}


@pytest.fixture(scope="module")
def workspace(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return company.linked(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def operations(workspace: Path) -> Iterator[Database]:
    database = Database(workspace)
    yield database
    database.close()


@pytest.fixture(scope="module")
def tokens(operations: Database) -> dict[str, str]:
    """Keys of every kind, made before the services start."""
    revoked, key = new_key(operations)
    revoke_key(operations, key.id, datetime.now(UTC))
    return {
        "good": new_key(operations)[0],
        "listing": new_key(operations, "list")[0],
        "revoked": revoked,
        "expired": new_key(operations, now=datetime.now(UTC) - timedelta(days=400))[0],
        "limited": new_key(operations, per_minute=20)[0],
    }


@pytest.fixture(scope="module")
def servers(
    workspace: Path, tokens: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SETIA_ACCESS_LOG", "true")
        homes = (tmp_path_factory.mktemp("bentoml") for _ in range(2))
        yield [stack.enter_context(serving(workspace, home)) for home in homes]


def ask(server: Server, token: str, body: object = SCORES, **headers: str) -> tuple[int, bytes]:
    sent = {"authorization": f"Bearer {token}", **headers}
    response, answer = server.ask("POST", "/v1/scores", body, sent)
    return response.status, answer


def test_each_key_gets_its_status(servers: list[Server], tokens: dict[str, str]) -> None:
    wrong = tokens["good"][:-1] + ("A" if tokens["good"][-1] != "A" else "B")
    expected = {"good": 200, "listing": 403, "revoked": 401, "expired": 401}
    for server in servers:
        for name, status in expected.items():
            assert ask(server, tokens[name])[0] == status, name
        assert ask(server, wrong)[0] == 401
        response, _ = server.ask("POST", "/v1/scores", SCORES)
        assert response.status == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="setia"'
        for probe in ("/livez", "/readyz", "/healthz", "/metrics"):
            assert server.ask("GET", probe)[0].status == 200


def test_a_key_made_or_revoked_counts_within_seconds(
    servers: list[Server], operations: Database
) -> None:
    token, key = new_key(operations)

    def seconds_until(status: int) -> float:
        began = time.monotonic()
        while ask(servers[0], token)[0] != status:
            assert time.monotonic() - began < 10
            time.sleep(0.1)
        return time.monotonic() - began

    assert seconds_until(200) < 5
    revoke_key(operations, key.id, datetime.now(UTC))
    assert seconds_until(401) < 5


def test_a_limit_holds_across_processes(servers: list[Server], tokens: dict[str, str]) -> None:
    began = time.monotonic()
    answers = [ask(servers[turn % 2], tokens["limited"]) for turn in range(60)]
    refilled = (time.monotonic() - began) * 20 / 60
    passed = sum(status == 200 for status, _ in answers)
    assert 20 <= passed <= 20 + refilled + 1
    refused = [json.loads(body) for status, body in answers if status == 429]
    assert len(refused) == 60 - passed
    assert refused[0]["type"] == "urn:setia:problem:quota-exceeded"


def test_an_answer_is_replayed_by_another_process_and_after_a_restart(
    servers: list[Server], tokens: dict[str, str], workspace: Path, tmp_path: Path
) -> None:
    sent = {"idempotency-key": "nightly-1"}
    first = ask(servers[0], tokens["good"], **sent)
    assert first[0] == 200
    assert ask(servers[1], tokens["good"], **sent) == first
    assert ask(servers[1], tokens["good"], {"customer_ids": ["c_0002"]}, **sent)[0] == 422
    with serving(workspace, tmp_path) as restarted:
        headers = {"authorization": f"Bearer {tokens['good']}", **sent}
        response, again = restarted.ask("POST", "/v1/scores", SCORES, headers)
        assert (response.status, again) == first
        assert response.headers["idempotency-replayed"] == "true"


def test_under_a_server_with_a_protocol_of_its_own_nothing_is_open(
    workspace: Path, tokens: dict[str, str], tmp_path: Path
) -> None:
    """The guard stands before BentoML by the protocol, and once more inside of it."""
    code = (
        "import sys, uvicorn; from serving.service import Setia; "
        "uvicorn.run(Setia.to_asgi(), http='h11', port=int(sys.argv[2]))"
    )
    settings = {"SETIA_WORKSPACE": str(workspace), "BENTOML_HOME": str(tmp_path)}
    server = Server([sys.executable, "-c", code], REPOSITORY, settings, PATIENCE_SECONDS)
    try:
        server.until("Uvicorn running")
        assert server.ask("POST", "/v1/scores", SCORES)[0].status == 401
        assert ask(server, tokens["revoked"])[0] == 401
        assert ask(server, tokens["good"])[0] == 200
        assert ask(server, tokens["good"], {"customer_ids": [1]})[0] == 422
    finally:
        server.stop()


def test_the_access_log_is_json_without_customers_or_keys(
    servers: list[Server], tokens: dict[str, str]
) -> None:
    """Asked last, since reading the log to its end ends the server."""
    server = servers[1]
    headers = {"authorization": f"Bearer {tokens['good']}", "x-request-id": "last-one"}
    assert server.ask("GET", "/v1/customers/c_0007", headers=headers)[0].status == 200
    server.until("last-one")
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    assert lines[-1]["route"] == "/v1/customers/{customer_id}"
    assert lines[-1]["status"] == 200
    assert lines[-1]["key"] == tokens["good"].split("_")[1]
    assert "c_0007" not in server.log
    assert not [name for name, token in tokens.items() if token in server.log]
