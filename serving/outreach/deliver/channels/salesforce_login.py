"""Salesforce's access tokens: fetched with the app's own credentials, and anew when they expire."""

from collections.abc import Generator
from typing import Any

import httpx

from serving.outreach.deliver.channels.crm import json_of

_PATH = "/services/oauth2/token"


class LoginRefused(ValueError):
    """Salesforce gives no token for these credentials; the message says why, without them."""


class SalesforceLogin(httpx.Auth):
    """Puts a token on each request, and one more time with a fresh one when it has expired.

    OAuth 2.0 client credentials: help.salesforce.com, "OAuth 2.0 Client Credentials Flow for
    Server-to-Server Integration", as of November 2026.
    """

    requires_response_body = True

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = url.rstrip("/") + _PATH
        self._given = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises LoginRefused where no token is given."""
        for is_last in (False, True):
            if self._token is None:
                self._token = _token((yield self._asking()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            answer = yield request
            if answer.status_code != 401 or is_last:
                return
            self._token = None

    def _asking(self) -> httpx.Request:
        return httpx.Request("POST", self._url, data=self._given)


def _token(answer: httpx.Response) -> str:
    document: Any = json_of(answer)
    told = document if isinstance(document, dict) else {}
    if answer.is_success and isinstance(token := told.get("access_token"), str):
        return token
    reasons = (str(told[name]) for name in ("error", "error_description") if name in told)
    why = ": ".join(reasons) or "no reason given"
    raise LoginRefused(f"Salesforce gives no token (status {answer.status_code}, {why})")
