"""Promotions under load: no request may fail, none may mix two versions, memory stays flat.

`python -m benchmarks.serving_swap workspace [seconds]`: two bundles of the workspace's models take
turns, each promoted and scored every two seconds, while four connections read and predict.
"""

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.serving_load import Server, free_port, running
from features.feature_contract import Matrix
from serving.online import FILE, ListFilter, about_scores, write_online
from serving.scoring import Score, score_rows
from serving.served import load_served
from training.bundle import Bundle, BundleInfo, write_bundle

SECONDS = 20.0
_EVERY_SECONDS = 2.0
_CONNECTIONS = 4
_MOST_GROWTH = 1.3


@dataclass
class Seen:
    """What the clients saw."""

    answered: int = 0
    failed: int = 0
    mixed: int = 0
    versions: set[str] = field(default_factory=set)


def main(workspace: Path, seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        promote = _two_versions(workspace, folder / "var")
        promote("one")
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Setia"]
        settings = {"SETIA_WORKSPACE": str(folder / "var"), "BENTOML_HOME": str(folder)}
        with running([*command, "--port", str(port)], port, settings, "/readyz") as server:
            seen, growth, promoted = _under_load(server, promote, seconds)
            refused = _refused(server, folder / "var")
            finished = _finishes_on_sigterm(server)
    print(
        f"{promoted} promotions in {seconds:.0f} s: {seen.answered} answers, {seen.failed} failed, "
        f"{seen.mixed} mixed; versions answered {sorted(seen.versions)}; memory x {growth:.2f}"
    )
    print(f"a broken version is refused, said so, and the old one answers: {refused}")
    print(f"requests begun before SIGTERM are finished: {finished}")
    good = not seen.failed and not seen.mixed and len(seen.versions) == 2
    return 0 if good and growth <= _MOST_GROWTH and refused and finished else 1


def _two_versions(source: Path, workspace: Path) -> Callable[[str], None]:
    """What promotes a version by name: "one" is the model, "two" has another calibration."""
    served = load_served(source)
    models, about = served.bundle.models, served.snapshot.about
    ids = [json.loads(s)["customer_id"] for _, s in served.snapshot.page(ListFilter(), 0, 500)]
    found = served.snapshot.find_many(ids)
    X = np.stack([customer.features for customer in found.values()])
    info = BundleInfo(**served.bundle.manifest.model_dump(include=set(BundleInfo.model_fields)))
    calibration = models.churn.calibration.model_copy(update={"kind": "platt", "slope": 0.5})
    churn = {"one": models.churn, "two": replace(models.churn, calibration=calibration)}

    def promote(version: str) -> None:
        named = info.model_copy(update={"version": version})
        bundle = write_bundle(
            workspace / "bundle", replace(models, churn=churn[version]), named, "# Card\n"
        )
        scores = score_rows(bundle, list(found), X, about.cutoff, about.serving, explain=False)
        _publish(workspace, bundle, scores, X)

    return promote


def _publish(workspace: Path, bundle: Bundle, scores: list[Score], X: Matrix) -> None:
    serving = load_serving()
    about = about_scores(bundle, scores[0].cutoff, len(scores), serving, datetime.now(UTC))
    write_online(workspace / "scores" / FILE, bundle, about, scores, X)
