"""The BentoML service over real HTTP on the loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.serving.scored_company import Company

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 90.0


class Server:
    """`bentoml serve` over one workspace, killed when it takes longer than PATIENCE_SECONDS."""

    def __init__(self, workspace: Path, home: Path) -> None:
        self.port = free_port()
        self.log = ""
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Setia"]
        settings = {
            "SETIA_WORKSPACE": str(workspace),
            "BENTOML_HOME": str(home),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=REPOSITORY,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._patience = threading.Timer(PATIENCE_SECONDS, self._end, [signal.SIGKILL])
        self._patience.start()

    def until(self, text: str) -> None:
        """Read the log up to a line with `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line
            if text in line:
                return
        pytest.fail(f"the server ended before it said {text!r}:\n{self.log}")

    def ask(self, method: str, path: str, body: object = None) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"content-type": "application/json"})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        self._patience.cancel()
        self._end(signal.SIGTERM)
        try:
            self.log += self.process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            self._end(signal.SIGKILL)
            raise

    def _end(self, how: signal.Signals) -> None:
        """Signal the server and its workers, which are a process group of their own."""
        os.killpg(self.process.pid, how)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(workspace: Path, home: Path) -> Iterator[Server]:
    server = Server(workspace, home)
    try:
        server.until("Service setia initialized")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(company.workspace, tmp_path_factory.mktemp("bentoml")) as running:
        yield running


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
