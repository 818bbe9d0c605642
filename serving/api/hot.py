"""The two routes that are called most, answered before the framework: the same bytes, sooner."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import ValidationError
from starlette.types import Scope

from features.wording import Language
from serving.api import customers, scores
from serving.api.guard import COMPANY
from serving.api.language import LANGUAGES, is_asked_otherwise, spoken
from serving.api.schemas import ScoresRequest
from serving.api.together import MOST_CUSTOMERS, Together
from serving.newer import NewerScores
from serving.served import NotReady, Served, Shelf

_LONGEST_BODY = 64 * 1024
"""A longer one asks for so much that it is worth a thread."""

Headers = list[tuple[bytes, bytes]]


class HotRoute(NamedTuple):
    """What the metrics call an answered request by."""

    path: str


class HotAnswer(NamedTuple):
    """The JSON of an answer, and the headers that say its language."""

    body: bytes
    headers: Headers


_CUSTOMER, _SCORES = HotRoute(customers.ROUTE), HotRoute(scores.ROUTE)
_SPOKEN: dict[Language, Headers] = {
    language: [(name.lower().encode(), value.encode()) for name, value in spoken(language).items()]
    for language in LANGUAGES
}


class HotAnswers:
    """Answers to the hot requests; `shelf` gives what holds the scores, `newer` the live ones.

    A request with anything amiss or special is left to the application, whose answer says what
    it is: an unknown customer, one with a newer live score, parameters, another language, a body
    that is not valid, an idempotency key.
    """

    def __init__(self, shelf: Callable[[], Shelf], newer: NewerScores) -> None:
        self._shelf = shelf
        self._newer = newer
        self._together = Together()

    async def __call__(self, scope: Scope, body: bytes) -> HotAnswer | None:
        """The answer; None when the application is to give it."""
        path, method = scope["path"], scope["method"]
        if method == "GET" and path.startswith(customers.PREFIX):
            return self._customer(scope, path[len(customers.PREFIX) :])
        if method == "POST" and path == scores.ROUTE and len(body) <= _LONGEST_BODY:
            return await self._scores(scope, body)
        return None

    def _customer(self, scope: Scope, customer_id: str) -> HotAnswer | None:
        is_plain = not (scope["query_string"] or "/" in customer_id)
        served = self._served(scope) if is_plain else None
        if served is None or self._newer.any_of((customer_id,)):
            return None
        scope["route"] = _CUSTOMER
        language = _own(served)
        return _told(customers.customer_answer(served, customer_id, None, language), language)

    async def _scores(self, scope: Scope, body: bytes) -> HotAnswer | None:
        served = self._served(scope)
        if served is None or not _is_plain_json(scope):
            return None
        try:
            asked = ScoresRequest.model_validate_json(body)
        except ValidationError:
            return None
        if self._newer.any_of(asked.customer_ids or ()):
            return None
        scope["route"] = _SCORES
        language, ids = _own(served), asked.customer_ids
        alone = len(scope.get(COMPANY, ())) == 1
        if asked.repredict and ids and len(ids) <= MOST_CUSTOMERS and not alone:
            results = await self._together.predicted_again(served, ids, explain=asked.explain)
            return _told(scores.told(served, results, cutoff=True), language)
        return _told(scores.answer_at_once(served, asked, {}, language), language)

    def _served(self, scope: Scope) -> Served | None:
        """What answers a request in the language of its scores, if that is the one asked for."""
        try:
            served = self._shelf().served
        except NotReady:
            return None
        return None if is_asked_otherwise(scope, _own(served)) else served


def _own(served: Served) -> Language:
    return served.snapshot.about.serving.language


def _told(body: bytes | None, language: Language) -> HotAnswer | None:
    return None if body is None else HotAnswer(body, _SPOKEN[language])


def _is_plain_json(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == b"application/json" and b"idempotency-key" not in headers
