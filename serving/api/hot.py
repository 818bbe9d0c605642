"""The two routes that are called most, answered before the framework: the same bytes, sooner."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import ValidationError
from starlette.types import Scope

from serving.api import customers, scores
from serving.api.schemas import ScoresRequest
from serving.api.together import MOST_CUSTOMERS, Together
from serving.served import NotReady, Served, Shelf

_LONGEST_BODY = 64 * 1024
"""A longer one asks for so much that it is worth a thread."""


class HotRoute(NamedTuple):
    """What the metrics call an answered request by."""

    path: str


_CUSTOMER, _SCORES = HotRoute(customers.ROUTE), HotRoute(scores.ROUTE)


class HotAnswers:
    """Answers to the hot requests; `shelf` gives what holds the scores.

    A request with anything amiss or special, such as an unknown customer, a body that is not
    valid or an idempotency key, is left to the application, whose answer says what it is.
    """

    def __init__(self, shelf: Callable[[], Shelf]) -> None:
        self._shelf = shelf
        self._together = Together()

    async def __call__(self, scope: Scope, body: bytes) -> bytes | None:
        """The answer as JSON; None when the application is to give it."""
        path, method = scope["path"], scope["method"]
        if method == "GET" and path.startswith(customers.PREFIX):
            return self._customer(scope, path[len(customers.PREFIX) :])
        if method == "POST" and path == scores.ROUTE and len(body) <= _LONGEST_BODY:
            return await self._scores(scope, body)
        return None

    def _customer(self, scope: Scope, customer_id: str) -> bytes | None:
        served = self._served()
        if served is None or "/" in customer_id:
            return None
        scope["route"] = _CUSTOMER
        return customers.customer_answer(served, customer_id)

    async def _scores(self, scope: Scope, body: bytes) -> bytes | None:
        served = self._served()
        if served is None or not _is_plain_json(scope):
            return None
        try:
            asked = ScoresRequest.model_validate_json(body)
        except ValidationError:
            return None
        scope["route"] = _SCORES
        ids = asked.customer_ids
        if asked.repredict and ids and len(ids) <= MOST_CUSTOMERS:
            results = await self._together.predicted_again(served, ids, explain=asked.explain)
            return scores.told(served, results, cutoff=True)
        return scores.answer_at_once(served, asked)

    def _served(self) -> Served | None:
        try:
            return self._shelf().served
        except NotReady:
            return None


def _is_plain_json(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == b"application/json" and b"idempotency-key" not in headers
