"""API keys: made, listed, rotated and revoked in the operations database."""

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, get_args

from sqlalchemy import Connection, Row, insert, select, update

from serving.database import API_KEYS, RATE_BUCKETS, Database

Scope = Literal["score", "list", "outreach", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_SHAPE = re.compile(r"setia_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


class KeyRefused(ValueError):
    """A key cannot be made, rotated or revoked; the message says why."""


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; the key itself is known only to its holder."""

    id: str
    name: str
    scopes: frozenset[str]
    digest: str
    requests_per_minute: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces: str | None

    def state(self, now: datetime) -> Literal["active", "revoked", "expired"]:
        """Whether the key opens anything at `now`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


def token_id(token: str) -> str | None:
    """The public part of a key by which it is looked up; None when it has not a key's shape."""
    match = _SHAPE.fullmatch(token)
    return match[1] if match else None


def token_digest(token: str) -> str:
    """What is stored of a key. 256 random bits need no slow hash."""
    return sha256(token.encode()).hexdigest()


def create_key(
    database: Database,
    name: str,
    scopes: Collection[Scope],
    requests_per_minute: int,
    expires_at: datetime,
    now: datetime,
) -> tuple[str, ApiKey]:
    """A new key and what is stored of it. The key cannot be had again.

    Raises KeyRefused when it would open nothing.
    """
    if not scopes:
        raise KeyRefused(f"a key without a scope opens nothing; give some of {', '.join(SCOPES)}")
    if expires_at <= now:
        raise KeyRefused(f"a key that expires at {expires_at:%Y-%m-%d %H:%M} UTC opens nothing")
    with database.writing() as connection:
        return _add(connection, name, frozenset(scopes), requests_per_minute, expires_at, now)


def list_keys(database: Database) -> list[ApiKey]:
    """Every key that was ever made, oldest first."""
    with database.reading() as connection:
        rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.id))
        return [_key(row) for row in rows]


def rotate_key(
    database: Database, key_id: str, overlap: timedelta, lifetime: timedelta, now: datetime
) -> tuple[str, ApiKey]:
    """A new key with the rights of `key_id`, which itself still holds for `overlap`.

    Raises KeyRefused when `key_id` is unknown or no longer active.
    """
    with database.writing() as connection:
        old = _active(connection, key_id, now)
        ends = {"expires_at": min(old.expires_at, now + overlap)}
        connection.execute(update(API_KEYS).where(API_KEYS.c.id == key_id).values(ends))
        limit, expires_at = old.requests_per_minute, now + lifetime
        return _add(connection, old.name, old.scopes, limit, expires_at, now, replaces=key_id)


def revoke_key(database: Database, key_id: str, now: datetime) -> None:
    """End `key_id` at once. Raises KeyRefused when it is unknown or no longer active."""
    with database.writing() as connection:
        _active(connection, key_id, now)
        ended = update(API_KEYS).where(API_KEYS.c.id == key_id).values(revoked_at=now)
        connection.execute(ended)


def note_used(database: Database, used: Mapping[str, datetime]) -> None:
    """Store when each key was last used."""
    with database.writing(durable=False) as connection:
        for key_id, at in sorted(used.items()):
            noted = update(API_KEYS).where(API_KEYS.c.id == key_id).values(last_used_at=at)
            connection.execute(noted)


def _add(
    connection: Connection,
    name: str,
    scopes: frozenset[str],
    requests_per_minute: int,
    expires_at: datetime,
    now: datetime,
    replaces: str | None = None,
) -> tuple[str, ApiKey]:
    key_id = secrets.token_hex(6)
    token = f"setia_{key_id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=key_id,
        name=name,
        scopes=scopes,
        digest=token_digest(token),
        requests_per_minute=requests_per_minute,
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
        replaces=replaces,
    )
    connection.execute(insert(API_KEYS), {**vars(key), "scopes": " ".join(sorted(scopes))})
    bucket = {"key_id": key_id, "tokens": requests_per_minute, "filled_at": now.timestamp()}
    connection.execute(insert(RATE_BUCKETS), bucket)
    return token, key


def _active(connection: Connection, key_id: str, now: datetime) -> ApiKey:
    wanted = select(API_KEYS).where(API_KEYS.c.id == key_id).with_for_update()
    row = connection.execute(wanted).first()
    if row is None:
        raise KeyRefused(f"no key has the id {key_id!r}; `setia keys list` shows them")
    key = _key(row)
    if key.state(now) != "active":
        raise KeyRefused(f"key {key_id} is {key.state(now)} already")
    return key


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    fields = dict(row._mapping)
    return ApiKey(**{**fields, "scopes": frozenset(fields["scopes"].split())})
