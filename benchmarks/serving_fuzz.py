"""Malformed requests over real HTTP: each must be refused by a problem document of the 4xx.

`python -m benchmarks.serving_fuzz workspace [requests] [seed]`, with API keys on.
"""

import json
import re
import socket
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.malformed import Malformed, Malformer
from benchmarks.serving_load import free_port, running
from serving.database import Database
from serving.keys import Scope, create_key

REQUESTS = 10_000
_MEDIA_TYPE = "application/problem+json"
_PATIENCE_SECONDS = 10.0
_SHOWN = 20


def main(workspace: Path, requests: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        token = linked_with_key(workspace, folder / "var")
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Setia"]
        settings = {"SETIA_WORKSPACE": str(folder / "var"), "BENTOML_HOME": str(folder)}
        with running([*command, "--port", str(port)], port, settings, "/readyz"):
            refused, faults = ask_all(port, Malformer(token, seed), requests)
    for (kind, status), count in sorted(refused.items()):
        print(f"{kind:12} {status} {count:6}")
    for fault in faults[:_SHOWN]:
        print(fault)
    print(
        f"{requests} malformed requests, seed {seed}: {len(faults)} not refused as they should be"
    )
    return 1 if faults else 0


def linked_with_key(source: Path, workspace: Path) -> str:
    """A workspace of what `source` holds, with a database of its own, and its only API key."""
    workspace.mkdir(parents=True)
    for entry in source.iterdir():
        if ".db" not in entry.name:
            (workspace / entry.name).symlink_to(entry.resolve())
    return new_key(workspace)


def new_key(workspace: Path) -> str:
    """An API key that opens everything and has hardly a limit."""
    database, now = Database(workspace), datetime.now(UTC)
    expires = now + timedelta(days=1)
    scopes: tuple[Scope, ...] = ("admin",)
    token, _ = create_key(database, "benchmark", scopes, 1_000_000_000, expires, now)
    database.close()
    return token


def ask_all(
    port: int, malformer: Malformer, requests: int
) -> tuple[Counter[tuple[str, int]], list[str]]:
    """How many of each kind got each status, and what was answered wrongly."""
    refused: Counter[tuple[str, int]] = Counter()
    faults = []
    for malformed in malformer.requests(requests):
        status, wrong = _verdict(_answer(port, malformed.message))
        refused[malformed.kind, status] += 1
        if wrong:
            faults.append(_told(malformed, wrong))
    return refused, faults


def _answer(port: int, message: bytes) -> bytes:
    """All that the server says on a connection of its own, up to the end of its answer."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS) as connection:
        # A server that refuses early may close before all is sent.
        with suppress(ConnectionError):
            connection.sendall(message)
        with suppress(ConnectionError):
            while not _is_whole(said) and (part := connection.recv(1 << 16)):
                said += part
    return said


def _is_whole(said: bytes) -> bool:
    head, found, body = said.partition(b"\r\n\r\n")
    size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return bool(found) and size is not None and len(body) >= int(size[1])


def _verdict(said: bytes) -> tuple[int, str]:
    """The status, and what keeps the answer from being a problem document of the 4xx, if aught."""
    head, _, body = said.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0
    if not 400 <= status < 500:
        return status, f"status {status}"
    if f"content-type: {_MEDIA_TYPE}".encode() not in head.lower():
        return status, "no problem document"
    document = json.loads(body)
    if document["status"] != status or not document["title"] or not document["detail"]:
        return status, "a problem document that says nothing"
    return status, "shows the inside" if "Traceback" in document["detail"] else ""


def _told(malformed: Malformed, wrong: str) -> str:
    message = re.sub(rb"Bearer \S+", b"Bearer ...", malformed.message)
    return f"{malformed.kind}: {wrong}: {message[:400]!r}"


if __name__ == "__main__":
    workspace, *numbers = sys.argv[1:]
    requests, seed = [*map(int, numbers), *(REQUESTS, 1)[len(numbers) :]]
    raise SystemExit(main(Path(workspace), requests, seed))
