"""The two routes that are called most, answered before the framework: the same bytes, sooner."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from pydantic import ValidationError
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api import customers, scores
from serving.api.schemas import ScoresRequest
from serving.newer import NewerScores
from serving.served import NotReady, Served, Shelf


class HotRoute(NamedTuple):
    """What the metrics call an answered request by."""

    path: str


_CUSTOMER, _SCORES = HotRoute(customers.ROUTE), HotRoute(scores.ROUTE)


class HotRoutes:
    """ASGI middleware inside the guard; `state` gives the application's, once it is installed.

    A request with anything out of the ordinary goes on to the application: an unknown customer,
    one with a newer live score, parameters, a body that is not valid.
    """

    def __init__(self, app: ASGIApp, state: Callable[[], State]) -> None:
        self.app = app
        self._state = state

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
        is_plain = not (scope["query_string"] or "/" in customer_id or self._newer([customer_id]))
        answer = customers.customer_answer(served, customer_id) if served and is_plain else None
        if answer is None:
            await self.app(scope, receive, send)
        else:
            await _send(scope, send, _CUSTOMER, answer)

    async def _scores(self, scope: Scope, receive: Receive, send: Send) -> None:
        message, served = await receive(), self._served()
        try:
            body = ScoresRequest.model_validate_json(message.get("body", b""))
        except ValidationError:
            body = None
        if body is None or served is None or self._newer(body.customer_ids or ()):
            await self.app(scope, _again(message, receive), send)
        else:
            await _send(scope, send, _SCORES, await scores.scores_answer(served, body, {}))

    def _newer(self, customer_ids: Collection[str]) -> bool:
        newer: NewerScores = self._state().newer
        return newer.any_of(customer_ids)

    def _served(self) -> Served | None:
        shelf: Shelf = self._state().shelf
        try:
            return shelf.served
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
