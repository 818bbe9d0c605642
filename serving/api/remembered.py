"""What is remembered of a write with an idempotency key: the request, and its answer."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """One request as it is remembered: who sent it under which key, and what it asked."""

    caller: str
    key: str
    request: str
    request_hash: str


@dataclass(frozen=True)
class Kept:
    """An answer that was given before."""

    status: int
    headers: Mapping[str, str]
    body: bytes
