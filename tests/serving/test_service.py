"""The BentoML service over real HTTP on the loopback."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running_server import PATIENCE_SECONDS, Server, running
from tests.serving.scored_company import Company

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def serving(workspace: Path, home: Path, patience: float = PATIENCE_SECONDS) -> Iterator[Server]:
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Setia"]
    settings = {"SETIA_WORKSPACE": str(workspace), "BENTOML_HOME": str(home)}
    with running(command, REPOSITORY, settings, patience) as server:
        yield server


@pytest.fixture(scope="module")
def server(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(company.workspace, tmp_path_factory.mktemp("bentoml")) as answering:
        yield answering


def test_scores_over_http_are_those_of_the_batch(server: Server, company: Company) -> None:
    ids = [score.customer_id for score in company.scores]
    response, body = server.ask("POST", "/v1/scores", {"customer_ids": ids})
    assert response.status == 200
    for served, score in zip(json.loads(body)["results"], company.scores, strict=True):
        assert served["churn_probability"] == pytest.approx(score.churn_probability, abs=1e-9)
        assert served["clv"] == pytest.approx(score.clv, abs=1e-9)


def test_probes_metrics_and_both_documents_answer(server: Server) -> None:
    server.ask("GET", "/v1/customers/c_0001")
    for path in ("/livez", "/readyz", "/healthz", "/docs.json"):
        assert server.ask("GET", path)[0].status == 200
    assert json.loads(server.ask("GET", "/v1/openapi.json")[1])["openapi"].startswith("3.1")
    metrics = server.ask("GET", "/metrics")[1].decode()
    assert 'route="/v1/customers/{customer_id}"' in metrics
    assert "c_0001" not in metrics


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/nothing", 404), ("PUT", "/v1/scores", 405)],
)
def test_errors_of_bentoml_itself_are_problem_documents(
    server: Server, method: str, path: str, status: int
) -> None:
    response, body = server.ask(method, path)
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(body)["request_id"] == response.headers["x-request-id"]


def test_it_listens_on_the_loopback_only(server: Server) -> None:
    """Every address but the loopback's refuses the connection."""
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("needs /proc/net/tcp")
    port = f"{server.port:04X}"
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    addresses = {row[1] for row in rows if row[1].endswith(f":{port}") and row[3] == "0A"}
    assert addresses == {f"0100007F:{port}"}


def test_without_scores_it_lives_but_is_not_ready_until_they_arrive(
    company: Company, tmp_path: Path
) -> None:
    workspace = tmp_path / "var"
    with serving(workspace, tmp_path) as server:
        assert server.ask("GET", "/livez")[0].status == 200
        response, body = server.ask("GET", "/readyz")
        assert response.status == 503
        assert json.loads(body)["status"] == 503
        assert b"setia train --promote" in server.ask("GET", "/v1/at-risk")[1]
        workspace.symlink_to(company.workspace)
        server.until("serving 300 customers")
        assert server.ask("GET", "/readyz")[0].status == 200
    assert "Traceback" not in server.log
