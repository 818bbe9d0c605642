"""How long a plan of 100,000 scored customers takes, read, decided and written on SQLite.

`python -m benchmarks.outreach_plan demo/pipeline.yaml [customers]`: the company that `setia demo`
left behind, copied under other ids until it has so many scored customers. Bound: the same number
of rows with the same columns inserted and committed, with nothing read or decided.
"""

import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import orjson
from sqlalchemy import insert, select

from features.config import PipelineConfig, load_config
from features.snapshot import parquet_files, read_manifest
from serving.database import Database
from serving.outreach.decide.basis import read_basis
from serving.outreach.decide.planning import preview_plan, write_plan
from serving.outreach.records import DECISIONS
from serving.served import load_served

_PROMISED_SECONDS = 20.0
_CAPACITY = 10_000
"""Of each channel, so that messages are part of what is measured."""
T = TypeVar("T")


def main(path: Path, customers: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        config = _copied(load_config(path), workspace, customers)
        now = datetime.now(UTC)
        database = Database(workspace)
        begun = time.perf_counter(), time.process_time()
        basis = _timed("read", lambda: read_basis(config, load_served(workspace), now))
        planned = _timed("decide and write", lambda: write_plan(database, config, basis, now))
        wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
        _timed("decide alone", lambda: preview_plan(database, config, basis, now))
        contacts = len(planned.plan.contacts())
        bound = _timed("the same rows inserted", lambda: _inserted(database, workspace / "bound"))
        database.close()
    print(f"{len(planned.plan.decisions):,} decisions, {contacts:,} messages")
    print(f"plan: {wall:.1f} s, {cpu:.1f} s of CPU; promised {_PROMISED_SECONDS:.0f} s")
    print(f"{bound:,} rows inserted alone are the bound")
    return 0 if wall <= _PROMISED_SECONDS else 1


def _timed(what: str, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    print(f"{what}: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU")
    return made


def _inserted(database: Database, folder: Path) -> int:
    """Insert the decisions of one database into another, which is the least a plan must do."""
    with database.reading() as connection:
        rows = [dict(row) for row in connection.execute(select(DECISIONS)).mappings()]
    other = Database(folder)
    with other.writing() as connection:
        connection.execute(insert(DECISIONS), rows)
    other.close()
    return len(rows)


def _copied(config: PipelineConfig, workspace: Path, customers: int) -> PipelineConfig:
    """The configuration with a workspace that holds so many scored customers, room for all."""
    shutil.copytree(config.workspace / "bundle", workspace / "bundle")
    (workspace / "scores").mkdir()
    scored = _copy_scores(config.workspace / "scores", workspace / "scores", customers)
    copies = -(-customers // scored)
    _copy_tables(config.workspace / "snapshots", workspace / "snapshots", copies)
    channels = {
        name: channel.model_copy(update={"daily_capacity": _CAPACITY})
        for name, channel in config.outreach.channels.items()
    }
    outreach = config.outreach.model_copy(update={"channels": channels, "daily_budget": 1e12})
    return config.model_copy(update={"workspace": workspace, "outreach": outreach})


def _copy_tables(source: Path, target: Path, copies: int) -> None:
    target.mkdir()
    shutil.copy(source / "manifest.json", target)
    with closing(duckdb.connect()) as connection:
        for table in read_manifest(source).tables:
            rows = f"read_parquet('{parquet_files(source / f'{table}.parquet')}') rows"
            connection.execute(
                "COPY (SELECT rows.* REPLACE (customer_id || '~' || copy AS customer_id) "
                f"FROM {rows}, (SELECT range AS copy FROM range({copies})) copies) "
                f"TO '{target / f'{table}.parquet'}'"
            )


def _copy_scores(source: Path, target: Path, customers: int) -> int:
    """Write `customers` of the last scores under ids of their own; returns how many there were."""
    shutil.copy(source / "online.db", target)
    with closing(sqlite3.connect(target / "online.db")) as connection, connection:
        ranking = connection.execute("SELECT * FROM ranking ORDER BY rank").fetchall()
        kept = connection.execute("SELECT * FROM customers ORDER BY rank").fetchall()
        connection.execute("DELETE FROM ranking")
        connection.execute("DELETE FROM customers")
        for rank in range(customers):
            copy, place = divmod(rank, len(kept))
            _, customer_id, *listed = ranking[place]
            _, features, score, timing = kept[place]
            name = f"{customer_id}~{copy}"
            told = orjson.dumps(orjson.loads(score) | {"customer_id": name})
            connection.execute(
                "INSERT INTO ranking VALUES (?, ?, ?, ?, ?)", (rank + 1, name, *listed)
            )
            connection.execute(
                "INSERT INTO customers VALUES (?, ?, ?, ?)", (rank + 1, features, told, timing)
            )
    return len(kept)


if __name__ == "__main__":
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    raise SystemExit(main(Path(sys.argv[1]), wanted))
