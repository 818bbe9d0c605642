"""Scoring on Spark writes the files that scoring on DuckDB writes."""

from datetime import UTC, datetime

import pytest

from features.company.generate import generate_company
from features.config import PipelineConfig, load_config
from features.feature_contract import FeatureContract
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from features.spine import NobodyEligible
from features.table import catalogue_contract
from features.windows import shift_days
from serving.batch import score_snapshot
from tests.spark_engine import SPARK, need_spark
from tests.tiny_bundle import tiny_bundle

NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _spark_is_here() -> None:
    need_spark()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> PipelineConfig:
    """A generated company with a tiny bundle on a few features of each kind."""
    config = load_config(generate_company(tmp_path_factory.mktemp("company"), 200).config)
    ingest(config)
    every = catalogue_contract(open_snapshot(config.workspace / "snapshots")).columns
    numbers = [column for column in every if column.kind == "numeric"]
    few = {column.name for column in (*numbers[:8], *numbers[-4:])} | {"customers_segment"}
    categories = {"customers_segment": ("consumer", "small_business")}
    contract = FeatureContract(
        columns=tuple(
            column.model_copy(update={"categories": categories.get(column.name, ())})
            for column in every
            if column.name in few
        )
    )
    tiny_bundle(config.workspace / "bundle", contract)
    return config


def written(config: PipelineConfig, engine: str) -> dict[str, bytes]:
    """Every file of one scoring run."""
    chosen = config.model_copy(update={"engine": engine, "spark": SPARK})
    run = score_snapshot(chosen, None, NOW, lambda *_: None)
    return {file.name: file.read_bytes() for file in run.folder.iterdir()}


def test_the_same_bytes_are_written_by_both_engines(company: PipelineConfig) -> None:
    one, other = written(company, "duckdb"), written(company, "spark")
    assert set(one) == {
        *("scores.csv", "scores.parquet", "at_risk.csv"),
        *("online.db", "live.json", "history.db"),
    }
    assert [name for name in one if one[name] != other.get(name)] == []


def test_nobody_to_score_is_said_on_spark_too(company: PipelineConfig) -> None:
    snapshot = open_snapshot(company.workspace / "snapshots")
    first = shift_days(snapshot.manifest.first, 1, snapshot.zone)
    churn = company.churn.model_copy(update={"eligible_days": 1, "activity": "events"})
    config = company.model_copy(update={"engine": "spark", "spark": SPARK, "churn": churn})
    with pytest.raises(NobodyEligible, match="no customer is eligible"):
        score_snapshot(config, first, NOW, lambda *_: None)
