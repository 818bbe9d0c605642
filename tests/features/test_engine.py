"""The configuration names the engine that reads the snapshot."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.config import PipelineConfig
from features.engine import configured_snapshot
from features.spark.session import SparkUnavailable


def test_spark_without_pyspark_says_what_to_install(
    tmp_path: Path, make_snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    order = {"customer_id": "a", "ordered_at": datetime(2024, 1, 1, tzinfo=UTC), "amount": 1}
    make_snapshot(tmp_path / "snapshots", {"orders": [order]})
    config = PipelineConfig(
        name="shop", currency="EUR", workspace=tmp_path, engine="spark", sources={}
    )
    with pytest.raises(SparkUnavailable, match=r"install setia\[spark\], or set engine: duckdb"):
        configured_snapshot(config)
