"""Operations databases for tests: a fresh one on SQLite and one on PostgreSQL."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from serving.database import Database
from serving.keys import ApiKey, Scope, create_key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Place:
    """Where an operations database is, so that it can be opened more than once."""

    workspace: Path
    url: str | None

    def open(self) -> Database:
        return Database(self.workspace, self.url)


def fresh_postgres(server_url: str) -> str:
    """The server's URL with a new, empty schema in place of its public one."""
    name = f"setia_{secrets.token_hex(4)}"
    with psycopg.connect(server_url) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    with_schema = make_url(server_url).update_query_dict({"options": f"-csearch_path={name}"})
    return with_schema.render_as_string(hide_password=False)


def new_key(
    database: Database,
    *scopes: Scope,
    per_minute: int = 6_000,
    now: datetime | None = None,
    lifetime: timedelta = YEAR,
) -> tuple[str, ApiKey]:
    """A key made at `now`, which is the clock's unless given."""
    made = now or datetime.now(UTC)
    return create_key(database, "crm", scopes or ("score",), per_minute, made + lifetime, made)
