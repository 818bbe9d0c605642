"""Training runs that fail, are killed or meet another: what is left, and that the next succeeds."""

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features.config import ChurnConfig, ClvConfig, PipelineConfig, SourceConfig, TrainingConfig
from tests.conftest import write_snapshot
from tests.training.test_run import shop, silent
from training.bundle import BundleError, load_bundle
from training.dataset import CannotTrain, NotEnoughHistory
from training.registry import RegistryError, tracking
from training.run import train

pytest.importorskip("optuna")

ROOT = Path(__file__).parents[2]
KILLED_IN_TUNING = """
def progress(label, done, total):
    if label == "tuning the boosted trees" and done == 2:
        kill()
"""
KILLED_BETWEEN_CLV_AND_CHURN = """
import mlflow
register = mlflow.MlflowClient.create_model_version
def until_churn(client, name, *given, **named):
    return kill() if name == "setia-churn" else register(client, name, *given, **named)
mlflow.MlflowClient.create_model_version = until_churn
def progress(label, done, total):
    pass
"""
CHILD = """
import os, signal, sys
from features.config import PipelineConfig
from training.run import train
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
{moment}
train(PipelineConfig.model_validate_json(sys.argv[1]), True, progress)
"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)


def company(workspace: Path, **training: Any) -> PipelineConfig:
    write_snapshot(workspace / "snapshots", {"orders": shop(150, 3)})
    settings = {"cutoffs": 2, "cutoff_every_days": 40, "bootstrap_draws": 20} | training
    return PipelineConfig(
        name="made shop",
        currency="EUR",
        workspace=workspace,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn=ChurnConfig(horizon_days=40, eligible_days=120),
        clv=ClvConfig(horizon_days=60),
        training=TrainingConfig(**settings),
    )


def killed(config: PipelineConfig, moment: str) -> None:
    """Train in a process of its own that is killed at `moment`."""
    command = [sys.executable, "-c", CHILD.format(moment=moment), config.model_dump_json()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def statuses(config: PipelineConfig) -> dict[str, list[str]]:
    """States of the experiment's runs, oldest first: of trainings, and of trials within them."""
    client = tracking(config)
    experiment = client.get_experiment_by_name(config.name)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    found: dict[str, list[str]] = {"training": [], "tuning": []}
    for run in runs:
        found["tuning" if "mlflow.parentRunId" in run.data.tags else "training"].append(
            run.info.status
        )
    return found


def plain_bytes(workspace: Path) -> dict[str, str]:
    """Digests of the served files, and the manifest, without the name and time of the run."""
    manifest = load_bundle(workspace / "bundle").manifest
    told = json.loads(manifest.model_dump_json(exclude={"version", "created_at", "files"}))
    files = {name: digest for name, digest in manifest.files.items() if name != "card.md"}
    return files | {name: str(value) for name, value in told.items()}


def test_a_killed_training_leaves_nothing_half_done_and_the_next_ends_as_if_undisturbed(
    tmp_path: Path,
) -> None:
    """Killed after two trials of a search, then between registering CLV and churn, then let be."""
    tuning = {"tuning": {"trials": 4}}
    config = company(tmp_path / "killed", **tuning)
    killed(config, KILLED_IN_TUNING)
    assert statuses(config) == {"training": ["RUNNING"], "tuning": ["FINISHED"] * 2}
    with pytest.raises(BundleError, match="no model has been promoted"):
        load_bundle(tmp_path / "killed" / "bundle")
    killed(config, KILLED_BETWEEN_CLV_AND_CHURN)
    assert statuses(config) == {"training": ["KILLED", "RUNNING"], "tuning": ["FINISHED"] * 4}
    report = train(config, True, silent)
    assert statuses(config)["training"] == ["KILLED", "KILLED", "FINISHED"]
    assert len(statuses(config)["tuning"]) == 4
    assert (report.registered.churn_version, report.registered.clv_version) == ("1", "2")
    train(company(tmp_path / "undisturbed", **tuning), True, silent)
    assert plain_bytes(tmp_path / "killed") == plain_bytes(tmp_path / "undisturbed")


def test_a_training_that_is_refused_is_a_failed_run(tmp_path: Path) -> None:
    config = company(tmp_path)
    too_long = config.model_copy(update={"churn": ChurnConfig(horizon_days=300)})
    with pytest.raises((CannotTrain, NotEnoughHistory)):
        train(too_long, False, silent)
    assert statuses(config)["training"] == ["FAILED"]


def test_two_trainings_do_not_work_in_one_workspace(tmp_path: Path) -> None:
    config = company(tmp_path)
    with (tmp_path / "training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RegistryError, match="another `setia train` is at work in"):
            train(config, False, silent)
