"""What every request passes first: an id, its key, bounds on body and time, one shape of errors."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import MEDIA_TYPE, Problem, plain_problem, problem_response

REQUEST_ID = "x-request-id"
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Room for 10,000 customers with some hundred features each."""
BODY_SECONDS = 20.0
ANSWER_SECONDS = 60.0
"""From arrival to the first byte of an answer."""

_SAFE_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
_log = logging.getLogger("setia.serving")

Observe = Callable[[Scope, int, float], None]
Admit = Callable[[Scope], Awaitable[list[tuple[bytes, bytes]]]]


class Guard:
    """ASGI middleware around the whole service, BentoML's own routes included.

    Takes or makes the request id, has `admit` refuse the request or give headers of its answer,
    reads the body within bounds before any handler runs, and turns every error that is not yet a
    problem document into one. `observe` is told the scope, status and seconds of each answer.
    """

    def __init__(self, app: ASGIApp, observe: Observe, admit: Admit) -> None:
        self.app = app
        self.observe = observe
        self.admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        reply = _Reply(scope, send)
        try:
            async with reply.deadline:
                reply.headers = await self.admit(scope)
                await self.app(scope, await _bounded(scope, receive), reply.send)
        except Problem as problem:
            await reply.problem(problem)
        except Exception:
            if reply.deadline.expired():
                _log.warning("request %s took more than %.0f s", reply.request_id, ANSWER_SECONDS)
                await reply.problem(plain_problem(504))
            else:
                _log.exception("request %s failed", reply.request_id)
                await reply.problem(plain_problem(500))
        self.observe(scope, reply.status, time.perf_counter() - started)


class _Reply:
    """One answer on its way out: stamped with the request id, made a problem when it is one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get(REQUEST_ID, "")
        self.request_id = given if _SAFE_ID.match(given) else f"req_{secrets.token_hex(12)}"
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.deadline = asyncio.timeout(ANSWER_SECONDS)
        self._send = send
        self._replaced = False
        scope["setia.request_id"] = self.request_id
        self._scope = scope

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.start":
            if not self._replaced:
                await self._send(message)
            return
        headers = MutableHeaders(scope=message)
        is_problem = headers.get("content-type", "").startswith(MEDIA_TYPE)
        if message["status"] >= 400 and not is_problem:
            self._replaced = True
            allow = {"Allow": headers["allow"]} if "allow" in headers else {}
            await self._answer(plain_problem(message["status"]), allow)
            return
        self.status = message["status"]
        # A long answer may take its time once it has begun.
        self.deadline.reschedule(None)
        headers[REQUEST_ID] = self.request_id
        headers.raw.extend(self.headers)
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        if self.status == 0:
            await self._answer(problem, {})

    async def _answer(self, problem: Problem, headers: dict[str, str]) -> None:
        self.status = problem.status
        response = problem_response(
            problem, self.request_id, {**headers, REQUEST_ID: self.request_id}
        )
        response.raw_headers.extend(self.headers)
        await response(self._scope, _nothing_more, self._send)


async def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The request's body read whole, given back as one message."""
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
    except TimeoutError:
        raise Problem(408, f"the body must arrive within {BODY_SECONDS:.0f} seconds") from None
    return _once(body, receive)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the client went away before the body was complete")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


def _too_large() -> Problem:
    limit = MAX_BODY_BYTES // (1024 * 1024)
    return Problem(413, f"a body may have {limit} MiB; send the customers in several calls")
