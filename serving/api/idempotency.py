"""Idempotency keys: a request sent again is answered again, not done again.

After draft-ietf-httpapi-idempotency-key-header-07.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import Header, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import Problem
from serving.api.remembered import Asked, Kept

if TYPE_CHECKING:
    from serving.api.kept_answers import KeptAnswers

_HEADER = b"idempotency-key"
_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SHAPE = re.compile(r'"?([\x21\x23-\x7e]{1,255}?)"?')
_NOT_KEPT = frozenset({408, 429})
_KEPT_HEADERS = frozenset({"content-type", "location", "link", "etag", "allow"})
_NOBODY = "local"
"""Who asks while no API key exists."""

_log = logging.getLogger("setia.serving")


async def idempotency_key(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=257)] = None
) -> str:
    """The request's idempotency key, for routes that write and therefore need one.

    Raises Problem 400 when there is none.
    """
    if idempotency_key is None:
        raise Problem(
            400,
            f"{request.method} here writes; send Idempotency-Key with a value of your own, such "
            "as a UUID, and the same one when you send the request again",
            slug="idempotency-key-missing",
        )
    return idempotency_key


class IdempotentApp:
    """ASGI middleware inside the guard: a write that carries an idempotency key is done once.

    `kept` gives what keeps the answers. The body must arrive as one message. Raises Problem,
    which the guard answers with.
    """

    def __init__(self, app: ASGIApp, kept: "Callable[[], KeptAnswers]") -> None:
        self.app = app
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        writes = scope["type"] == "http" and scope["method"] in _METHODS
        given = _given(scope) if writes else None
        if given is None:
            await self.app(scope, receive, send)
        else:
            await _once(self.app, scope, receive, send, given, self._kept())


async def _once(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, given: str, store: "KeptAnswers"
) -> None:
    from serving.database import DatabaseError

    message = await receive()
    asked = _asked(scope, given, message["body"])
    try:
        kept = await asyncio.to_thread(store.claim, asked, datetime.now(UTC))
    except DatabaseError:
        _log.exception("idempotency keys cannot be kept")
        raise Problem(503, "nothing was done, since it could not be remembered") from None
    if kept is not None:
        said = {**kept.headers, "Idempotency-Replayed": "true"}
        await Response(kept.body, kept.status, said)(scope, receive, send)
        return
    answer = _Answer()
    try:
        await app(scope, _again(message, receive), answer.hold)
    except Exception:
        await asyncio.to_thread(store.release, asked)
        raise
    await _settle(store, asked, answer.kept())
    for held in answer.messages:
        await send(held)


async def _settle(store: "KeptAnswers", asked: Asked, answer: Kept) -> None:
    """Keep the answer before it is sent: once a client has it, it is the answer for good."""
    from serving.database import DatabaseError

    try:
        if answer.status >= 500 or answer.status in _NOT_KEPT:
            await asyncio.to_thread(store.release, asked)
        else:
            await asyncio.to_thread(store.keep, asked, answer, datetime.now(UTC))
    except DatabaseError:
        _log.exception("an answer could not be kept under its idempotency key")


class _Answer:
    """An answer held back whole."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def hold(self, message: Message) -> None:
        """Take the next message of the answer."""
        self.messages.append(message)

    def kept(self) -> Kept:
        """The answer as it is remembered."""
        start, *parts = self.messages
        headers = Headers(raw=start["headers"])
        said = {name: value for name, value in headers.items() if name in _KEPT_HEADERS}
        return Kept(start["status"], said, b"".join(part.get("body", b"") for part in parts))


def _again(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _given(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == _HEADER]
    return values[0].decode("latin-1") if values else None


def _asked(scope: Scope, given: str, body: bytes) -> Asked:
    match = _SHAPE.fullmatch(given)
    if match is None:
        raise Problem(
            400,
            "Idempotency-Key takes 1 to 255 visible characters, such as a UUID",
            slug="idempotency-key-invalid",
        )
    key = scope.get("setia.key")
    request = f"{scope['method']} {quote(scope['path'])}"
    said = [scope["query_string"], Headers(scope=scope).get("accept", "").encode(), body]
    digest = sha256(b"\0".join([request.encode(), *said])).hexdigest()
    return Asked(key.id if key else _NOBODY, match[1], request[:300], digest)
