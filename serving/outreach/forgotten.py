"""The keyed hashes of those who were erased, in the operations database."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from features.forgotten import NOBODY, Forgotten
from serving.database import Database
from serving.outreach.kept_secrets import kept_secret, made_secret
from serving.outreach.records import FORGOTTEN

ERASED = "erased_"
"""Begins the name under which an erased person's decisions are still counted."""

_SECRET = "forgotten"  # noqa: S105 - the name under which the key is kept


class Erased(ValueError):
    """Something of a person who was erased."""


def forgotten_in(connection: Connection) -> Forgotten:
    """Everybody who was erased; read it in the transaction that acts on it."""
    key = kept_secret(connection, _SECRET)
    if key is None:
        return NOBODY
    return Forgotten(key.hex(), frozenset(connection.scalars(select(FORGOTTEN.c.digest))))


def forgotten_by(database: Database) -> Forgotten:
    """Everybody who was erased; nobody where no database has been made yet."""
    if not database.exists:
        return NOBODY
    with database.reading() as connection:
        return forgotten_in(connection)


def refuse_erased(connection: Connection, customer_id: str) -> None:
    """Raise Erased for a person who was erased."""
    if customer_id in forgotten_in(connection):
        raise Erased("this person was erased; nothing is kept or shown of them")


def forget_for_good(connection: Connection, customer_id: str, now: datetime) -> datetime | None:
    """Keep the hash of the id; returns when that was done before, if it was."""
    known = forgotten_in(connection)
    if not known.key:
        known = replace(known, key=made_secret(connection, _SECRET).hex())
    digest = known.digest(customer_id)
    before = connection.scalar(select(FORGOTTEN.c.at).where(FORGOTTEN.c.digest == digest))
    if before is None:
        connection.execute(insert(FORGOTTEN).values(digest=digest, at=now))
    return before
