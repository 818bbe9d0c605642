"""Request ids: taken from the client when they are harmless, otherwise made."""

import re
import secrets

HEADER = "x-request-id"

_SAFE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id_of(given: str) -> str:
    """The id that the client gave, or one of our own when it gave none that may be repeated."""
    return given if _SAFE.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """An id that no other request has."""
    return f"req_{secrets.token_hex(12)}"
