"""The recipes of docs/recipes.md, run as they stand against a real server with keys on."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.running_server import Server
from tests.serving.api.conftest import Tokens
from tests.serving.live_company import LiveCompany

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def environment(server: Server, tokens: Tokens, live_company: LiveCompany) -> dict[str, str]:
    return {
        **os.environ,
        "SETIA_URL": f"http://127.0.0.1:{server.port}",
        "SETIA_KEY": tokens.client,
        "CUSTOMER_ID": live_company.run.scores[0].customer_id,
        "TICKET_ID": "T-fresh",
        "OPENED_AT": (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="minutes"),
    }


def recipe(heading: str, language: str) -> str:
    """The first block in `language` under `heading`."""
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}")[1].split("\n## ")[0]
    return section.split(f"```{language}\n")[1].split("```")[0]


def run(command: list[str], environment: Mapping[str, str], folder: Path, **given: Any) -> str:
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, **given
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_gets_a_customer_a_list_and_a_file_and_sends_a_ticket(
    environment: dict[str, str], tmp_path: Path, live_company: LiveCompany
) -> None:
    recipe_text = recipe("curl", "sh").replace("\ncurl", "\necho; curl")
    told = run(["sh", "-e", "-c", recipe_text], environment, tmp_path)
    customer, page, *_, rescored = [json.loads(line) for line in told.splitlines() if line]
    assert customer["customer"]["customer_id"] == environment["CUSTOMER_ID"]
    assert all(each["risk_tier"] == "high" for each in page["customers"])
    rows = (tmp_path / "at_risk.csv").read_text().splitlines()
    assert len(rows) == len(live_company.run.scores) + 1
    assert rescored["company_cutoff"] == customer["cutoff"]


def test_python_syncs_every_score_and_skips_the_unknown(
    environment: dict[str, str], tmp_path: Path, live_company: LiveCompany
) -> None:
    scores = live_company.run.scores
    ids = "\n".join([*(score.customer_id for score in scores), "nobody"])
    command = [sys.executable, "-c", recipe("Python", "python")]
    rows = [row.split(",") for row in run(command, environment, tmp_path, input=ids).splitlines()]
    assert [(row[0], row[1]) for row in rows] == [(s.customer_id, s.risk_tier) for s in scores]


def test_python_says_what_the_service_says(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", recipe("Python", "python")]
    wrong = {**environment, "SETIA_KEY": "none"}
    done = subprocess.run(
        command, env=wrong, input="a", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("An API key is needed: send Authorization")


def test_javascript_reads_the_list_page_by_page(
    environment: dict[str, str], tmp_path: Path, live_company: LiveCompany
) -> None:
    script = recipe("JavaScript", "js").replace("limit: 50", "limit: 3")
    told = run(["node", "--input-type=module", "-e", script], environment, tmp_path)
    wanted = sum(score.churn_probability >= 0.3 for score in live_company.run.scores)
    assert [line.split()[0] for line in told.splitlines()] == [
        str(rank) for rank in range(1, wanted + 1)
    ]
    assert wanted > 3


def test_the_hubspot_action_fills_its_outputs(
    environment: dict[str, str], tmp_path: Path, live_company: LiveCompany
) -> None:
    (tmp_path / "action.js").write_text(recipe("HubSpot", "javascript"))
    call = (
        "const event = {inputFields: {customer_id: process.argv[1]}};"
        "require('./action.js').main(event, (said) => console.log(JSON.stringify(said)));"
    )
    score = live_company.run.scores[1]  # curl sends a ticket of the first
    told = json.loads(run(["node", "-e", call, score.customer_id], environment, tmp_path))
    assert told["outputFields"]["churn_risk"] == score.churn_probability
    assert told["outputFields"]["recommended_action"] == score.next_step
    nobody = json.loads(run(["node", "-e", call, "nobody/../x"], environment, tmp_path))
    assert nobody == {"outputFields": {}}


def test_the_zendesk_app_is_javascript_and_asks_for_members_that_there_are(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.js").write_text(recipe("Zendesk", "js"))
    run(["node", "--check", "app.js"], os.environ, tmp_path)
    json.loads(recipe("Zendesk", "json"))
    members = ("risk_tier", "churn_probability", "reasons", "next_step")
    assert set(members) <= set(served_schema("CustomerScore"))


def test_the_document_for_salesforce_is_part_of_the_served_one() -> None:
    short = json.loads(recipe("Salesforce", "json"))
    whole = json.loads((DOCS / "openapi.json").read_text())
    for path, methods in short["paths"].items():
        for method, operation in methods.items():
            assert whole["paths"][path][method]["operationId"] == operation["operationId"]
    for name, schema in short["components"]["schemas"].items():
        assert set(schema["properties"]) <= set(served_schema(name))


def served_schema(name: str) -> dict[str, Any]:
    """The members of a schema of the served document."""
    document = json.loads((DOCS / "openapi.json").read_text())
    return dict(document["components"]["schemas"][name]["properties"])


def test_the_named_operations_are_those_of_the_document() -> None:
    document = json.loads((DOCS / "openapi.json").read_text())
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    found = {operation["operationId"] for operation in operations}
    named = ("get_customer", "post_scores", "post_live", "post_events", "get_at_risk")
    for name in (*named, "export_at_risk", "get_models"):
        assert name in found
        assert f"`{name}`" in page
