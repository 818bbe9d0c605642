"""Keys that Setia makes for itself and keeps in the operations database, by name."""

import secrets

from sqlalchemy import Connection, Select, select

from serving.database import insert_or
from serving.outreach.records import SECRETS

_BYTES = 32


def kept_secret(connection: Connection, name: str) -> bytes | None:
    """The secret; None while it was never made."""
    return connection.scalar(_named(name))


def made_secret(connection: Connection, name: str) -> bytes:
    """The same, made by the first who asks: two who do at once have the same."""
    row = {"name": name, "value": secrets.token_bytes(_BYTES)}
    connection.execute(insert_or(connection, SECRETS).values(row).on_conflict_do_nothing())
    made: bytes = connection.execute(_named(name)).scalar_one()
    return made


def _named(name: str) -> Select[bytes]:
    return select(SECRETS.c.value).where(SECRETS.c.name == name)
