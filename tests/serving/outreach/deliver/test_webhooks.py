"""Webhooks to a receiver over real HTTP: signed, small, never followed, every answer understood."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from features.outreach_config import WebhookEndpoint
from serving.outreach.deliver.addresses import ForbiddenAddress
from serving.outreach.deliver.connecting import UrlError
from serving.outreach.deliver.signatures import SecretError
from serving.outreach.deliver.webhooks import message_body, retry_after_seconds, webhook_sender
from serving.outreach.message import Message, Receipt
from tests.serving.outreach.receiver import Reply, Seen, receiving

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OLD = "whsec_" + base64.b64encode(b"abcdef0123456789abcdef0123456789").decode()
ENVIRON = {"CRM_SECRET": SECRET, "CRM_OLD": OLD}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGE = Message(
    "msg_1", 7, "customer.at_risk", "c1", NOW, {"customer_id": "c1", "reason": "Zoë waited"}
)


def endpoint(url: str, **more: Any) -> WebhookEndpoint:
    return WebhookEndpoint(kind="webhook", url=url, secret_variable="CRM_SECRET", **more)


def send(url: str, now: datetime = NOW, **more: Any) -> Receipt:
    sender = webhook_sender("crm", endpoint(url, **more), ENVIRON)
    (receipt,) = sender.send([MESSAGE], now)
    sender.close()
    return receipt


def always(reply: Reply) -> Callable[[Seen], Reply]:
    return lambda _: reply


def test_a_receiver_with_the_reference_library_believes_what_we_send() -> None:
    now = datetime.now(timezone(timedelta(hours=7)))
    with receiving() as receiver:
        assert send(receiver.url, now, previous_secret_variable="CRM_OLD").verdict == "delivered"
    (seen,) = receiver.seen
    for secret in (SECRET, OLD):
        body = Webhook(secret).verify(seen.body, dict(seen.headers))
    assert body == {
        "type": "customer.at_risk",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"customer_id": "c1", "reason": "Zoë waited", "sequence": 7},
    }
    assert seen.headers["webhook-id"] == "msg_1"
    assert seen.headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert seen.headers["content-type"] == "application/json"


def test_each_attempt_sends_the_same_bytes_under_the_same_id_signed_anew() -> None:
    with receiving() as receiver:
        send(receiver.url)
        send(receiver.url, NOW + timedelta(hours=2))
    first, second = receiver.seen
    assert first.body == second.body == message_body(MESSAGE)
    assert receiver.ids == ["msg_1", "msg_1"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "delivered"),
        (202, "delivered"),
        (299, "delivered"),
        (301, "retry"),
        (307, "retry"),
        (400, "retry"),
        (401, "retry"),
        (404, "retry"),
        (410, "gone"),
        (429, "throttled"),
        (500, "retry"),
        (502, "throttled"),
        (503, "retry"),
        (504, "throttled"),
    ],
)
def test_an_answer_means_what_the_specification_says(status: int, verdict: str) -> None:
    with receiving(always(Reply(status, {"location": "http://127.0.0.1:1/"}))) as receiver:
        receipt = send(receiver.url)
    assert (receipt.verdict, receipt.code) == (verdict, status)
    assert receipt.detail == f"answered {status}"
    assert len(receiver.seen) == 1


def test_a_retry_after_is_understood_in_seconds_and_as_a_date() -> None:
    assert retry_after_seconds("120", NOW) == 120
    assert retry_after_seconds("Fri, 02 Jan 2026 03:14:05 GMT", NOW) == 600
    assert retry_after_seconds("Friday, 02-Jan-26 03:14:05 GMT", NOW) == 600
    assert retry_after_seconds("Fri, 02 Jan 2026 02:00:00 GMT", NOW) == 0
    for nothing in (None, "", "soon", "-5", "1.5.2", "Fri, 99 Jan 2026"):
        assert retry_after_seconds(nothing, NOW) is None
    with receiving(always(Reply(503, {"retry-after": "3600"}))) as receiver:
        assert send(receiver.url).retry_after_seconds == 3600


def test_connections_are_kept_and_a_long_answer_is_not_read() -> None:
    replies = [Reply(200, body=b"ok"), Reply(), Reply(200, body=b"x" * 5_000_000), Reply()]
    with receiving(lambda _: replies.pop(0)) as receiver:
        sender = webhook_sender("crm", endpoint(receiver.url), ENVIRON)
        for number in range(4):
            (receipt,) = sender.send([MESSAGE], NOW)
            assert receipt.verdict == "delivered"
            assert receiver.connections == (1 if number < 3 else 2), "the long one was cut"
        sender.close()


def test_nobody_there_is_a_retry_that_says_so() -> None:
    with receiving() as receiver:
        url = receiver.url
    receipt = send(url)
    assert receipt.verdict == "retry"
    assert "ConnectError" in receipt.detail
    assert "refused" in receipt.detail


def test_a_forbidden_address_is_a_retry_and_no_request() -> None:
    """The configuration may be mended meanwhile, so the message is not lost."""
    receipt = send("https://169.254.169.254/latest/meta-data")
    assert receipt.verdict == "retry"
    assert receipt.detail == "not connected: 169.254.169.254 is where a cloud hands out credentials"


@pytest.mark.parametrize("variable", ["CRM_SECRET", "CRM_OLD"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_is_named(variable: str, value: str | None) -> None:
    environ = {name: text for name, text in ENVIRON.items() if name != variable}
    if value is not None:
        environ[variable] = value
    settings = endpoint("https://crm.example/", previous_secret_variable="CRM_OLD")
    with pytest.raises(SecretError, match=f"'crm': the environment variable {variable} .*not set"):
        webhook_sender("crm", settings, environ)


def test_a_weak_secret_is_refused() -> None:
    settings = endpoint("https://crm.example/")
    with pytest.raises(SecretError, match="endpoint 'crm': CRM_SECRET is no signing secret"):
        webhook_sender("crm", settings, {"CRM_SECRET": "whsec_c2hvcnQ="})


def test_an_endpoint_without_tls_or_with_a_wrong_network_is_refused() -> None:
    with pytest.raises(UrlError, match="is not https"):
        webhook_sender("crm", endpoint("http://crm.example/hook"), ENVIRON)
    settings = endpoint("https://crm.example/hook", allowed_networks=["everything"])
    with pytest.raises(ForbiddenAddress, match="allowed_networks"):
        webhook_sender("crm", settings, ENVIRON)


def test_the_body_of_a_message_is_as_it_was_written() -> None:
    written = message_body(MESSAGE)
    assert written == orjson.dumps(orjson.loads(written))
    assert list(orjson.loads(written)) == ["type", "timestamp", "data"]
