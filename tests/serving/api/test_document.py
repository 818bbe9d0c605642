"""The service keeps to its OpenAPI document: schemathesis asks it over real HTTP, with keys."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.api.app import openapi_text
from tests.running_server import Server
from tests.serving.api.conftest import SCHEMATHESIS_SECONDS, Tokens
from tests.serving.live_company import LiveCompany
from tests.serving.scored_company import Api

CONFIGURED = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def document(live_company: LiveCompany) -> dict[str, Any]:
    return dict(Api(live_company.config.workspace).get("/v1/openapi.json").json())


def test_every_answer_is_the_documented_one(server: Server, tokens: Tokens, tmp_path: Path) -> None:
    """All checks; examples, coverage, fuzzing, and sequences of calls along the links."""
    options = {
        "--header": f"Authorization: Bearer {tokens.admin}",
        "--checks": "all",
        **(
            {"--max-time": str(SCHEMATHESIS_SECONDS)}
            if SCHEMATHESIS_SECONDS
            else {"--max-examples": "4"}
        ),
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
