"""The MLflow record of training: runs, versions with aliases, promotion to a served bundle."""

import importlib.metadata
import json
import logging
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.config import PipelineConfig
from features.feature_contract import FeatureContract
from training.bundle import Bundle, load_bundle, write_bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHURN_MODEL = "setia-churn"
CLV_MODEL = "setia-clv"
UPLIFT_MODEL = "setia-uplift"

_PREVIOUS = "previous_champion"
_PAIRED = {CLV_MODEL: "paired_clv_version", UPLIFT_MODEL: "paired_uplift_version"}
"""Tags of a churn version that name the versions registered and promoted with it."""
_REFUSED = "gate_refused"


class RegistryError(RuntimeError):
    """The registry cannot do what was asked; the message says which command comes first."""


@dataclass(frozen=True)
class Registered:
    """Where a training run was recorded: its MLflow run and the versions it made."""

    run_id: str
    churn_version: str
    clv_version: str | None
    uplift_version: str | None


def bundle_folder(config: PipelineConfig) -> Path:
    """Where the champion is exported for serving."""
    return config.workspace / "bundle"


def tracking(config: PipelineConfig) -> "MlflowClient":
    """A client of the tracking store, with the experiment named as the configuration.

    The store is `mlflow.db` in the workspace, or what MLFLOW_TRACKING_URI names. Telemetry,
    the model catalogue look-up, unpickling and its own progress bars are off unless the
    environment says otherwise.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_MODEL_CATALOG_URI", "")
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    _load_quietly()
    import mlflow

    workspace = config.workspace.resolve()
    workspace.mkdir(parents=True, exist_ok=True)
    ours = f"sqlite:///{workspace / 'mlflow.db'}"
    server = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(server or ours)
    client = mlflow.MlflowClient()
    if begun := os.environ.get("MLFLOW_RUN_ID"):
        # `mlflow run` began the run itself, and MLflow refuses to go on in another experiment.
        mlflow.set_experiment(experiment_id=client.get_run(begun).info.experiment_id)
        return client
    if client.get_experiment_by_name(config.name) is None:
        folder = None if server else (workspace / "artifacts").as_uri()
        client.create_experiment(config.name, artifact_location=folder)
    mlflow.set_experiment(config.name)
    return client


def record_run(
    config: PipelineConfig,
    bundle_files: Path,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    report: Path,
    refusals: Sequence[str],
) -> Registered:
    """Log into the open run and register its models, each with the alias `challenger`.

    Each version holds the whole bundle in `bundle_files`; `mlflow.pyfunc.load_model` returns its
    predictions, by code of `training.mlflow_model` that is installed, not pickled.
    `report` is a folder of plots, tables and the card, logged whole. `refusals` are the gate's
    reasons; a version that carries any is never promoted.

    Raises RegistryError when no run is open (see `training.tracked_run`).
    """
    import mlflow

    client = tracking(config)
    bundle = load_bundle(bundle_files)
    run = mlflow.active_run()
    if run is None:
        raise RegistryError("no run is open to record in; wrap the work in `training_run`")
    mlflow.log_params(dict(params))
    mlflow.log_metrics(dict(metrics))
    mlflow.set_tags(_tags(bundle))
    mlflow.log_text(bundle.contract.model_dump_json(indent=1), "contract.json")
    mlflow.log_artifacts(str(report), "report")
    versions = _register_all(client, bundle, bundle_files, refusals)
    return Registered(
        run.info.run_id,
        versions[CHURN_MODEL],
        versions.get(CLV_MODEL),
        versions.get(UPLIFT_MODEL),
    )


def promote(config: PipelineConfig) -> Bundle:
    """Make the challenger champion, all models of its run together, and export it for serving.

    An uplift model that its gate made abstain is exported too, to say so, but is no champion.
    Returns the bundle as written to `<workspace>/bundle`.

    Raises RegistryError when there is no challenger or the gate refused it, and BundleError
    when its registered files are not what was trained.
    """
    client = tracking(config)
    version = _aliased(client, "challenger")
    if version is None:
        raise RegistryError(f"{CHURN_MODEL} has no challenger; run `setia train` first")
    if refusals := _refused(version):
        raise RegistryError(
            f"{CHURN_MODEL} v{version.version} was refused by the gate: {'; '.join(refusals)}"
        )
    champion = _aliased(client, "champion")
    if champion is not None and champion.version != version.version:
        before = str(champion.version)
        client.set_model_version_tag(CHURN_MODEL, version.version, _PREVIOUS, before)
    return _crown(client, config, version)


def rollback(config: PipelineConfig) -> Bundle:
    """Make the champion's predecessor champion again and export it for serving.

    Raises RegistryError when there is no champion, or none came before it.
    """
    client = tracking(config)
    champion = _aliased(client, "champion")
    if champion is None:
        raise RegistryError(f"{CHURN_MODEL} has no champion; run `setia promote` first")
    if _PREVIOUS not in champion.tags:
        raise RegistryError(
            f"{CHURN_MODEL} v{champion.version} is the first champion; there is none to go back to"
        )
    previous = client.get_model_version(CHURN_MODEL, champion.tags[_PREVIOUS])
    return _crown(client, config, previous)


def champion_bundle(config: PipelineConfig) -> Bundle | None:
    """The registry's champion, verified; None before the first promotion."""
    client = tracking(config)
    version = _aliased(client, "champion")
    return None if version is None else _registered_bundle(version)


def code_revision() -> str:
    """The git revision of the code that runs, or the package version outside a checkout."""
    root = Path(__file__).resolve().parents[1]
    git = shutil.which("git")
    if git and (root / ".git").exists():
        command = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if answer.returncode == 0:
            return answer.stdout.strip()
    return importlib.metadata.version("setia")


def _load_quietly() -> None:
    """Load MLflow without its remarks on its own imports, which no caller of ours can mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    for name in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _crown(client: "MlflowClient", config: PipelineConfig, version: "ModelVersion") -> Bundle:
    """Export first, then move the aliases: a version that cannot be served is never champion."""
    trained = _registered_bundle(version)
    folder = bundle_folder(config)
    exported = write_bundle(folder, trained.models, trained.manifest, trained.card)
    client.set_registered_model_alias(CHURN_MODEL, "champion", version.version)
    for name, tag in _PAIRED.items():
        paired = version.tags.get(tag)
        if paired and not _refused(client.get_model_version(name, paired)):
            client.set_registered_model_alias(name, "champion", paired)
        elif _has_alias(client, name, "champion"):
            client.delete_registered_model_alias(name, "champion")
    return exported


def _registered_bundle(version: "ModelVersion") -> Bundle:
    """The version's bundle, verified, under its registry number instead of its run's name."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        files = mlflow.artifacts.download_artifacts(
            f"models:/{CHURN_MODEL}/{version.version}/bundle", dst_path=folder
        )
        bundle = load_bundle(Path(files))
    numbered = bundle.manifest.model_copy(update={"version": str(version.version)})
    return replace(bundle, manifest=numbered)


def _refused(version: "ModelVersion") -> list[str]:
    """The gate's reasons against a version."""
    return list(json.loads(version.tags.get(_REFUSED, "[]")))


def _register_all(
    client: "MlflowClient", bundle: Bundle, files: Path, refusals: Sequence[str]
) -> dict[str, str]:
    """New versions, by name, of the churn model and of the value and uplift models there are."""
    register = partial(_register, client, contract=bundle.contract, bundle_files=files)
    tags, made = _tags(bundle), {}
    if bundle.models.value:
        made[CLV_MODEL] = register(CLV_MODEL, tags=tags)
    if uplift := bundle.models.uplift:
        against = [] if uplift.ranks else [uplift.verdict]
        made[UPLIFT_MODEL] = register(UPLIFT_MODEL, tags=tags | {_REFUSED: json.dumps(against)})
    tags |= {_REFUSED: json.dumps(list(refusals))}
    tags |= {tag: made.get(name, "") for name, tag in _PAIRED.items()}
    return made | {CHURN_MODEL: register(CHURN_MODEL, tags=tags)}


def _register(
    client: "MlflowClient",
    name: str,
    *,
    contract: FeatureContract,
    bundle_files: Path,
    tags: Mapping[str, str],
) -> str:
    """Register a version whose files are the whole bundle, and how MLflow predicts with it."""
    import mlflow

    with warnings.catch_warnings():
        # It asks for an example and for annotations; the signature is made by hand instead.
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"bundle": str(bundle_files)},
            signature=_signature(contract),
            pip_requirements=[f"setia=={importlib.metadata.version('setia')}"],
        )
    client.log_model_artifacts(model.model_id, str(bundle_files), "bundle")
    if not _exists(client, name):
        client.create_registered_model(name)
    version = client.create_model_version(
        name, model.model_uri, model_id=model.model_id, tags=dict(tags)
    )
    client.set_registered_model_alias(name, "challenger", version.version)
    return str(version.version)


def _signature(contract: FeatureContract) -> Any:
    """Every input is a required double: a sample's gaps must not make a column optional."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    inputs = Schema([ColSpec(DataType.double, name) for name in contract.names])
    return ModelSignature(inputs=inputs, outputs=Schema([ColSpec(DataType.double)]))


def _tags(bundle: Bundle) -> dict[str, str]:
    manifest = bundle.manifest
    return {
        "cutoffs": ",".join(cutoff.isoformat() for cutoff in manifest.cutoffs),
        "churn_horizon_days": str(manifest.churn_horizon_days),
        "clv_horizon_days": str(manifest.clv_horizon_days or ""),
        "contract_hash": manifest.contract_hash,
        "fingerprint": manifest.fingerprint,
        "code_revision": manifest.code_revision,
        "currency": manifest.currency,
        "generated": str(manifest.generated).lower(),
    }


def _aliased(client: "MlflowClient", alias: str) -> "ModelVersion | None":
    if not _has_alias(client, CHURN_MODEL, alias):
        return None
    return client.get_model_version_by_alias(CHURN_MODEL, alias)


def _has_alias(client: "MlflowClient", name: str, alias: str) -> bool:
    return _exists(client, name) and alias in client.get_registered_model(name).aliases


def _exists(client: "MlflowClient", name: str) -> bool:
    return bool(client.search_registered_models(f"name = '{name}'"))
