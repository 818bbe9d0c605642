"""A small generated company, ingested once and opened on both engines."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from features.company.generate import generate_company
from features.config import PipelineConfig, load_config
from features.ingest.run import ingest
from features.snapshot import Snapshot, open_snapshot
from features.spark.snapshot import open_on_spark
from tests.spark_engine import SPARK, need_spark


@dataclass(frozen=True)
class Both:
    """One snapshot on two engines."""

    config: PipelineConfig
    duckdb: Snapshot
    spark: Snapshot


@pytest.fixture(autouse=True)
def _spark_is_here() -> None:
    need_spark()


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a generated company of 300 customers, ingested."""
    company = generate_company(tmp_path_factory.mktemp("company"), 300, seed=3)
    ingest(load_config(company.config))
    return company.config


@pytest.fixture
def both(generated: Path) -> Both:
    config = load_config(generated)
    folder = config.workspace / "snapshots"
    return Both(config, open_snapshot(folder), open_on_spark(folder, SPARK))
