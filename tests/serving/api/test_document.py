"""The service keeps to its OpenAPI document: schemathesis asks it over real HTTP, with keys."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.api.app import openapi_text
from serving.database import Database
from tests.running_server import Server
from tests.serving.live_company import LiveCompany, score_live_company
from tests.serving.operations import new_key
from tests.serving.scored_company import Api
from tests.serving.test_service import serving

CONFIGURED = Path(__file__).with_name("schemathesis.toml")
SECONDS = int(os.environ.get("SETIA_SCHEMATHESIS_SECONDS", "0"))
"""How long schemathesis looks for a failure; 1200 is the long run, 0 a few examples each."""


@pytest.fixture(scope="module")
def live_company(tmp_path_factory: pytest.TempPathFactory) -> LiveCompany:
    return score_live_company(tmp_path_factory.mktemp("document"), 60)


@pytest.fixture(scope="module")
def token(live_company: LiveCompany) -> str:
    database = Database(live_company.config.workspace)
    made, _ = new_key(database, "admin", per_minute=10_000_000)
    database.close()
    return made


@pytest.fixture(scope="module")
def server(
    live_company: LiveCompany, token: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("bentoml")
    with serving(live_company.config.workspace, home, patience=SECONDS + 300) as answering:
        yield answering


@pytest.fixture
def document(live_company: LiveCompany) -> dict[str, Any]:
    return dict(Api(live_company.config.workspace).get("/v1/openapi.json").json())


def test_every_answer_is_the_documented_one(server: Server, token: str, tmp_path: Path) -> None:
    """All checks; examples, coverage, fuzzing, and sequences of calls along the links."""
    options = {
        "--header": f"Authorization: Bearer {token}",
        "--checks": "all",
        **({"--max-time": str(SECONDS)} if SECONDS else {"--max-examples": "4"}),
        "--seed": "7",
        "--generation-database": "none",
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURED), "run"]
    command += [part for option in options.items() for part in option]
    address = f"http://127.0.0.1:{server.port}/v1/openapi.json"
    told = subprocess.run(
        [*command, "--continue-on-failure", "--no-color", address],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in told.stdout


def test_the_committed_document_is_the_served_one(document: dict[str, Any]) -> None:
    committed = (Path(__file__).parents[3] / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert json.loads(committed) == document
    assert committed == openapi_text(), "write docs/openapi.json anew with `make openapi`"


def test_every_link_leads_to_an_operation(document: dict[str, Any]) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    links = [
        link
        for operation in operations
        for link in operation["responses"]["200"].get("links", {}).values()
    ]
    assert {link["operationId"] for link in links} == {"get_at_risk", "get_customer", "post_scores"}
    assert {link["operationId"] for link in links} <= set(names)
