"""A server process over real HTTP on the loopback, ended with all its children."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

PATIENCE_SECONDS = 90.0


class Server:
    """A started server, told to end when it takes longer than `patience` seconds."""

    def __init__(
        self, command: Sequence[str], folder: Path, settings: Mapping[str, str], patience: float
    ) -> None:
        self.port = free_port()
        self.log = ""
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=folder,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        # Read all the time, since a server stands still once nobody takes its log.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._patience = threading.Timer(patience, self.process.terminate)
        self._patience.start()

    def until(self, text: str) -> None:
        """Read the log up to a line with `text`."""
        while (line := self._lines.get()) is not None:
            self.log += line
            if text in line:
                return
        pytest.fail(f"the server ended before it said {text!r}:\n{self.log}")

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = json.dumps(body) if body is not None else None
            sent = {"content-type": "application/json", **(headers or {})}
            connection.request(method, path, text, sent)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """End the server; the log closes once every process that holds it has ended."""
        self._patience.cancel()
        # Each worker leads a session of its own; only its parent can be asked who they are.
        started = psutil.Process(self.process.pid)
        family = [*started.children(recursive=True), started]
        self.process.terminate()
        self._reader.join(timeout=30)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self._reader.join()
        while not self._lines.empty():
            self.log += self._lines.get() or ""

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as log:
            for line in log:
                self._lines.put(line)
        self._lines.put(None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    settings: Mapping[str, str],
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Server]:
    """The server once it answers, until the block ends."""
    server = Server(command, folder, {**settings, "BENTOML_DO_NOT_TRACK": "True"}, patience)
    try:
        server.until("Service setia initialized")
        yield server
    finally:
        server.stop()
