"""The operations database: what Setia must not forget, on SQLite in the workspace or PostgreSQL."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.types import TypeDecorator

FILE = "setia.db"
REVISION = "0002"
"""The newest migration; known here so that an up-to-date database opens without Alembic."""

_BUSY_SECONDS = 20.0
_AGAIN_SECONDS = 0.01
_MIGRATION_LOCK = 7_365_746_961
"""Names the advisory lock under which PostgreSQL is migrated."""

_Kind = Literal["read", "write", "soon"]
_SQLITE_BEGIN: dict[_Kind, tuple[str, ...]] = {
    "read": ("BEGIN",),
    # IMMEDIATE waits for its turn at once, where an upgrade from a read would fail.
    "write": ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"),
    "soon": ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE"),
}


class DatabaseError(RuntimeError):
    """The operations database cannot be used; the message names it without its password."""


class UtcTime(TypeDecorator[datetime]):
    """An instant: zone-aware on both sides, UTC inside. A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The instant in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; give an aware time")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The instant with its zone, which SQLite does not keep."""
        instant: datetime | None = value
        if instant is None:
            return None
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


METADATA = MetaData()
ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""The type of a primary key that the database counts up by itself; SQLite has one kind only."""

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("requests_per_minute", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("replaces", String(12)),
)
"""One row per API key; `digest` is SHA-256 of the whole key, which itself is nowhere."""

RATE_BUCKETS = Table(
    "rate_buckets",
    METADATA,
    Column("key_id", String(12), ForeignKey("api_keys.id"), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("filled_at", Float, nullable=False),
)
"""One row per API key: requests left at `filled_at` (seconds since 1970)."""

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("caller", String(12), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request", String(300), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),
    Column("headers", JSON),
    Column("body", LargeBinary),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)
"""One row per caller and idempotency key: the answer, or no status while the first one runs."""


class Database:
    """The operations database of one workspace, migrated before its first use.

    Without `url` it is the file `setia.db` in the workspace. Nothing is opened, or made, until a
    transaction begins.

    Raises DatabaseError when `url` is not one of PostgreSQL, or its driver is not installed.
    """

    def __init__(self, workspace: Path, url: str | None = None) -> None:
        self._file = None if url else workspace / FILE
        self._engine = _postgres(url) if url else _sqlite(workspace / FILE)
        self._current = False
        self._upgrading = threading.Lock()

    @property
    def exists(self) -> bool:
        """Whether it can hold anything: a file that was never made cannot."""
        return self._file is None or self._file.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises DatabaseError when it cannot."""
        self._prepare()
        with self._transaction("read") as connection:
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes, committed when the block ends without an error.

        Once committed it survives a loss of power; without `durable`, which does not wait for
        the disk, perhaps only the end of the process. Raises DatabaseError when it cannot.
        """
        self._prepare()
        with self._transaction("write" if durable else "soon") as connection:
            yield connection

    def scrub(self) -> None:
        """Empty SQLite's log, in which what was deleted may still be; nobody need wait for it."""
        if self._file:
            connection = self._engine.raw_connection()
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, kind: _Kind) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(setia_kind=kind)
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            where = self._file or self._engine.url.render_as_string(hide_password=True)
            raise DatabaseError(f"{where} cannot be used: {error.orig}") from error

    def _prepare(self) -> None:
        if self._current:
            return
        with self._upgrading:
            if self._file and not self._file.exists():
                self._file.parent.mkdir(parents=True, exist_ok=True)
                # Stored answers are personal data; SQLite's other files take these permissions.
                self._file.touch(mode=0o600)
            with self._transaction("read") as connection:
                current = _revision(connection) == REVISION
            if not current:
                self._upgrade()
            self._current = True

    def _upgrade(self) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        migrations = str(Path(__file__).with_name("migrations"))
        config = Config()
        config.set_main_option("script_location", migrations.replace("%", "%%"))
        with self._transaction("write") as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise DatabaseError(
                    f"the operations database is at revision {_revision(connection)}, which this "
                    f"Setia does not know ({REVISION}); install the newer Setia that wrote it"
                ) from error


def insert_or(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert into `table` that can say what is to happen with a row that is there already."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _postgres(given: str) -> Engine:
    try:
        url = make_url(given)
    except ArgumentError:
        raise DatabaseError(
            "operations_url cannot be read; write postgresql://user:${PASSWORD}@host/database"
        ) from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseError(
            f"operations_url is of {url.get_backend_name()}; only PostgreSQL can take the place "
            f"of {FILE} in the workspace"
        )
    try:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ImportError as error:
        raise DatabaseError(
            f"operations_url needs PostgreSQL's driver ({error}); pip install 'setia[postgresql]'"
        ) from None
    event.listen(engine, "begin", _postgres_begin)
    return engine


def _sqlite(file: Path) -> Engine:
    url = URL.create("sqlite", database=str(file))
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: Any, _record: object) -> None:
    # Without this the driver begins transactions by itself, and never IMMEDIATE ones.
    connection.isolation_level = None
    _log_ahead(connection)
    connection.execute("PRAGMA foreign_keys=ON")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on, which is done once for a file.

    Of those who open a new file at once, SQLite refuses all but one without waiting.
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _sqlite_begin(connection: Connection) -> None:
    for statement in _SQLITE_BEGIN[connection.get_execution_options()["setia_kind"]]:
        connection.exec_driver_sql(statement)


def _postgres_begin(connection: Connection) -> None:
    if connection.get_execution_options()["setia_kind"] == "soon":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
