"""A webhook receiver for the benchmarks: keyed by id, it fails before or after it has applied."""

import asyncio
import multiprocessing
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Applied:
    """A message that had its effect."""

    at: int
    """When its first request that got so far was signed, in seconds since 1970."""
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a receiver was asked, and what it applied by id."""

    requests: int
    deliveries: Counter[str]
    applied: dict[str, Applied]


@dataclass
class Receiver:
    """What was asked of it and what it applied; an id counts once, however often it comes."""

    before: float = 0.0
    """Share of requests that fail before the message is applied."""
    after: float = 0.0
    """Share of requests that fail although it was applied."""
    seed: int = 1
    port: int = 0
    requests: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)
    """Requests that reached the point of applying, by id."""
    applied: dict[str, Applied] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._draws = random.Random(self.seed)  # noqa: S311

    @property
    def url(self) -> str:
        """Where messages are posted to."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it closes."""
        ends = (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError)
        with suppress(*ends):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                at = int(headers.get("webhook-timestamp", 0))
                status = self._apply(headers["webhook-id"], at, body)
                writer.write(f"HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    def _apply(self, message_id: str, at: int, body: bytes) -> int:
        self.requests += 1
        draw = self._draws.random()
        if draw < self.before:
            return 500
        self.deliveries[message_id] += 1
        self.applied.setdefault(message_id, Applied(at, orjson.loads(body)["data"]))
        return 500 if draw < self.before + self.after else 204


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """`receiver` on a free port of the loopback, served by a thread until the block ends."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(receiver.answer, "127.0.0.1", 0))
    receiver.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_ended(asyncio.all_tasks(loop)))
        loop.close()


async def _ended(tasks: set[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class ReceiverProcess:
    """A receiver in a process of its own, so that it shares no time with who sends to it."""

    def __init__(self, before: float = 0.0, after: float = 0.0) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        started = multiprocessing.get_context("spawn")
        self._process = started.Process(target=_serve, args=(theirs, before, after))

    def __enter__(self) -> "ReceiverProcess":
        self._process.start()
        self.url: str = self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("end")
        self._process.join()

    def told(self, *, calm: bool = False) -> Told:
        """What it has seen; once `calm` it fails no more."""
        self._pipe.send("calm" if calm else "tell")
        answer: Told = self._pipe.recv()
        return answer


def _serve(pipe: Connection, before: float, after: float) -> None:
    with receiving(Receiver(before, after)) as receiver:
        pipe.send(receiver.url)
        while (word := pipe.recv()) != "end":
            if word == "calm":
                receiver.before = receiver.after = 0.0
            pipe.send(Told(receiver.requests, receiver.deliveries, receiver.applied))
