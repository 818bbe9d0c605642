"""The protocol over real sockets: a request that came in whole is known to have."""

import asyncio
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from serving.api import guard
from serving.api.guard import COMPANY, Guard
from serving.api.wire import BoundedHttp

HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n"


async def status(parts: list[bytes], company: list[int] | None = None) -> bytes:
    """The status line of the answer to `parts`, each sent once the server has seen the last.

    `company` is told how many requests are being answered, itself among them.
    """
    seen = asyncio.Event()

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        headers = [(b"content-length", b"%d" % len(message["body"]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})

    async def admit(scope: Scope) -> list[Any]:
        seen.set()
        if company is not None:
            company.append(len(scope[COMPANY]))
        return []

    async def never_hot(scope: Scope, body: bytes) -> None:
        return None

    app = Guard(echo, observe=lambda *_: None, admit=admit, hot=never_hot)
    config = Config(app, lifespan="off")
    config.load()
    protocol = partial(
        BoundedHttp, lambda app: app, config=config, server_state=ServerState(), app_state={}
    )
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        for part in parts:
            writer.write(part)
            await seen.wait()
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line


def test_a_body_that_came_with_its_head_is_read_under_no_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To set one would fail here."""
    monkeypatch.setattr(guard, "BODY_SECONDS", "no number")
    assert asyncio.run(status([HEAD + b"body"])) == b"HTTP/1.1 200 OK\r\n"


def test_a_body_that_keeps_coming_is_waited_for() -> None:
    assert asyncio.run(status([HEAD + b"bo", b"dy"])) == b"HTTP/1.1 200 OK\r\n"


def test_a_body_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    assert asyncio.run(status([HEAD + b"bo"])).startswith(b"HTTP/1.1 408 ")


def test_a_request_alone_is_known_to_be() -> None:
    company: list[int] = []
    asyncio.run(status([HEAD + b"body"], company))
    assert company == [1]
