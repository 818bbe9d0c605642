"""The registry on a real SQLite store: versions, aliases, promotion, rollback, refusal."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.config import PipelineConfig, SourceConfig
from tests.tiny_bundle import TINY_CONTRACT, TINY_INFO, tiny_models, tiny_rows
from training.bundle import BundleError, load_bundle, write_bundle
from training.registry import (
    Registered,
    RegistryError,
    champion_bundle,
    code_revision,
    promote,
    record_run,
    rollback,
    tracking,
)
from training.tracked_run import training_run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineConfig:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)
    return PipelineConfig(
        name="tiny shop",
        currency="USD",
        workspace=tmp_path / "var",
        generated=True,
        sources={"orders": SourceConfig(path="orders.csv")},
    )


def record(
    config: PipelineConfig, tmp_path: Path, run: str, *, value: bool = True, refusals: tuple = ()
) -> Registered:
    """One recorded run whose card carries the run's name."""
    files, report = tmp_path / run / "bundle", tmp_path / run / "report"
    info = TINY_INFO.model_copy(update={"version": run})
    write_bundle(files, tiny_models(value=value), info, f"# {run}\n")
    report.mkdir()
    (report / "card.md").write_text(f"# {run}\n")
    with training_run(config, run):
        return record_run(
            config,
            files,
            params={"rounds": 10},
            metrics={"churn.auc": 0.8, "churn.auc_low": 0.7},
            report=report,
            refusals=refusals,
        )


def test_the_champion_loads_by_alias_with_unpickling_off_and_scores_as_the_bundle(
    config: PipelineConfig, tmp_path: Path
) -> None:
    import mlflow

    record(config, tmp_path, "one")
    bundle = promote(config)
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    X = tiny_rows(20)
    table = pd.DataFrame(X, columns=TINY_CONTRACT.names)
    said = mlflow.pyfunc.load_model("models:/setia-churn@champion").predict(table)
    assert np.array_equal(said["churn_probability"], bundle.predict(X).propensity)
    worth = mlflow.pyfunc.load_model("models:/setia-clv@champion").predict(table)
    assert np.array_equal(worth["clv"], bundle.predict(X).clv)


def test_a_run_keeps_parameters_metrics_contract_and_report(
    config: PipelineConfig, tmp_path: Path
) -> None:
    registered = record(config, tmp_path, "one")
    client = tracking(config)
    run = client.get_run(registered.run_id)
    assert run.data.params == {"rounds": "10"}
    assert run.data.metrics == {"churn.auc": 0.8, "churn.auc_low": 0.7}
    assert run.data.tags["fingerprint"] == TINY_INFO.fingerprint
    assert client.get_experiment(run.info.experiment_id).name == "tiny shop"
    logged = {entry.path for entry in client.list_artifacts(registered.run_id)}
    assert {"contract.json", "report"} <= logged


def test_a_version_carries_its_origin_in_tags(config: PipelineConfig, tmp_path: Path) -> None:
    registered = record(config, tmp_path, "one")
    tags = tracking(config).get_model_version("setia-churn", registered.churn_version).tags
    assert tags["contract_hash"] == TINY_CONTRACT.hash
    assert tags["cutoffs"] == "2025-09-01T00:00:00+00:00"
    assert tags["churn_horizon_days"] == "90"
    assert tags["code_revision"] == "test"
    assert tags["generated"] == "true"


def test_every_model_input_is_a_required_number(config: PipelineConfig, tmp_path: Path) -> None:
    import mlflow

    record(config, tmp_path, "one")
    inputs = mlflow.models.get_model_info("models:/setia-churn@challenger").signature.inputs
    assert inputs.input_names() == TINY_CONTRACT.names
    assert all(column.required for column in inputs.inputs)


def test_promotion_exports_the_challenger_under_its_registry_version(
    config: PipelineConfig, tmp_path: Path
) -> None:
    record(config, tmp_path, "one")
    record(config, tmp_path, "two")
    assert champion_bundle(config) is None
    assert promote(config).manifest.version == "2"
    served = load_bundle(config.workspace / "bundle")
    assert served.card == "# two\n"
    client = tracking(config)
    for name in ("setia-churn", "setia-clv"):
        assert str(client.get_model_version_by_alias(name, "champion").version) == "2"


def test_rollback_brings_back_the_champion_before_with_its_value_model(
    config: PipelineConfig, tmp_path: Path
) -> None:
    record(config, tmp_path, "one")
    promote(config)
    record(config, tmp_path, "two", value=False)
    promote(config)
    client = tracking(config)
    assert "champion" not in client.get_registered_model("setia-clv").aliases
    assert rollback(config).card == "# one\n"
    assert load_bundle(config.workspace / "bundle").manifest.version == "1"
    assert str(client.get_registered_model("setia-clv").aliases["champion"]) == "1"
    with pytest.raises(RegistryError, match="v1 is the first champion"):
        rollback(config)


def test_promoting_the_champion_again_exports_it_again(
    config: PipelineConfig, tmp_path: Path
) -> None:
    record(config, tmp_path, "one")
    promote(config)
    (config.workspace / "bundle" / "card.md").unlink()
    promote(config)
    assert load_bundle(config.workspace / "bundle").card == "# one\n"


def test_a_version_the_gate_refused_is_not_promoted(config: PipelineConfig, tmp_path: Path) -> None:
    record(config, tmp_path, "one")
    promote(config)
    record(config, tmp_path, "two", refusals=("no skill",))
    with pytest.raises(RegistryError, match="setia-churn v2 was refused by the gate: no skill"):
        promote(config)
    assert load_bundle(config.workspace / "bundle").card == "# one\n"


def test_files_changed_in_the_registry_are_not_promoted(
    config: PipelineConfig, tmp_path: Path
) -> None:
    record(config, tmp_path, "one")
    for kept in (config.workspace / "artifacts").rglob("churn.trees.txt"):
        kept.write_text(kept.read_text().replace("leaf_value=", "leaf_value=9"))
    with pytest.raises(BundleError, match=r"'churn\.trees\.txt' changed after it was written"):
        promote(config)
    assert not (config.workspace / "bundle").exists()
    assert champion_bundle(config) is None


def test_without_a_run_the_messages_name_the_next_command(config: PipelineConfig) -> None:
    with pytest.raises(RegistryError, match="no challenger; run `setia train` first"):
        promote(config)
    with pytest.raises(RegistryError, match="no champion; run `setia promote` first"):
        rollback(config)


def test_the_workspace_keeps_the_store_and_another_uri_moves_it(
    config: PipelineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking(config)
    assert (config.workspace / "mlflow.db").exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    tracking(config)
    assert (tmp_path / "other.db").exists()


def test_the_code_revision_is_a_git_revision_or_the_package_version() -> None:
    assert code_revision() == code_revision()
    assert code_revision()[0].isalnum()
    assert datetime.now(UTC).isoformat() not in code_revision()
