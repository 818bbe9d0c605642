"""Load on an HTTP server over the loopback, and what the kernel says its processes spent."""

import asyncio
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
import uvloop

PATIENCE_SECONDS = 120.0

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Call:
    """A request to repeat; each `{}` in path and body becomes the id of the next customer."""

    path: str
    body: str | None = None
    token: str | None = None
    """The API key."""

    def message(self, customer_id: str) -> bytes:
        """The request's bytes for one customer."""
        path = self.path.replace("{}", customer_id)
        key = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        if self.body is None:
            return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{key}\r\n".encode()
        body = self.body.replace("{}", customer_id)
        return (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        ).encode()


@dataclass(frozen=True)
class Load:
    """What a run of requests cost."""

    cpu: float
    """Microseconds of the server's processes for each request."""
    p50: float
    p99: float
    """Milliseconds on the wall."""
    failed: int


class Server:
    """A server's process on a port of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def cpu_seconds(self) -> float:
        """Processor time so far of the server, its children and all their threads."""
        started = psutil.Process(self.process.pid)
        return sum(map(_busy, [started, *started.children(recursive=True)]))

    def load(self, call: Call, ids: Sequence[str], connections: int, requests: int) -> Load:
        """Send `requests` over so many kept connections, a tenth as many before to warm up."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._load(call, ids, connections, requests))

    async def _load(self, call: Call, ids: Sequence[str], connections: int, requests: int) -> Load:
        streams = [
            await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26)
            for _ in range(connections)
        ]
        await _send(streams, call, ids, max(requests // 10, connections))
        before = self.cpu_seconds()
        times, failed = await _send(streams, call, ids, requests)
        busy = self.cpu_seconds() - before
        for _, writer in streams:
            writer.close()
        ordered = sorted(times)
        return Load(
            busy / len(times) * 1e6,
            statistics.median(ordered) * 1e3,
            ordered[len(ordered) * 99 // 100] * 1e3,
            failed,
        )


@contextmanager
def running(
    command: Sequence[str], port: int, settings: Mapping[str, str], ready: str
) -> Iterator[Server]:
    """The server from when `ready`, a path, answers 200 until the block ends."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = [psutil.Process(process.pid)]
    try:
        _until_ready(process, port, ready)
        family += family[0].children(recursive=True)
        yield Server(process, port)
    finally:
        process.terminate()
        psutil.wait_procs(family, timeout=20)
        for one in family:
            if one.is_running():
                one.kill()


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_ready(process: subprocess.Popen[bytes], port: int, path: str) -> None:
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE_SECONDS:
        if process.poll() is not None:
            break
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"no server answered at port {port} in {PATIENCE_SECONDS:.0f} s")


def _busy(process: psutil.Process) -> float:
    """Seconds on a processor, in nanoseconds' resolution where the kernel tells it."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def _send(
    streams: Sequence[Stream], call: Call, ids: Sequence[str], requests: int
) -> tuple[list[float], int]:
    """Seconds of each request, and how many were not answered with 200."""
    share, step = max(requests // len(streams), 1), len(streams)
    done = await asyncio.gather(
        *(
            _one(stream, call, ids[start::step] or ids, share)
            for start, stream in enumerate(streams)
        )
    )
    return [took for times, _ in done for took in times], sum(failed for _, failed in done)


async def _one(
    stream: Stream, call: Call, ids: Sequence[str], requests: int
) -> tuple[list[float], int]:
    """One request after the other over one connection."""
    reader, writer = stream
    times, failed = [], 0
    for place in range(requests):
        message = call.message(ids[place % len(ids)])
        started = time.perf_counter()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        times.append(time.perf_counter() - started)
        failed += not head.startswith(b"HTTP/1.1 200")
    return times, failed


def _length(head: bytes) -> int:
    lowered = head.lower()
    return int(lowered.partition(b"content-length:")[2].partition(b"\r")[0])
