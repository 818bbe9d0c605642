"""The operations database, on SQLite and on PostgreSQL: migrated once, and nothing lost."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, select, text

from serving import fresh, standings  # noqa: F401 - their tables are compared too
from serving.database import METADATA, RATE_BUCKETS, REVISION, Database, DatabaseError
from serving.keys import list_keys
from serving.outreach import records  # noqa: F401 - as are its
from tests.serving.operations import NOW, YEAR, Place, new_key

MIGRATIONS = Path(__file__).parents[2] / "serving" / "migrations"


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == REVISION
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION


def test_those_who_open_it_at_once_migrate_it_once(place: Place) -> None:
    opened = [place.open() for _ in range(6)]
    with ThreadPoolExecutor(6) as together:
        found = list(together.map(list_keys, opened))
    assert found == [[]] * 6
    for database in opened:
        database.close()


def test_of_those_who_make_a_file_at_once_none_is_turned_away(tmp_path: Path) -> None:
    """SQLite does not wait where two would turn a new file's log on, so many files are made."""
    with ThreadPoolExecutor(4) as together:
        for number in range(30):
            opened = [Database(tmp_path / str(number)) for _ in range(4)]
            assert list(together.map(list_keys, opened)) == [[]] * 4
            for database in opened:
                database.close()


def test_a_newer_database_is_refused(place: Place, database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    again = place.open()
    with pytest.raises(DatabaseError, match=r"revision 9999.* install the newer Setia"):
        list_keys(again)
    again.close()


def test_times_keep_their_instant_and_need_a_zone(database: Database) -> None:
    jakarta = datetime(2026, 1, 2, 10, 4, 5, tzinfo=timezone(timedelta(hours=7)))
    new_key(database, now=jakarta)
    (key,) = list_keys(database)
    assert key.created_at == NOW
    assert key.created_at.tzinfo == UTC
    assert key.expires_at == NOW + YEAR
    with pytest.raises(Exception, match="has no time zone"):
        new_key(database, now=NOW.replace(tzinfo=None))


def test_an_error_in_the_block_leaves_nothing(database: Database) -> None:
    _, key = new_key(database)

    def fail() -> None:
        with database.writing() as connection:
            connection.execute(text("DELETE FROM rate_buckets"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.reading() as connection:
        assert connection.execute(select(RATE_BUCKETS.c.key_id)).scalar() == key.id


def test_writers_at_once_wait_for_each_other(database: Database) -> None:
    """Each reads and writes back one more, so a lost update would show."""
    new_key(database, per_minute=1)

    def add_one(_: int) -> None:
        with database.writing(durable=False) as connection:
            tokens = connection.execute(select(RATE_BUCKETS.c.tokens).with_for_update()).scalar()
            connection.execute(RATE_BUCKETS.update().values(tokens=tokens + 1))

    with ThreadPoolExecutor(4) as together:
        list(together.map(add_one, range(40)))
    with database.reading() as connection:
        assert connection.execute(select(RATE_BUCKETS.c.tokens)).scalar() == 41


def test_what_was_committed_outlives_a_killed_process(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from tests.serving.operations import new_key
from serving.database import Database
database = Database(Path(sys.argv[1]))
new_key(database)
with database.writing() as connection:
    connection.exec_driver_sql("DELETE FROM rate_buckets")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    database = Database(tmp_path)
    assert len(list_keys(database)) == 1
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(RATE_BUCKETS)).scalar() == 1
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    database.close()


def test_sqlite_is_set_for_durability_and_for_its_owner_only(tmp_path: Path) -> None:
    database = Database(tmp_path / "new" / "var")
    assert not database.exists
    with database.writing() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        orphan = {"key_id": "nobody", "tokens": 1, "filled_at": 0}
        with pytest.raises(Exception, match="FOREIGN KEY"):
            connection.execute(insert(RATE_BUCKETS), orphan)
    with database.writing(durable=False) as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1
    file = tmp_path / "new" / "var" / "setia.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "setia.db").write_text("not a database, but long enough to be read as one" * 50)
    database = Database(tmp_path)
    with pytest.raises(DatabaseError, match=r"setia\.db cannot be used: file is not a database"):
        list_keys(database)
    database.close()


def test_without_the_driver_of_postgresql_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseError, match=r"needs PostgreSQL's driver .* 'setia\[postgresql\]'"):
        Database(tmp_path, "postgresql://me:s3cret@host/setia")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:s3cret@host/setia", "is of mysql; only PostgreSQL"),
        ("sqlite:///other.db", "is of sqlite; only PostgreSQL"),
        ("no url", "cannot be read; write postgresql://"),
    ],
)
def test_another_kind_of_database_is_refused(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said) as refused:
        Database(tmp_path, url)
    assert "s3cret" not in str(refused.value)


def test_a_server_out_of_reach_is_named_without_its_password(tmp_path: Path) -> None:
    database = Database(tmp_path, "postgresql://me:s3cret@127.0.0.1:1/setia")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1/setia cannot be used") as refused:
        list_keys(database)
    assert "s3cret" not in str(refused.value)
