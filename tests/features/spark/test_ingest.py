"""Ingest on Spark accepts, rejects, warns of and writes what ingest on DuckDB does."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.config import PipelineConfig
from features.contracts import ContractError
from features.engine import configured_snapshot
from features.ingest.report import IngestReport
from features.ingest.run import ingest
from features.sources.source import SourceError
from features.spark.session import spark_session
from features.spine import eligible_spine
from features.table import feature_table
from tests.spark_engine import SPARK, differing

NOW = datetime(2026, 1, 1, tzinfo=UTC)

ORDERS = """\
kunde,tanggal,jumlah,qty,no
ana,2024-01-05,"1.500,50",1,o1
ana,2024-02-05 10:00,"Rp 2.000",2,o2
ana,2024-02-05 10:00,"-500",1,o3
,2024-02-06,100,1,o4
budi,not a day,100,1,o5
budi,2024-02-07,$5,1,o6
budi,2092-02-07,10,1,o7
"""
MORE_ORDERS = """\
no,kunde,tanggal,jumlah
o8,budi,2024-03-01,10,one field too many
o9,budi,2024-03-02,20
"""
SUBSCRIPTIONS = """\
customer_id,subscription_id,started_at,ended_at
ana,s1,2024-01-01,2024-03-01
budi,s2,2024-01-01,
ana,s1,2024-02-01,
cici,s3,2024-01-01,2023-01-01
"""
EVENTS = "sub,occurred_at,event\ns1,2024-01-03,open\ns2,2023-12-30,open\ns9,2024-01-03,open\n"
TICKETS = """\
who,id,at,n,state,words
ana,t1,2024-03-01 09:00,0,New,barang rusak
ana,t1,2024-03-01 11:00,1,Active,barang rusak
ana,t1,2024-03-03 15:00,2,Resolved,barang rusak
ana,t1,2024-03-03 15:00,2,Resolved,barang rusak
budi,t2,2024-03-02 15:00,1,Active,very late delivery
ana,t1,2024-03-05 09:00,3,Active,barang rusak
"""


def sources(folder: Path) -> dict[str, Any]:
    files = {
        "orders/a.csv": ORDERS,
        "orders/b.csv": MORE_ORDERS,
        "subscriptions.csv": SUBSCRIPTIONS,
        "events.csv": EVENTS,
        "tickets.csv": TICKETS,
    }
    (folder / "orders").mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return {
        "orders": {
            "path": str(folder / "orders"),
            "decimal": ",",
            "guests": True,
            "columns": {
                "customer_id": "kunde",
                "ordered_at": "tanggal",
                "amount": "jumlah",
                "quantity": "qty",
                "order_id": "no",
            },
        },
        "subscriptions": {"path": str(folder / "subscriptions.csv")},
        "events": {
            "path": str(folder / "events.csv"),
            "columns": {"customer_id": "sub -> subscriptions"},
        },
        "tickets": {
            "path": str(folder / "tickets.csv"),
            "columns": {"customer_id": "who", "ticket_id": "id", "text": "words"},
            "trail": {
                "changed_at": "at",
                "sequence": "n",
                "status": "state",
                "waiting": ["New"],
                "resolved": ["Resolved"],
            },
        },
    }


def settled(folder: Path, engine: str, described: Mapping[str, Any]) -> PipelineConfig:
    lenient = {name: {"max_reject_rate": 1, **source} for name, source in described.items()}
    return PipelineConfig.model_validate(
        {
            "name": "shop",
            "currency": "IDR",
            "timezone": "Asia/Jakarta",
            "workspace": folder / engine,
            "engine": engine,
            "spark": SPARK,
            "sources": lenient,
        }
    )


def on_both(folder: Path, described: Mapping[str, Any]) -> tuple[IngestReport, IngestReport]:
    one, other = (
        ingest(settled(folder, engine, described), now=NOW) for engine in ("duckdb", "spark")
    )
    return one, other


def rows(path: Path) -> tuple[list[Any], list[Any]]:
    """Columns with their types, and rows in order, of a file or of a folder of parts."""
    files = str(path / "*.parquet") if path.is_dir() else str(path)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.execute(f"SELECT * FROM '{files}'").to_arrow_table()
    return list(table.schema), table.to_pylist()


def test_awkward_sources_make_the_same_report_snapshot_and_rejects(tmp_path: Path) -> None:
    one, other = on_both(tmp_path, sources(tmp_path))
    assert one == other
    assert {each.code for table in one.tables for each in table.rejections} == {
        "broken_line",
        "unreadable_time",
        "other_currency",
        "future_time",
        "duplicate_id",
        "out_of_order",
        "unknown_key",
        "duplicate_row",
    }
    written = sorted(
        path.relative_to(tmp_path / "duckdb") for path in (tmp_path / "duckdb").glob("*/*")
    )
    assert [str(path) for path in written if path.parts[0] == "rejects"] == [
        "rejects/events.parquet",
        "rejects/orders.parquet",
        "rejects/subscriptions.parquet",
        "rejects/tickets.parquet",
    ]
    for path in written:
        if path.suffix == ".parquet":
            assert rows(tmp_path / "spark" / path) == rows(tmp_path / "duckdb" / path), path
    manifests = [
        (tmp_path / e / "snapshots/manifest.json").read_bytes() for e in ("duckdb", "spark")
    ]
    assert manifests[0] == manifests[1]


def test_a_log_of_ticket_changes_gives_the_same_features_as_of_each_cutoff(tmp_path: Path) -> None:
    described = sources(tmp_path)
    on_both(tmp_path, described)
    tables = []
    for engine in ("duckdb", "spark"):
        config = settled(tmp_path, engine, described)
        snapshot = configured_snapshot(config)
        cutoffs = [datetime(2024, 3, day, 17, tzinfo=UTC) for day in (1, 3)]
        spine = eligible_spine(snapshot, config.churn, cutoffs)
        tables.append(feature_table(snapshot, spine))
    assert tables[0]["tickets_open"].to_pylist() != [0.0] * tables[0].num_rows
    assert differing(*tables) == []


def test_a_table_of_spark_s_own_is_read_like_its_parquet_file(tmp_path: Path) -> None:
    session = spark_session(SPARK)
    file = tmp_path / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'c' || i % 7 AS customer_id, i * 1.25 AS amount, "
            "TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(i) AS ordered_at "
            f"FROM range(50) t(i)) TO '{file}'"
        )
    session.read.parquet(file.as_uri()).createOrReplaceTempView("sold")
    from_file = ingest(settled(tmp_path, "duckdb", {"orders": {"path": str(file)}}), now=NOW)
    from_table = ingest(settled(tmp_path, "spark", {"orders": {"table": "sold"}}), now=NOW)
    assert from_table.fingerprint == from_file.fingerprint
    assert from_table.table("orders").accepted == 50


def test_a_database_is_read_as_one_part(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE sold (customer_id TEXT, ordered_at TEXT, amount REAL)")
        database.executemany(
            "INSERT INTO sold VALUES (?, ?, ?)",
            [(f"c{i % 3}", f"2024-01-{i:02d}", i / 4) for i in range(1, 20)],
        )
    one, other = on_both(tmp_path, {"orders": {"url": f"sqlite:///{file}", "table": "sold"}})
    assert one == other
    assert one.table("orders").accepted == 19


@pytest.mark.parametrize(
    ("content", "source", "error", "message"),
    [
        (b"\0\1\2\0", {}, SourceError, r"^orders: .*orders.csv is binary, not a CSV file"),
        (
            b"customer_id,ordered_at\na,2024-01-01\n",
            {},
            ContractError,
            r"^orders: nothing fills the required column 'amount'",
        ),
    ],
)
def test_what_a_worker_finds_wrong_is_said_as_ever(
    tmp_path: Path, content: bytes, source: dict[str, Any], error: type[Exception], message: str
) -> None:
    (tmp_path / "orders.csv").write_bytes(content)
    described = {"orders": {"path": str(tmp_path / "orders.csv"), **source}}
    with pytest.raises(error, match=message):
        ingest(settled(tmp_path, "spark", described), now=NOW)
    assert not (tmp_path / "spark" / "snapshots").exists()


def test_reject_reasons_are_kept_with_the_raw_row(tmp_path: Path) -> None:
    on_both(tmp_path, {"orders": sources(tmp_path)["orders"]})
    _, rejected = rows(tmp_path / "spark" / "rejects" / "orders.parquet")
    raw = {row["reason"]: json.loads(row["raw"]) for row in rejected}
    assert raw["other_currency"]["jumlah"] == "$5"
