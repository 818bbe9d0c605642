"""Cursors: where a page ended, and of what list and filters; opaque to whoever carries them."""

import base64
import binascii
from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field

from serving.api.problems import Problem

Cursor = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
_FURTHEST = 1 << 62


class Place(NamedTuple):
    """Where a page ended."""

    made_for: str
    """The list that it is a page of, where lists replace each other."""
    at: int


def cursor_at(place: Place, filters: Any) -> str:
    """The cursor that reads on after `place` under the dataclass `filters`."""
    told = [place.made_for, _digest(filters), place.at]
    return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


def place_of(cursor: str, filters: Any) -> Place:
    """The place after which a cursor reads on. Raises Problem 400 for one of others."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        made_for, digest, at = orjson.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, TypeError, binascii.Error):
        raise Problem(
            400, "the cursor is not one of ours; take next_cursor as it was given"
        ) from None
    if digest != _digest(filters) or not isinstance(at, int) or not 0 <= at < _FURTHEST:
        raise Problem(400, "the cursor belongs to other filters; keep them the same on every page")
    return Place(made_for, at)


def _digest(filters: Any) -> str:
    return sha256(orjson.dumps(asdict(filters))).hexdigest()[:12]
