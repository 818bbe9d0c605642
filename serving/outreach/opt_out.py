"""One-click opt-outs: links by which a customer's mail program says that they want no more."""

import base64
import binascii
import hmac
from dataclasses import dataclass

from sqlalchemy import Connection

from serving.database import Database
from serving.outreach.kept_secrets import kept_secret, made_secret

PATH = "/v1/unsubscribe/"
"""Under which the service takes them; a signature stands for a key there."""

_SECRET = "opt_out"  # noqa: S105 - the name under which the key is kept
_SIGNATURE_BYTES = 16
"""Half of HMAC-SHA256, which keeps links short (RFC 2104, 5)."""


class OptOutError(ValueError):
    """A link that Setia did not make."""


@dataclass(frozen=True, slots=True)
class OptOutLinks:
    """Makes the links, each for one customer and channel; they hold for ever."""

    public_url: str
    """Under which the service is reached from outside."""
    key: bytes | None
    """None where a text is only shown: its link then leads nowhere."""

    def link(self, customer_id: str, channel: str) -> str:
        """Where the customer says that they want nothing more by `channel`."""
        token = opt_out_token(self.key, customer_id, channel) if self.key else "…"
        return f"{self.public_url.rstrip('/')}{PATH}{token}"


def opt_out_token(key: bytes, customer_id: str, channel: str) -> str:
    """Channel, customer and signature, in characters that stand in a URL as they are."""
    named = customer_id.encode()
    return f"{channel}.{_text(named)}.{_text(_signature(key, channel, named))}"


def opened(key: bytes | None, token: str) -> tuple[str, str]:
    """The customer and channel of a token, compared in constant time.

    Raises OptOutError for any that was not signed by `key`; without one, for all.
    """
    try:
        channel, named, signature = token.split(".")
        customer, given = _bytes(named), _bytes(signature)
        if key and hmac.compare_digest(_signature(key, channel, customer), given):
            return customer.decode(), channel
    except (ValueError, binascii.Error):
        pass
    raise OptOutError("this link is not whole, or not one of ours; copy it from the message again")


def opt_out_key(connection: Connection) -> bytes | None:
    """The key that signs the links; None while none was ever made."""
    return kept_secret(connection, _SECRET)


def made_key(database: Database) -> bytes:
    """The same, made by the first who asks."""
    with database.writing() as connection:
        return made_secret(connection, _SECRET)


def _signature(key: bytes, channel: str, customer: bytes) -> bytes:
    # A channel has no dot, so that no other channel and customer are the same bytes.
    return hmac.digest(key, channel.encode() + b"." + customer, "sha256")[:_SIGNATURE_BYTES]


def _text(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
