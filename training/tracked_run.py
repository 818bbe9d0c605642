"""The MLflow run of one training: open while it works, closed by the next run if it was killed."""

import fcntl
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import PipelineConfig
from training.registry import RegistryError, tracking
from training.tuning.search import Trial

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PLACE = "setia.workspace"


@contextmanager
def training_run(config: PipelineConfig, name: str) -> Iterator[None]:
    """An open run called `name`, which what is recorded goes to; FAILED when the work raises.

    Runs that a killed process of this workspace left open become KILLED first.

    Raises RegistryError when another training is at work in the workspace.
    """
    client = tracking(config)
    import mlflow

    place = f"{platform.node()}:{config.workspace.resolve()}"
    with _alone(config.workspace):
        _close_killed(client, config, place)
        with mlflow.start_run(run_name=name):
            mlflow.set_tag(_PLACE, place)
            yield


def log_trial(trial: Trial) -> None:
    """Log one trial of a search as a run nested in the open one."""
    import mlflow

    with mlflow.start_run(run_name=f"tuning {trial.number}", nested=True):
        mlflow.log_params(trial.boosting.model_dump() | {"stopped_early": trial.stopped_early})
        if trial.rounds is not None:
            mlflow.log_metrics({"tuning_log_loss": trial.log_loss, "rounds": trial.rounds})


@contextmanager
def _alone(workspace: Path) -> Iterator[None]:
    """Hold the workspace's training lock, which ends with the process, however it ends."""
    with (workspace / "training.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RegistryError(
                f"another `setia train` is at work in {workspace}; wait for it to end"
            ) from None
        yield


def _close_killed(client: "MlflowClient", config: PipelineConfig, place: str) -> None:
    """Mark open runs of this place, and the trials nested in them, as killed: nobody is at work."""
    experiment = client.get_experiment_by_name(config.name)
    if experiment is None:
        return
    for run in _open(client, experiment.experiment_id, f"tags.`{_PLACE}` = '{place}'"):
        for trial in _open(
            client, experiment.experiment_id, f"tags.`mlflow.parentRunId` = '{run}'"
        ):
            client.set_terminated(trial, "KILLED")
        client.set_terminated(run, "KILLED")


def _open(client: "MlflowClient", experiment: str, condition: str) -> list[str]:
    """Ids of the experiment's runs that are still open and fulfil `condition`."""
    running = f"attributes.status = 'RUNNING' and {condition}"
    return [run.info.run_id for run in client.search_runs([experiment], running)]
