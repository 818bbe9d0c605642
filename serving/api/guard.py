"""What every request passes first: an id, its key, bounds on body and time, one shape of errors."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import MEDIA_TYPE, Problem, plain_problem, problem_response
from serving.api.request_ids import HEADER, request_id_of

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Room for 10,000 customers with some hundred features each."""
BODY_SECONDS = 20.0
WHOLE = "setia.whole"
"""Key of a scope whose request has come in whole: reading it needs no time limit."""
COMPANY = "setia.company"
"""Key of a scope to all requests that the server is answering, this one among them."""
ANSWER_SECONDS = 60.0
"""From the end of the body to the first byte of an answer."""

_ONCE = (
    b"authorization",
    b"content-length",
    b"content-type",
    b"host",
    b"idempotency-key",
    b"x-request-id",
)
"""Given twice, two readers could take different ones."""
_log = logging.getLogger("setia.serving")

Observe = Callable[[Scope, int, float], None]
Header = tuple[bytes, bytes]
Admit = Callable[[Scope], Awaitable[list[Header]]]
Hot = Callable[[Scope, bytes], Awaitable[tuple[bytes, Sequence[Header]] | None]]


class Guard:
    """ASGI middleware around the whole service, BentoML's own routes included.

    Takes or makes the request id, has `admit` refuse the request or give headers of its answer,
    reads the body within bounds before any handler runs, and turns every error that is not yet a
    problem document into one. `hot` is given the scope and the body and answers at once with JSON
    and headers, or with None for the application to say. `observe` is told the scope, status and
    seconds of each answer. A request that has passed one guard is not asked again by the next.
    """

    def __init__(self, app: ASGIApp, observe: Observe, admit: Admit, hot: Hot) -> None:
        self.app = app
        self.observe = observe
        self.admit = admit
        self.hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "setia.request_id" in scope:
            await _answered(self.app, scope, receive, send)
            return
        started = time.perf_counter()
        reply = _Reply(scope, send)
        try:
            await self._answer(scope, receive, reply)
        except Problem as problem:
            await reply.problem(problem)
        except Exception:
            if reply.deadline is not None and reply.deadline.expired():
                _log.warning("request %s took more than %.0f s", reply.request_id, ANSWER_SECONDS)
                await reply.problem(plain_problem(504))
            else:
                _log.exception("request %s failed", reply.request_id)
                await reply.problem(plain_problem(500))
        self.observe(scope, reply.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, reply: "_Reply") -> None:
        _require_single(scope)
        reply.headers = await self.admit(scope)
        body = await _body(scope, receive)
        answer = await self.hot(scope, body)
        if answer is not None:
            await reply.json(*answer)
            return
        reply.deadline = asyncio.timeout(ANSWER_SECONDS)
        async with reply.deadline:
            await self.app(scope, _once(body, receive), reply.send)


class _Reply:
    """One answer on its way out: stamped with the request id, made a problem when it is one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = [value for name, value in scope["headers"] if name == b"x-request-id"]
        self.request_id = request_id_of(given[0].decode("latin-1") if given else "")
        self.status = 0
        self.headers: list[Header] = []
        self.deadline: asyncio.Timeout | None = None
        self._send = send
        self._replaced = False
        scope["setia.request_id"] = self.request_id
        self._scope = scope

    async def json(self, body: bytes, own: Sequence[Header]) -> None:
        """Send a whole answer of JSON."""
        self.status = 200
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self.request_id.encode()),
            *own,
            *self.headers,
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def send(self, message: Message) -> None:
        """Pass on what the application sends."""
        if message["type"] != "http.response.start":
            if not self._replaced:
                await self._send(message)
            return
        headers = MutableHeaders(scope=message)
        is_problem = headers.get("content-type", "").startswith(MEDIA_TYPE)
        status = 404 if self._is_redirect(message["status"]) else message["status"]
        if status >= 400 and not is_problem:
            self._replaced = True
            allow = {"Allow": headers["allow"]} if "allow" in headers else {}
            await self._answer(plain_problem(status), allow)
            return
        self.status = status
        if self.deadline is not None:
            # A long answer may take its time once it has begun.
            self.deadline.reschedule(None)
        headers[HEADER] = self.request_id
        headers.raw.extend(self.headers)
        await self._send(message)

    def _is_redirect(self, status: int) -> bool:
        """Whether BentoML's router says to leave the last slash out, at the request's own host."""
        return status == 307 and self._scope["path"] != "/"

    async def problem(self, problem: Problem) -> None:
        """Send a problem, unless an answer has begun."""
        if self.status == 0:
            await self._answer(problem, {})

    async def _answer(self, problem: Problem, headers: dict[str, str]) -> None:
        self.status = problem.status
        response = problem_response(problem, self.request_id, {**headers, HEADER: self.request_id})
        response.raw_headers.extend(self.headers)
        await response(self._scope, _nothing_more, self._send)


def _require_single(scope: Scope) -> None:
    """Raise Problem 400 for headers of which two readers could take different values."""
    names = [name for name, _ in scope["headers"]]
    given = set(names)
    if len(given) < len(names):
        for name in _ONCE:
            if names.count(name) > 1:
                raise Problem(400, f"{name.decode()} is given more than once; give it once")
    if b"host" not in given and scope["http_version"] == "1.1":
        raise Problem(400, "HTTP/1.1 needs a Host header")


async def _answered(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Have `app` answer and no exception pass, for BentoML's time-out would wait for an answer."""
    begun = False

    async def noted(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await app(scope, receive, noted)
    except Exception as error:
        if begun:
            raise
        problem = error if isinstance(error, Problem) else plain_problem(500)
        if problem is not error:
            _log.exception("request %s failed", scope["setia.request_id"])
        await problem_response(problem, scope["setia.request_id"])(scope, receive, send)


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The request's body, read whole."""
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"")
    if not declared and b"transfer-encoding" not in headers:
        return b""
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    if scope.get(WHOLE):
        return await _parts(receive)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _parts(receive)
    except TimeoutError:
        raise Problem(
            408,
            f"the body must arrive within {BODY_SECONDS:.0f} seconds",
            headers={"Connection": "close"},
        ) from None


async def _parts(receive: Receive) -> bytes:
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
    """The rest of the body is not read, so that the connection can serve no further request."""
    limit = MAX_BODY_BYTES // (1024 * 1024)
    return Problem(
        413,
        f"a body may have {limit} MiB; send the customers in several calls",
        headers={"Connection": "close"},
    )
