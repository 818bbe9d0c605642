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
from serving.online import FILE, ListFilter, about_scores, write_online
from serving.scoring import score_rows
from serving.served import load_served
from training.bundle import BundleInfo, write_bundle

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
        said = about_scores(
            bundle,
            about.cutoff,
            len(scores),
            about.serving,
            datetime.now(UTC),
            data_until=about.data_until,
        )
        write_online(workspace / "scores" / FILE, bundle, said, scores, X)

    return promote


def _under_load(
    server: Server, promote: Callable[[str], None], seconds: float
) -> tuple[Seen, float, int]:
    """What clients saw, by what the memory grew, and how often a version was promoted."""
    seen, done = Seen(), threading.Event()
    truth = {"one": _scores_of(server.port)}
    clients = [
        threading.Thread(target=_ask, args=(server.port, truth, seen, done, client))
        for client in range(_CONNECTIONS)
    ]
    for client in clients:
        client.start()
    before, promoted, until = _memory(server), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        promoted += 1
        promote(("one", "two")[promoted % 2])
        time.sleep(_EVERY_SECONDS)
    done.set()
    for client in clients:
        client.join()
    return seen, _memory(server) / before, promoted


def _ask(
    port: int, truth: dict[str, dict[str, float]], seen: Seen, done: threading.Event, client: int
) -> None:
    """Read and predict in turn; an answer must hold the scores of the version it names."""
    ids = list(truth["one"])
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    for turn in range(client, sys.maxsize):
        if done.is_set():
            break
        asked = [ids[(turn * 7 + step) % len(ids)] for step in range(20)]
        status, answer = _post(connection, {"customer_ids": asked, "repredict": turn % 2 == 0})
        seen.answered += 1
        if status != 200:
            seen.failed += 1
            continue
        version = answer["model_version"]
        seen.versions.add(version)
        found = {r["customer_id"]: r["churn_probability"] for r in answer["results"]}
        known = truth.setdefault(version, {})
        seen.mixed += any(known.setdefault(i, value) != value for i, value in found.items())
        seen.mixed += version == "two" and found == {i: truth["one"][i] for i in found}


def _scores_of(port: int) -> dict[str, float]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v1/at-risk?limit=500")
    customers = json.loads(connection.getresponse().read())["customers"]
    return {customer["customer_id"]: customer["churn_probability"] for customer in customers}


def _post(connection: HTTPConnection, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    headers = {"content-type": "application/json"}
    connection.request("POST", "/v1/scores", json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def _memory(server: Server) -> int:
    started = psutil.Process(server.process.pid)
    return sum(p.memory_info().rss for p in [started, *started.children(recursive=True)])


def _refused(server: Server, workspace: Path) -> bool:
    """A bundle with a changed byte: the old one answers, and models and metrics say so."""
    broken = workspace / "broken"
    shutil.copytree(workspace / "bundle", broken)
    with (broken / "card.md").open("a") as card:
        card.write("changed")
    shutil.rmtree(workspace / "bundle")
    broken.rename(workspace / "bundle")
    time.sleep(2 * _EVERY_SECONDS)
    connection = HTTPConnection("127.0.0.1", server.port)
    said = []
    for path in ("/readyz", "/v1/models", "/metrics", "/v1/at-risk"):
        connection.request("GET", path)
        response = connection.getresponse()
        said.append((response.status, response.read()))
    reason = json.loads(said[1][1])["refused"]
    told = reason is not None and b"setia_newer_version_refused 1.0" in said[2][1]
    return told and all(status == 200 for status, _ in said)


def _finishes_on_sigterm(server: Server) -> bool:
    """A call for 10,000 predictions, under way when the server is told to end, is answered."""
    ids = list(_scores_of(server.port))
    asked = {"customer_ids": (ids * 20)[:10_000], "explain": True, "repredict": True}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    text = json.dumps(asked)
    connection.request("POST", "/v1/scores", text, {"content-type": "application/json"})
    time.sleep(0.02)
    server.process.send_signal(signal.SIGTERM)
    response = connection.getresponse()
    return response.status == 200 and json.loads(response.read())["scored"] == 10_000


if __name__ == "__main__":
    given = sys.argv[2:]
    raise SystemExit(main(Path(sys.argv[1]), float(given[0]) if given else SECONDS))
