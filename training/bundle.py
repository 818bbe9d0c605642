"""The bundle: a champion's models as plain, verified files, and the predictions they make."""

import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from features.feature_contract import FeatureContract, Matrix
from training.bundle_files import misfit, model_texts, read_models, wanted_files
from training.models import Models, Prediction
from training.timing.hazard import CURVE_DAYS, Event, Vector
from training.typical import Typical
from training.uplift_model import Uplift

__all__ = [
    "Bundle",
    "BundleError",
    "BundleInfo",
    "Event",
    "Models",
    "Prediction",
    "Typical",
    "Uplift",
    "load_bundle",
    "open_bundle",
    "write_bundle",
]

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
KEY_VARIABLE = "SETIA_BUNDLE_KEY"


class BundleError(ValueError):
    """A bundle that must not be served; the message names the file and what to do."""


class BundleInfo(BaseModel):
    """Where a bundle comes from: what was fitted, on which cutoffs, from which data and code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    """Registry version of the churn model, or `backtest-<cutoff>`."""
    created_at: datetime
    cutoffs: tuple[datetime, ...]
    """The cutoffs the models were fitted on, oldest first; empty when labels have no time."""
    churn_horizon_days: int
    clv_horizon_days: int | None
    """None when the company has no orders or too short a history for value models."""
    currency: str
    fingerprint: str
    """SHA-256 of the data snapshot."""
    code_revision: str
    generated: bool
    """True when the company is generated, so that everything shown can say so."""


class BundleManifest(BundleInfo):
    """`manifest.json`: the bundle's origin and the SHA-256 of every file beside it."""

    contract_hash: str
    files: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """Verified files with their manifest, the models' inputs in order, and the model card."""

    folder: Path
    manifest: BundleManifest
    contract: FeatureContract
    card: str
    files: Mapping[str, bytes] = field(repr=False)
    """What was verified, by name: the models are read from these bytes."""

    @cached_property
    def models(self) -> Models:
        """The models, read when first asked for.

        Raises BundleError when a file is not what its name says, or when a booster does not take
        the contract's features.
        """
        from lightgbm.basic import LightGBMError  # takes longer to import than all of the service

        try:
            models = read_models(self.files)
        except (ValidationError, LightGBMError) as error:
            raise _unreadable(self.folder, error) from None
        if misfit(models):
            raise BundleError(
                f"{self.folder}: a model takes other features than contract.json; retrain"
            )
        return models

    def predict(self, X: Matrix) -> Prediction:
        """Predictions for each row of `X` (see `Models.predict`)."""
        return self.models.predict(X)

    def contributions(self, X: Matrix) -> Matrix:
        """What each feature adds to the churn logit, rows x features."""
        return self.models.contributions(X)

    def act_by(
        self, propensity: Vector, X: Matrix, cutoff: datetime | None
    ) -> list[date] | list[None]:
        """The local date by which to act on each row; None for labels or rows without a time."""
        hazard = self.models.hazard
        if hazard is None or cutoff is None or not len(X):
            return [None] * len(X)
        return hazard.act_by_dates(propensity, X, self.contract, cutoff)

    def churn_curve(self, propensity: Vector, X: Matrix) -> dict[int, Vector]:
        """Churn probability of each row by CURVE_DAYS; empty for labels without a time."""
        hazard = self.models.hazard
        if hazard is None:
            return {}
        curve = hazard.curve(np.array(CURVE_DAYS, dtype=float), propensity, X, self.contract)
        return dict(zip(CURVE_DAYS, curve.T, strict=True))


def write_bundle(folder: Path, models: Models, info: BundleInfo, card: str) -> Bundle:
    """Write `folder` whole, replacing what was there, and return it as read back.

    The files appear by a rename: a reader sees the old bundle or the new, never parts of both.
    With SETIA_BUNDLE_KEY set, the manifest is signed (HMAC-SHA256).
    """
    texts = model_texts(models) | {"card.md": card}
    files = {name: text.encode() for name, text in texts.items()}
    manifest = BundleManifest(
        **info.model_dump(include=set(BundleInfo.model_fields)),
        contract_hash=models.contract.hash,
        files={name: _digest(content) for name, content in sorted(files.items())},
    )
    files[MANIFEST] = manifest.model_dump_json(indent=1).encode()
    if key := os.environ.get(KEY_VARIABLE):
        files[SIGNATURE] = _signature(files[MANIFEST], key).encode()
    _replace_folder(folder, files)
    return load_bundle(folder)


def load_bundle(folder: Path) -> Bundle:
    """The bundle in `folder` with its models read, as `open_bundle` and `Bundle.models` do.

    Raises BundleError as they do.
    """
    bundle = open_bundle(folder)
    _ = bundle.models
    return bundle


def open_bundle(folder: Path) -> Bundle:
    """Read and verify the files in `folder`; nothing in them is executed or unpickled.

    Raises BundleError when a file is missing, extra, a link or changed, and, with
    SETIA_BUNDLE_KEY set, when the signature is not ours.
    """
    before = _identity(folder)
    try:
        return _open(folder)
    except BundleError:
        if _identity(folder) == before:
            raise
        return _open(folder)  # replaced while we were reading; the new one is whole


def _open(folder: Path) -> Bundle:
    files = _read(folder)
    content = files.pop(MANIFEST)
    _verify_signature(folder, content, files.pop(SIGNATURE, b""))
    try:
        manifest = BundleManifest.model_validate_json(content)
        _verify_files(folder, manifest, files)
        contract = FeatureContract.model_validate_json(files["contract.json"])
    except ValidationError as error:
        raise _unreadable(folder, error) from None
    if contract.hash != manifest.contract_hash:
        raise BundleError(f"{folder}: contract.json is not the contract of the manifest; retrain")
    return Bundle(folder, manifest, contract, files["card.md"].decode(), files)


def _unreadable(folder: Path, error: Exception) -> BundleError:
    return BundleError(f"{folder} cannot be read as a bundle: {error}; export it again")


def _read(folder: Path) -> dict[str, bytes]:
    """Every file of the folder, read once, so that what is verified is what is used."""
    try:
        entries = sorted(folder.iterdir())
        odd = [entry.name for entry in entries if entry.is_symlink() or not entry.is_file()]
        if odd:
            raise BundleError(f"{folder} holds {odd[0]!r}, which is no plain file; export it again")
        files = {entry.name: entry.read_bytes() for entry in entries}
    except FileNotFoundError:
        raise BundleError(
            f"no model has been promoted to {folder}; run `setia promote` after `setia train`"
        ) from None
    except OSError as error:
        raise BundleError(f"{folder} cannot be read: {error.strerror}") from None
    if MANIFEST not in files:
        raise BundleError(f"{folder} has no {MANIFEST}; run `setia promote`")
    return files


def _verify_signature(folder: Path, manifest: bytes, signature: bytes) -> None:
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        return
    if not signature:
        raise BundleError(f"{folder} is not signed but {KEY_VARIABLE} is set; train with the key")
    if not hmac.compare_digest(signature.strip(), _signature(manifest, key).encode()):
        raise BundleError(f"{folder}: the signature is not by {KEY_VARIABLE}; do not serve it")


def _verify_files(folder: Path, manifest: BundleManifest, files: Mapping[str, bytes]) -> None:
    wanted = {"card.md"} | wanted_files(files)
    for name in sorted(wanted | files.keys() | manifest.files.keys()):
        if name not in wanted:
            raise BundleError(f"{folder}: {name!r} has no place in a bundle; export it again")
        if name not in files or name not in manifest.files:
            raise BundleError(f"{folder}: {name!r} is missing; export it again")
        if _digest(files[name]) != manifest.files[name]:
            raise BundleError(f"{folder}: {name!r} changed after it was written; export it again")


def _replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    for name, content in files.items():
        (fresh / name).write_bytes(content)
    fresh.chmod(0o755)
    old = fresh.with_name(f"{fresh.name}.old")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _identity(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _signature(manifest: bytes, key: str) -> str:
    return hmac.new(key.encode(), manifest, hashlib.sha256).hexdigest()
