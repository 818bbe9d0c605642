"""Signatures of Standard Webhooks 1.0.0: made for what we send, checked on what calls back."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)
"""A callback that was signed longer ago, or later than now, is not taken."""

_KEY_BYTES = range(24, 65)


class SecretError(ValueError):
    """A signing secret that is none; the message never shows it."""


class SignatureError(ValueError):
    """A callback that is not to be believed; the message says why."""


def signing_key(secret: str, named: str) -> bytes:
    """The key in `whsec_` and base64, which `named` says where to find.

    Raises SecretError where it is no such text or has not 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in _KEY_BYTES:
        raise SecretError(
            f"{named} is no signing secret: it must be {PREFIX} and then 24 to 64 random bytes in "
            f"base64, as `python -c 'import base64, os; "
            f'print("{PREFIX}" + base64.b64encode(os.urandom(32)).decode())\'` makes'
        )
    return key


def signed_headers(
    keys: Sequence[bytes], message_id: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The three headers of an attempt made at `now`; each of `keys` signs by HMAC-SHA256."""
    # The instant, whatever its zone: a relabelled local time would sign another moment.
    timestamp = str(int(now.astimezone(UTC).timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, message_id, timestamp, body) for key in keys),
    }


def require_signed(
    keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """The id of a callback that was signed with one of `keys` within TOLERANCE of `now`.

    `headers` have lower-case names. The same id may come again: keep those that were dealt with.

    Raises SignatureError for one that is unsigned, stale, or signed by somebody else.
    """
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    missing = [name for name in names if not headers.get(name)]
    if missing:
        raise SignatureError(f"the callback is not signed: no {', '.join(missing)}")
    message_id, timestamp, given = (headers[name] for name in names)
    _require_fresh(timestamp, now)
    expected = [_signature(key, message_id, timestamp, body).encode() for key in keys]
    found = [one.encode() for one in given.split()]
    if not any(hmac.compare_digest(one, other) for one in found for other in expected):
        raise SignatureError(
            "the callback's signature is not by the secret of this endpoint, or its body was "
            "changed on the way; sign the bytes as they are sent"
        )
    return message_id


def _require_fresh(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise SignatureError("the callback's webhook-timestamp is not in whole seconds since 1970")
    seconds = int(timestamp) - now.timestamp()
    if abs(seconds) > TOLERANCE.total_seconds():
        when = "ahead of" if seconds > 0 else "behind"
        raise SignatureError(
            f"the callback was signed {abs(seconds):.0f} s {when} our clock; at most "
            f"{TOLERANCE.total_seconds():.0f} s are taken: sign anew for each attempt"
        )


def _signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
