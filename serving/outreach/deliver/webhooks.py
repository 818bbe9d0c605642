"""Signed webhooks: one POST per message, as Standard Webhooks 1.0.0 has it."""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import orjson

from features.outreach_config import WebhookEndpoint
from serving.outreach.deliver.addresses import ForbiddenAddress, networks
from serving.outreach.deliver.connecting import Resolve, checked_client, resolve
from serving.outreach.deliver.signatures import SecretError, signed_headers, signing_key
from serving.outreach.message import Message, Receipt, Verdict

TIMEOUT_SECONDS = 15.0
_MOST_ANSWER_BYTES = 4_096
_THROTTLED = (429, 502, 504)
_HEADERS = {"content-type": "application/json", "user-agent": "Setia"}


class WebhookSender:
    """Posts signed messages to one URL; receivers drop an id that they have seen."""

    most_at_once = 1
    in_flight = 8
    repeatable = True

    def __init__(self, url: str, keys: Sequence[bytes], client: httpx.Client) -> None:
        self._url = url
        self._keys = keys
        self._client = client

    def send(self, messages: Sequence[Message], now: datetime) -> Sequence[Receipt]:
        """One receipt for each message, in order."""
        return [self._send(message, now) for message in messages]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, message: Message, now: datetime) -> Receipt:
        body = message_body(message)
        headers = _HEADERS | signed_headers(self._keys, message.id, body, now)
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                _read_a_little(answer)
                return answered(answer.status_code, answer.headers, now)
        except ForbiddenAddress as error:
            return Receipt("retry", f"not connected: {error}")
        except httpx.HTTPError as error:
            return Receipt("retry", f"{type(error).__name__}: {error}")


def webhook_sender(
    name: str,
    endpoint: WebhookEndpoint,
    environ: Mapping[str, str],
    *,
    resolve: Resolve = resolve,
    trusted: ssl.SSLContext | None = None,
) -> WebhookSender:
    """The sender for the endpoint called `name`, with its secrets taken from `environ`.

    Raises SecretError for a secret that is missing or none, UrlError for a URL without TLS outside
    this machine, ForbiddenAddress for an allowed network that is none.
    """
    variables = [endpoint.secret_variable, endpoint.previous_secret_variable]
    keys = [_key(name, variable, environ) for variable in variables if variable]
    client = checked_client(
        endpoint.url,
        networks(endpoint.allowed_networks),
        TIMEOUT_SECONDS,
        WebhookSender.in_flight,
        resolve=resolve,
        trusted=trusted,
    )
    return WebhookSender(endpoint.url, keys, client)


def message_body(message: Message) -> bytes:
    """The JSON that is signed and sent, the same bytes at every attempt."""
    created = message.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    data = {**message.payload, "sequence": message.sequence}
    return orjson.dumps({"type": message.type, "timestamp": created, "data": data})


def answered(status: int, headers: Mapping[str, str], now: datetime) -> Receipt:
    """What an answer means: 2xx alone is success, a redirect is none, 410 ends the endpoint."""
    verdict: Verdict = "retry"
    if 200 <= status < 300:
        verdict = "delivered"
    elif status == 410:
        verdict = "gone"
    elif status in _THROTTLED:
        verdict = "throttled"
    wait = None if verdict == "delivered" else retry_after_seconds(headers.get("retry-after"), now)
    return Receipt(verdict, f"answered {status}", status, wait)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """The wait that a Retry-After asks for, in seconds or as a date; None where it is neither."""
    if not value:
        return None
    if value.strip().isdecimal() and value.isascii():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    zoned = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max((zoned - now).total_seconds(), 0.0)


def _key(name: str, variable: str, environ: Mapping[str, str]) -> bytes:
    secret = environ.get(variable)
    if not secret:
        raise SecretError(
            f"endpoint {name!r}: the environment variable {variable} with its signing secret is "
            "not set; nothing is sent to it until it is, and nothing is lost"
        )
    return signing_key(secret, f"endpoint {name!r}: {variable}")


def _read_a_little(answer: httpx.Response) -> None:
    """Read a short answer to its end, so that the connection can be used again; no long one."""
    taken = 0
    with suppress(httpx.TransportError):  # The status has come, and it alone is the answer.
        for part in answer.iter_raw():
            taken += len(part)
            if taken > _MOST_ANSWER_BYTES:
                return
