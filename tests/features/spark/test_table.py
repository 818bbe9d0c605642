"""Spark and DuckDB give the same features, value by value."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from features.config import PipelineConfig, load_config
from features.engine import configured_snapshot
from features.ingest.run import ingest
from features.snapshot import Snapshot, open_snapshot
from features.spark.snapshot import open_on_spark
from features.spine import SPINE_SCHEMA
from features.table import company_numbers, feature_table
from features.windows import shift_days
from tests.features.spark.conftest import Both
from tests.shared_data import shared_data
from tests.spark_engine import SPARK, differing


def cutoffs_before_the_end(snapshot: Snapshot, *days: int) -> list[datetime]:
    end, zone = snapshot.manifest.watermark, snapshot.zone
    return [shift_days(end, -each, zone) for each in days]


def spine_of_everyone(snapshot: Snapshot, cutoffs: list[datetime]) -> pa.Table:
    tables = [f"SELECT customer_id FROM {name}" for name in snapshot.manifest.tables]
    query = f"SELECT DISTINCT customer_id FROM ({' UNION ALL '.join(tables)}) ORDER BY 1"
    ids = [row[0] for row in snapshot.connection.cursor().execute(query).fetchall()]
    rows = [(one, cutoff) for cutoff in cutoffs for one in ids]
    return pa.table([*map(list, zip(*rows, strict=True))], schema=SPINE_SCHEMA)


def test_every_feature_of_every_customer_agrees_at_three_cutoffs(both: Both) -> None:
    """Rows are asked for in no order, and come in it."""
    spine = spine_of_everyone(both.duckdb, cutoffs_before_the_end(both.duckdb, 400, 150, 0))
    mixed = spine.take(pa.array(np.random.default_rng(1).permutation(spine.num_rows)))
    one, other = feature_table(both.duckdb, mixed), feature_table(both.spark, mixed)
    assert other.select(["customer_id", "cutoff"]).equals(mixed)
    assert one.num_columns > 300
    assert differing(one, other) == []


def test_the_company_s_own_numbers_agree(both: Both) -> None:
    (cutoff,) = cutoffs_before_the_end(both.duckdb, 30)
    one, other = company_numbers(both.duckdb, cutoff), company_numbers(both.spark, cutoff)
    assert list(one) == list(other)
    row = pa.array(one.values(), pa.float64()), pa.array(other.values(), pa.float64())
    assert differing(*(pa.table({"numbers": numbers}) for numbers in row)) == []


def test_attributes_of_any_name_and_rows_known_at_the_same_time_agree(
    tmp_path: Path, make_snapshot: Any
) -> None:
    known = datetime(2024, 1, 1, tzinfo=UTC)
    person = {"customer_id": "a", "signed_up_at": known, 'Größe "cm", ca.': 170}
    customers = [
        {**person, "segment": None, "Plan (old)": None},
        {**person, "segment": "home", "Plan (old)": "x"},
        {**person, "segment": "office", "Plan (old)": "y"},
    ]
    order = {"customer_id": "a", "ordered_at": known, "amount": 0.1}
    embedded = make_snapshot(tmp_path, {"customers": customers, "orders": [order]})
    cutoff = datetime(2024, 2, 1, tzinfo=UTC)
    spine = pa.table([["a"], [cutoff]], schema=SPINE_SCHEMA)
    on_spark = open_on_spark(tmp_path, SPARK)
    assert differing(feature_table(embedded, spine), feature_table(on_spark, spine)) == []


def test_online_retail_agrees(tmp_path: Path) -> None:
    data = shared_data("online-retail-year-one")
    example = Path(__file__).parents[3] / "examples" / "online-retail" / "pipeline.yaml"
    settings = yaml.safe_load(example.read_text())
    settings["sources"]["orders"]["path"] = str(data / "lines.parquet")
    written = tmp_path / "pipeline.yaml"
    written.write_text(yaml.safe_dump({**settings, "spark": SPARK.model_dump()}))
    config = load_config(written)
    ingest(config)
    embedded = open_snapshot(config.workspace / "snapshots")
    cutoffs = cutoffs_before_the_end(embedded, 250, 170, 91)
    spine = spine_of_everyone(embedded, cutoffs)
    assert differing(feature_table(embedded, spine), feature_table(on_spark(config), spine)) == []


def on_spark(config: PipelineConfig) -> Snapshot:
    return configured_snapshot(config.model_copy(update={"engine": "spark"}))
