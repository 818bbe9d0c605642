"""The two routes that are called most, answered before the framework: the same bytes, sooner."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api import customers, scores
from serving.api.schemas import ScoresRequest
from serving.served import NotReady, Served, Shelf


class HotRoute(NamedTuple):
    """What the metrics call an answered request by."""

    path: str


_CUSTOMER, _SCORES = HotRoute(customers.ROUTE), HotRoute(scores.ROUTE)


class HotRoutes:
    """ASGI middleware inside the guard; `shelf` gives what holds the scores.

    A request with anything amiss, such as an unknown customer or a body that is not valid, goes
    on to the application, whose answer says what it is.
    """

    def __init__(self, app: ASGIApp, shelf: Callable[[], Shelf]) -> None:
        self.app = app
        self._shelf = shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            path, method = scope["path"], scope["method"]
            if method == "GET" and path.startswith(customers.PREFIX):
                await self._customer(scope, receive, send)
                return
            if method == "POST" and path == scores.ROUTE and _is_json(scope):
                await self._scores(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _customer(self, scope: Scope, receive: Receive, send: Send) -> None:
        served = self._served()
        customer_id = scope["path"][len(customers.PREFIX) :]
        answer = customers.customer_answer(served, customer_id) if served else None
        if answer is None or "/" in customer_id:
            await self.app(scope, receive, send)
        else:
            await _send(scope, send, _CUSTOMER, answer)

    async def _scores(self, scope: Scope, receive: Receive, send: Send) -> None:
        message, served = await receive(), self._served()
        try:
            body = ScoresRequest.model_validate_json(message.get("body", b""))
        except ValidationError:
            body = None
        if body is None or served is None:
            await self.app(scope, _again(message, receive), send)
        else:
            await _send(scope, send, _SCORES, await scores.scores_answer(served, body))

    def _served(self) -> Served | None:
        try:
            return self._shelf().served
        except NotReady:
            return None


def _is_json(scope: Scope) -> bool:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"


def _again(message: Message, receive: Receive) -> Receive:
    """A `receive` that gives the message once more, then what follows it."""
    waiting = [message]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _send(scope: Scope, send: Send, route: HotRoute, body: bytes) -> None:
    scope["route"] = route
    size = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
