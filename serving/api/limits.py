"""Rate limits: a token bucket per API key, shared by all workers and leased from in slices."""

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field

from sqlalchemy import select, update

from serving.api.problems import Problem
from serving.database import RATE_BUCKETS, Database, DatabaseError
from serving.keys import ApiKey

WINDOW_SECONDS = 60

_SLICES = 100
"""A lease is a hundredth of the bucket, so idle workers withhold little of it."""
_LEAST_WAIT_SECONDS = 0.25
"""An empty bucket is not asked again sooner, however many requests are refused."""

_log = logging.getLogger("setia.serving")

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Grant:
    """What one lease took from a shared bucket, and what it left there."""

    granted: int
    left: float


@dataclass
class _Lease:
    """One key's share in this worker. `empty_until` is on the monotonic clock."""

    tokens: int = 0
    left: float = 0.0
    empty_until: float = 0.0
    renewal: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Limits:
    """The rate limits of every key, as this worker applies them.

    A bucket holds one minute's requests and refills steadily. A worker takes a slice from the
    shared bucket, and the next one before it runs out, so that hardly a request waits for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._leases: dict[str, _Lease] = {}

    async def take(self, key: ApiKey) -> Headers:
        """Count one request of `key`; the headers that say what is left.

        Raises Problem 429 when the bucket is empty.
        """
        lease = self._leases.setdefault(key.id, _Lease())
        while lease.tokens < 1:
            if time.monotonic() < lease.empty_until:
                raise _exhausted(key, lease)
            await asyncio.shield(self._renewal(key, lease))
        lease.tokens -= 1
        if lease.tokens < _slice(key) // 2 and time.monotonic() >= lease.empty_until:
            self._renewal(key, lease)
        return _headers(key, lease)

    def _renewal(self, key: ApiKey, lease: _Lease) -> "asyncio.Task[None]":
        if lease.renewal is None or lease.renewal.done():
            lease.renewal = asyncio.create_task(self._renew(key, lease))
        return lease.renewal

    async def _renew(self, key: ApiKey, lease: _Lease) -> None:
        try:
            grant = await asyncio.to_thread(lease_tokens, self._database, key, time.time())
        except DatabaseError as error:
            _log.warning("rate limits cannot be shared, so this worker grants its own: %s", error)
            grant = Grant(_slice(key), 0.0)
        lease.tokens += grant.granted
        lease.left = grant.left
        if grant.granted == 0:
            wait = max(_LEAST_WAIT_SECONDS, (1 - grant.left) * WINDOW_SECONDS / _capacity(key))
            lease.empty_until = time.monotonic() + wait


def lease_tokens(database: Database, key: ApiKey, now: float) -> Grant:
    """Take a slice of the shared bucket of `key` at `now` (seconds since 1970)."""
    bucket = RATE_BUCKETS.c
    with database.writing(durable=False) as connection:
        wanted = select(bucket.tokens, bucket.filled_at).where(bucket.key_id == key.id)
        tokens, filled_at = connection.execute(wanted.with_for_update()).one()
        refilled = max(0.0, now - filled_at) * _capacity(key) / WINDOW_SECONDS
        full = min(float(_capacity(key)), tokens + refilled)
        granted = min(_slice(key), int(full))
        taken = update(RATE_BUCKETS).where(bucket.key_id == key.id)
        connection.execute(taken.values(tokens=full - granted, filled_at=max(now, filled_at)))
    return Grant(granted, full - granted)


def _capacity(key: ApiKey) -> int:
    return key.requests_per_minute


def _slice(key: ApiKey) -> int:
    return max(1, _capacity(key) // _SLICES)


def _headers(key: ApiKey, lease: _Lease) -> Headers:
    """The draft's fields (ratelimit-headers-11) and the older names that many clients read."""
    quota = _capacity(key)
    remaining = lease.tokens + int(lease.left)
    reset = math.ceil((quota - remaining) * WINDOW_SECONDS / quota)
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (quota, WINDOW_SECONDS)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (remaining, reset)),
        (b"x-ratelimit-limit", b"%d" % quota),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]


def _exhausted(key: ApiKey, lease: _Lease) -> Problem:
    wait = max(1, math.ceil(lease.empty_until - time.monotonic()))
    said = {name.decode(): value.decode() for name, value in _headers(key, lease)}
    return Problem(
        429,
        f"this key may make {_capacity(key)} requests a minute; wait {wait} s, and ask for many "
        "customers in one call",
        slug="quota-exceeded",
        headers={**said, "Retry-After": str(wait)},
    )
