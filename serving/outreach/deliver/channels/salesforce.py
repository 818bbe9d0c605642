"""Salesforce records, upserted by an external id."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from features.outreach_config import SalesforceEndpoint
from serving.outreach.deliver.channels.crm import (
    NOT_REACHED,
    Answer,
    Answers,
    Row,
    in_halves,
    json_of,
    same,
    wait_of,
)
from serving.outreach.deliver.channels.salesforce_login import LoginRefused, SalesforceLogin
from serving.outreach.message import Receipt

_VERSION = "v62.0"
"""Of the REST API; upserts of collections came with 46."""
_FOR_NOW = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "QUERY_TIMEOUT"}
)
"""Errors of a record that another attempt may not meet."""
_LIMITS = frozenset({"REQUEST_LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR"})
_LACKING = frozenset(
    {"INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND", "INVALID_FIELD_FOR_INSERT_UPDATE"}
)
"""Salesforce misses a field or object of ours, so that every record would fare the same."""
_CREATE = "; create the field as docs/channels.md lists it and let the token's user write it"


class Salesforce:
    """Upserts records, two hundred to a call, with an answer for each in their order.

    Call and answer: developer.salesforce.com/docs/platform/api-rest/guide/
    resources-composite-sobjects-collections-upsert.html; statuses: …/errorcodes.htm; both as of
    November 2026.
    """

    most_at_once = 200

    def __init__(
        self,
        endpoint: SalesforceEndpoint,
        login: SalesforceLogin,
        client: httpx.Client,
    ) -> None:
        self._endpoint = endpoint
        self._login = login
        self.client = client

    def upsert(self, rows: Sequence[Row], now: datetime) -> Answers:
        """One call, and more for a call that is refused for a record in it."""
        body = {"allOrNone": False, "records": [self._record(row) for row in rows]}
        try:
            response = self.client.patch(self._url, json=body, auth=self._login)
        except LoginRefused as error:
            end = self._endpoint
            names = f"{end.client_id_variable} and {end.client_secret_variable}"
            return same(rows, Receipt("throttled", f"{error}; put valid ones into {names}"))
        except NOT_REACHED as error:
            return same(rows, Receipt("retry", f"Salesforce: {error or type(error).__name__}"))
        results = json_of(response)
        if response.is_success and isinstance(results, list) and len(results) == len(rows):
            pairs = zip(rows, results, strict=True)
            return {row.trace: _answer(result) for row, result in pairs}
        if response.is_success:
            return same(rows, Receipt("retry", "Salesforce's answer does not fit the records"))
        refusal = self._refusal(response, results, now)
        if refusal.verdict == "refused" and len(rows) > 1:
            return in_halves(rows, self.upsert, now)
        return same(rows, refusal)

    @property
    def _url(self) -> str:
        end = self._endpoint
        place = f"/services/data/{_VERSION}/composite/sobjects/{end.record}/{end.external_id}"
        return end.url.rstrip("/") + place

    def _record(self, row: Row) -> dict[str, Any]:
        return {
            "attributes": {"type": self._endpoint.record},
            self._endpoint.external_id: row.customer_id,
            **{field_name(name): value for name, value in row.sent.items()},
        }

    def _refusal(self, response: httpx.Response, document: Any, now: datetime) -> Receipt:
        code, error = response.status_code, _first(document)
        name, told = str(error.get("errorCode", "")), _told(error, "errorCode")
        if code == 401:
            told = f"Salesforce does not take a token that it has just given ({told})"
            return Receipt("throttled", told, code)
        if name in _LACKING or code in (403, 404) or code < 400:
            return Receipt("throttled", told + ("" if name in _LIMITS else _CREATE), code)
        if code in (429, 503):
            return Receipt("throttled", told, code, wait_of(response, now))
        return Receipt("retry" if code >= 500 else "refused", told, code)


def field_name(name: str) -> str:
    """The API name of a custom field: Setia_Churn_Risk__c for churn_risk."""
    return "_".join(part.capitalize() for part in ("setia", *name.split("_"))) + "__c"


def _answer(result: Any) -> Answer:
    """What became of one record."""
    if isinstance(result, Mapping) and result.get("success"):
        return Answer(Receipt("delivered"), bool(result.get("created")))
    error = _first(result.get("errors") if isinstance(result, Mapping) else None)
    name, told = str(error.get("statusCode", "")), _told(error, "statusCode")
    if name in _LACKING:
        return Answer(Receipt("throttled", told + _CREATE))
    if name in _LIMITS:
        return Answer(Receipt("throttled", told))
    return Answer(Receipt("retry" if not name or name in _FOR_NOW else "refused", told))


def _first(errors: Any) -> Mapping[str, Any]:
    found = errors[0] if isinstance(errors, list) and errors else {}
    return found if isinstance(found, Mapping) else {}


def _told(error: Mapping[str, Any], name: str) -> str:
    """What an error says, with the fields that it is about."""
    parts = (error.get(name), error.get("message"), ", ".join(error.get("fields") or ()))
    return ": ".join(str(part) for part in parts if part) or "Salesforce gave no reason"
