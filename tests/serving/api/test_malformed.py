"""Whatever is malformed is refused by a problem document, over real HTTP with keys on."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.malformed import Malformer
from benchmarks.serving_fuzz import ask_all, linked_with_key
from tests.running_server import Server
from tests.serving.live_company import score_live_company
from tests.serving.test_service import serving

REQUESTS = 600
"""`python -m benchmarks.serving_fuzz` sends 10,000."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return score_live_company(tmp_path_factory.mktemp("fuzz"), 40).config.workspace


@pytest.fixture(scope="module")
def token(workspace: Path) -> str:
    return linked_with_key(workspace, workspace.with_name("linked"))


@pytest.fixture(scope="module")
def server(
    workspace: Path, token: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(workspace.with_name("linked"), tmp_path_factory.mktemp("bentoml")) as answering:
        yield answering


def read(connection: socket.socket) -> bytes:
    """All that the server says until it closes."""
    said = b""
    with suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            said += part
    return said


def test_every_malformed_request_is_refused_by_a_problem(server: Server, token: str) -> None:
    refused, faults = ask_all(server.port, Malformer(token, seed=3), REQUESTS)
    assert not faults, "\n".join(faults)
    assert refused.total() == REQUESTS
    assert {400, 401, 404, 405, 415, 422, 431} == {status for _, status in refused}


@pytest.mark.parametrize(
    "sized", ["Content-Length: 104857600", "Expect: 100-continue\r\nContent-Length: 104857600"]
)
def test_a_body_of_100_mb_is_refused_before_it_is_sent(
    server: Server, token: str, sized: str
) -> None:
    head = (
        f"POST /v1/scores HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{sized}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(head.encode())
        said = read(connection)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert re.search(rb"(?i)connection: close", said)


def test_a_body_of_100_mb_in_chunks_is_not_read_to_its_end(server: Server, token: str) -> None:
    head = f"POST /v1/scores HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    part, sent = b"100000\r\n" + b" " * (1 << 20) + b"\r\n", 0
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(part)
                sent += 1
        said = read(connection)
    assert said.startswith(b"HTTP/1.1 413 ") or not said
    assert sent < 60


def test_a_request_to_become_a_websocket_is_answered_as_one_of_http(
    server: Server, token: str
) -> None:
    asked = (
        f"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(asked.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
