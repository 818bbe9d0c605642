"""HubSpot contacts, upserted by a unique property."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from features.outreach_config import HubSpotEndpoint
from serving.outreach.deliver.channels.crm import (
    NOT_REACHED,
    Answer,
    Answers,
    Row,
    Value,
    in_halves,
    json_of,
    same,
    wait_of,
)
from serving.outreach.message import Receipt

_PATH = "/crm/objects/2026-03/contacts/batch/upsert"
_LACKING = re.compile(r"PROPERTY_DOESNT_EXIST|Property \S+ does not exist|non-unique")
_PAUSE = frozenset({429, 502, 503, 504, 524})
"""The account's limit, or a platform in trouble: others wait too."""
_LOCKED, _MIGRATING = 423, 477
_LOCKED_SECONDS = 2.0
_DAY_OVER_SECONDS = 3_600.0
"""HubSpot does not say when its day ends."""


class HubSpot:
    """Upserts contacts, a hundred to a call, with an answer for each.

    Call and answer: developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/batch/
    upsert-contacts; several outcomes in one answer (207), statuses and waits: …/latest/
    error-handling; both as of November 2026.
    """

    most_at_once = 100

    def __init__(
        self,
        endpoint: HubSpotEndpoint,
        token: str,
        client: httpx.Client,
    ) -> None:
        self._endpoint = endpoint
        self._headers = {"Authorization": f"Bearer {token}"}
        self.client = client

    def upsert(self, rows: Sequence[Row], now: datetime) -> Answers:
        """One call, and more for a call that is refused for a record in it."""
        body = {"inputs": [self._input(row) for row in rows]}
        url = self._endpoint.url.rstrip("/") + _PATH
        try:
            response = self.client.post(url, json=body, headers=self._headers)
        except NOT_REACHED as error:
            return same(rows, Receipt("retry", f"HubSpot: {error or type(error).__name__}"))
        if response.is_success:
            return _answers(rows, json_of(response), complete=response.status_code != 207)
        if response.status_code in (400, 409) and len(rows) > 1 and not _lacks(response.text):
            return in_halves(rows, self.upsert, now)
        return same(rows, self._refusal(response, now))

    def _input(self, row: Row) -> dict[str, Any]:
        return {
            "id": row.customer_id,
            "idProperty": self._endpoint.id_property,
            "objectWriteTraceId": row.trace,
            "properties": {f"setia_{name}": _text(value) for name, value in row.sent.items()},
        }

    def _refusal(self, response: httpx.Response, now: datetime) -> Receipt:
        code, told = response.status_code, _message(json_of(response))
        if code == 401:
            variable = self._endpoint.token_variable
            told = f"HubSpot does not accept the token in {variable}; put a valid one there"
        if code in (401, 403, 404) or code < 400 or _lacks(response.text):
            return Receipt("throttled", f"{told or 'no such page'}{_advice(response)}", code)
        if code in _PAUSE:
            return Receipt("throttled", told, code, _wait(response, now))
        if code in (_LOCKED, _MIGRATING) or code >= 500:
            return Receipt("retry", told, code, wait_of(response, now) or _LOCKED_SECONDS)
        return Receipt("refused", told, code)


def _answers(rows: Sequence[Row], document: Any, *, complete: bool) -> Answers:
    """What a successful answer says of each row.

    Where HubSpot does not say which records failed, those not named are tried again: an upsert
    may be repeated.
    """
    answer = document if isinstance(document, Mapping) else {}
    found = answer.get("results") or ()
    new = {one.get("objectWriteTraceId") for one in found if one.get("new")}
    errors = _errors_by_trace(answer.get("errors") or ())
    named = {one.get("objectWriteTraceId") for one in found}
    certain = complete or len(found) + len(errors.keys() & {row.trace for row in rows}) == len(rows)
    answers = {}
    for row in rows:
        if row.trace in errors:
            answers[row.trace] = Answer(_record_refusal(errors[row.trace]))
        elif certain or row.trace in named:
            answers[row.trace] = Answer(Receipt("delivered"), row.trace in new)
        else:
            answers[row.trace] = Answer(Receipt("retry", "HubSpot's answer leaves this one out"))
    return answers


def _errors_by_trace(errors: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for error in errors:
        traces = (error.get("context") or {}).get("objectWriteTraceId") or ()
        found |= dict.fromkeys([traces] if isinstance(traces, str) else traces, error)
    return found


def _record_refusal(error: Mapping[str, Any]) -> Receipt:
    told = _message(error)
    if _lacks(str(error)):
        return Receipt("throttled", told + _CREATE)
    category = str(error.get("category", ""))
    if "RATE_LIMIT" in category:
        return Receipt("throttled", told)
    return Receipt("retry" if "INTERNAL" in category else "refused", told)


_CREATE = "; create the property as docs/channels.md lists it"


def _lacks(text: str) -> bool:
    """Whether HubSpot misses a property of ours, so that every record would fare the same."""
    return _LACKING.search(text) is not None


def _advice(response: httpx.Response) -> str:
    return _CREATE if _lacks(response.text) else ""


def _message(document: Any) -> str:
    """What an error says; HubSpot promises none of its fields."""
    error = document if isinstance(document, Mapping) else {}
    parts = (error.get("category"), error.get("message"))
    return ": ".join(str(part) for part in parts if part)


def _wait(response: httpx.Response, now: datetime) -> float | None:
    """How long to wait: as asked, until the interval ends, or an hour when the day is used up."""
    asked = wait_of(response, now)
    if asked is not None or response.status_code != 429:
        return asked
    document = json_of(response)
    if isinstance(document, Mapping) and document.get("policyName") == "DAILY":
        return _DAY_OVER_SECONDS
    interval = response.headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "")
    return float(interval) / 1_000 if interval.isdecimal() else None


def _text(value: Value) -> str:
    """As HubSpot takes every property; an empty text clears it."""
    return "" if value is None else str(value)
