"""Who was erased, known by a keyed hash alone, so that they are never scored or contacted again."""

import hmac
import secrets
from datetime import datetime

from sqlalchemy import Connection, insert, select

from serving.outreach.records import FORGOTTEN, SECRETS

_SECRET = "forgotten"  # noqa: S105 - the name under which the key is kept


class Forgotten:
    """The erased, as one transaction finds them: `customer_id in Forgotten(connection)`."""

    def __init__(self, connection: Connection) -> None:
        self._key = _key(connection)
        digests = select(FORGOTTEN.c.digest)
        self._digests = frozenset(connection.scalars(digests)) if self._key else frozenset()

    def __contains__(self, customer_id: str) -> bool:
        """Whether the person with this id was erased."""
        return bool(self._digests) and _digest(self._key, customer_id) in self._digests

    def __bool__(self) -> bool:
        """Whether anybody was."""
        return bool(self._digests)


def forget_for_good(connection: Connection, customer_id: str, now: datetime) -> datetime | None:
    """Keep the hash of the id; returns when that was done before, if it was."""
    key = _key(connection)
    if not key:
        key = secrets.token_bytes(32)
        connection.execute(insert(SECRETS).values(name=_SECRET, value=key))
    digest = _digest(key, customer_id)
    before = connection.scalar(select(FORGOTTEN.c.at).where(FORGOTTEN.c.digest == digest))
    if before is None:
        connection.execute(insert(FORGOTTEN).values(digest=digest, at=now))
    return before


def _key(connection: Connection) -> bytes:
    """The key of the hashes; empty before the first erasure."""
    return connection.scalar(select(SECRETS.c.value).where(SECRETS.c.name == _SECRET)) or b""


def _digest(key: bytes, customer_id: str) -> str:
    return hmac.digest(key, customer_id.encode(), "sha256").hex()
