"""Signatures, against the `standardwebhooks` package and by hand."""

import base64
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from serving.outreach.deliver.signatures import (
    SecretError,
    SignatureError,
    require_signed,
    signed_headers,
    signing_key,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = signing_key(SECRET, "SECRET")
BODY = b'{"type":"customer.at_risk","data":{"name":"Zo\xc3\xab"}}'
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def secret(size: int) -> str:
    return "whsec_" + base64.b64encode(os.urandom(size)).decode()


def test_the_signature_is_that_of_the_reference_implementation() -> None:
    """The example of the specification's libraries: their key, id and time."""
    then = datetime(2022, 4, 25, 20, 18, 18, tzinfo=UTC)
    body = b'{"test": 2432232314}'
    headers = signed_headers([KEY], "msg_p5jXN8AQM9LWM0D4loKWxJek", body, then)
    expected = Webhook(SECRET).sign(headers["webhook-id"], then, body.decode())
    assert headers["webhook-signature"] == expected


@pytest.mark.parametrize("hours", [-11, 0, 7, 5.5])
def test_the_reference_believes_us_in_whatever_zone_our_clock_is(hours: float) -> None:
    """The package itself signs another instant there: it relabels a local time as UTC."""
    now = datetime.now(timezone(timedelta(hours=hours)))
    Webhook(SECRET).verify(BODY, signed_headers([KEY], "msg_1", BODY, now))


def test_while_a_secret_changes_both_old_and_new_receivers_believe_us() -> None:
    new = secret(64)
    now = datetime.now(UTC)
    headers = signed_headers([signing_key(new, "NEW"), KEY], "msg_1", BODY, now)
    for known in (SECRET, new):
        Webhook(known).verify(BODY, headers)
        assert require_signed([signing_key(known, "KNOWN")], headers, BODY, now) == "msg_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(24)).verify(BODY, headers)


def test_we_believe_the_reference() -> None:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", now, BODY.decode())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": f"v1a,b3RoZXI= {signature}",
    }
    assert require_signed([KEY], headers, BODY, now) == "msg_1"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_unsigned_callback_is_refused(missing: str) -> None:
    headers = {**signed_headers([KEY], "msg_1", BODY, NOW), missing: ""}
    with pytest.raises(SignatureError, match=f"is not signed: no {missing}"):
        require_signed([KEY], headers, BODY, NOW)


@pytest.mark.parametrize("seconds", [301, -301, 86_400])
def test_a_stale_callback_is_refused(seconds: int) -> None:
    headers = signed_headers([KEY], "msg_1", BODY, NOW)
    with pytest.raises(SignatureError, match=r"was signed \d+ s (behind|ahead of) our clock"):
        require_signed([KEY], headers, BODY, NOW + timedelta(seconds=seconds))
    near = NOW + timedelta(seconds=299 if seconds > 0 else -299)
    assert require_signed([KEY], headers, BODY, near) == "msg_1"


@pytest.mark.parametrize("changed", ["body", "id", "timestamp", "signature", "key"])
def test_a_forged_callback_is_refused(changed: str) -> None:
    headers = signed_headers([KEY], "msg_1", BODY, NOW)
    body, key = BODY, KEY
    if changed == "body":
        body = BODY + b" "
    elif changed == "key":
        key = signing_key(secret(32), "OTHER")
    else:
        headers[f"webhook-{changed}"] = {
            "id": "msg_2",
            "timestamp": str(int(NOW.timestamp()) + 1),
            "signature": "v1,AAAA v1 nonsense Zo\xeb v2," + "A" * 44,
        }[changed]
    with pytest.raises(SignatureError, match="is not by the secret of this endpoint"):
        require_signed([key], headers, body, NOW)


@pytest.mark.parametrize("timestamp", ["1.5", "-5", "soon", "\uff11\uff17", "1" * 30, " 1"])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    headers = {**signed_headers([KEY], "msg_1", BODY, NOW), "webhook-timestamp": timestamp}
    with pytest.raises(SignatureError, match="not in whole seconds since 1970"):
        require_signed([KEY], headers, BODY, NOW)


@pytest.mark.parametrize(
    "given",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", secret(23), secret(65)],
)
def test_a_secret_that_is_none_is_refused_without_being_shown(given: str) -> None:
    with pytest.raises(SecretError, match=r"CRM_SECRET is no signing secret: .* 24 to 64") as said:
        signing_key(given, "CRM_SECRET")
    assert len(given) < 10 or given[6:] not in str(said.value)
