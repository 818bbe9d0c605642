"""An erased person is known by the hash of the id alone, and their rows are set aside."""

from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from features.config import PipelineConfig
from features.forgotten import NOBODY, Forgotten
from features.ingest.run import ingest
from tests.features.ingest.shop import NOW
from tests.spark_engine import SPARK

KEY = Forgotten("00ff" * 16)
ERASED = Forgotten(KEY.key, frozenset({KEY.digest("ana"), KEY.digest("o'neil é")}))
ORDERS = """\
customer_id,ordered_at,amount
ana,2024-01-05,10
 ana ,2024-01-06,not a number
budi,2024-01-05,10
budi,2024-01-06,not a number
"""


def test_only_who_was_erased_is_known_and_only_with_the_key() -> None:
    assert "ana" in ERASED
    assert "Ana" not in ERASED
    assert "ana" not in Forgotten("ab" * 32, ERASED.digests)
    assert "ana" not in NOBODY
    assert not NOBODY


def test_sql_knows_them_as_python_does() -> None:
    ids = ["ana", "budi", "o'neil é", ""]
    query = f"SELECT id FROM (SELECT unnest(?) AS id) WHERE {ERASED.condition('id')}"
    found = duckdb.connect().execute(query, [ids]).fetchall()
    assert {row[0] for row in found} == {one for one in ids if one in ERASED}


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_their_rows_are_set_aside_even_where_they_are_wrong(tmp_path: Path, engine: str) -> None:
    """Nothing of them is in the snapshot, nor among the rejects, which keep what was written."""
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    config = PipelineConfig.model_validate(
        {
            "name": "shop",
            "currency": "IDR",
            "engine": engine,
            "spark": SPARK,
            "workspace": tmp_path / "var",
            "sources": {"orders": {"path": str(file), "max_reject_rate": 1}},
        }
    )
    report = ingest(config, now=NOW, forgotten=ERASED).table("orders")
    assert report.set_aside == {"of customers who were erased": 2}
    assert (report.accepted, report.rejected) == (1, 1)
    for path in (tmp_path / "var").rglob("*.parquet"):
        if path.is_file():
            assert "ana" not in str(parquet.read_table(path).to_pylist())
