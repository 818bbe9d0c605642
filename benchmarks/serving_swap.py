"""Promotions under load: no request may fail, none may mix two versions, memory stays flat.

`python -m benchmarks.serving_swap workspace [seconds] [every]`: two bundles of the workspace's
models take turns, one promoted and scored every so many seconds, while four connections with an API
key read customers, lists and stored scores and predict. Then the service is told to end under load.
"""

import json
import shutil
import signal
import statistics
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

from benchmarks.serving_fuzz import new_key
from benchmarks.serving_load import Server, free_port, running
from serving.online import FILE, ListFilter, about_scores, write_online
from serving.scoring import score_rows
from serving.served import load_served
from training.bundle import BundleInfo, write_bundle

SECONDS, EVERY_SECONDS = 600.0, 20.0
_CONNECTIONS = 4
_PAUSE_SECONDS = 0.01
"""Between a client's requests: the load is light, the swaps are what is tried."""
_MOST_GROWTH = 1.1
_MEGABYTE = 1 << 20


@dataclass
class Seen:
    """What the clients saw."""

    answered: int = 0
    failed: int = 0
    mixed: int = 0
    versions: set[str] = field(default_factory=set)


def main(workspace: Path, seconds: float, every: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        promote = _two_versions(workspace, folder / "var")
        promote("one")
        token = new_key(folder / "var")
        port = free_port()
        command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Setia"]
        settings = {"SETIA_WORKSPACE": str(folder / "var"), "BENTOML_HOME": str(folder)}
        with running([*command, "--port", str(port)], port, settings, "/readyz") as server:
            load = Client(port, token)
            seen, memory, promoted = _under_load(server, load, promote, seconds, every)
            # The server has closed this thread's connection, which was idle for long.
            after = Client(port, token)
            refused = _refused(after, folder / "var")
            finished = _finish_on_sigterm(server, after)
    growth = _growth(memory)
    print(
        f"{promoted} promotions in {seconds:.0f} s: {seen.answered} answers, {seen.failed} failed, "
        f"{seen.mixed} mixed; versions answered {sorted(seen.versions)}"
    )
    told = " ".join(f"{size / _MEGABYTE:.0f}" for size in memory[:: max(1, len(memory) // 12)])
    print(f"memory, MB over time: {told}; the last third over the first but one: x {growth:.3f}")
    print(f"a broken version is refused, said so, and the old one answers: {refused}")
    print(f"requests under way at SIGTERM: {len(finished)}, finished: {sum(finished)}")
    good = not seen.failed and not seen.mixed and len(seen.versions) == 2
    return 0 if good and growth <= _MOST_GROWTH and refused and all(finished) else 1


class Client:
    """Asks one server with one key, over a connection of its own a thread."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        self._kept = threading.local()

    def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a GET, or of a POST where there is a body."""
        status, answer = self.read(path, body)
        return status, json.loads(answer)

    def read(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Status and bytes of the same."""
        if not hasattr(self._kept, "connection"):
            self._kept.connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection: HTTPConnection = self._kept.connection
        text = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, text, self._headers)
        response = connection.getresponse()
        return response.status, response.read()


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
    server: Server, client: Client, promote: Callable[[str], None], seconds: float, every: float
) -> tuple[Seen, list[int], int]:
    """What clients saw, the memory every few seconds, and how often a version was promoted."""
    seen, done = Seen(), threading.Event()
    truth = {"one": _scores_of(client)}
    clients = [
        threading.Thread(target=_ask, args=(client, truth, seen, done, place))
        for place in range(_CONNECTIONS)
    ]
    for thread in clients:
        thread.start()
    memory, promoted, began = [_memory(server)], 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if passed >= promoted * every:
            promoted += 1
            promote(("one", "two")[promoted % 2])
        time.sleep(min(5.0, every / 2))
        memory.append(_memory(server))
    done.set()
    for thread in clients:
        thread.join()
    return seen, memory, promoted


def _ask(
    client: Client,
    truth: dict[str, dict[str, float]],
    seen: Seen,
    done: threading.Event,
    place: int,
) -> None:
    """Ask in turn for everything; an answer must hold the scores of the version it names."""
    ids = list(truth["one"])
    for turn in range(place, sys.maxsize):
        if done.wait(_PAUSE_SECONDS):
            break
        status, answer = client.ask(*_asked(turn, ids))
        seen.answered += 1
        if status != 200:
            seen.failed += 1
            continue
        version, found = answer["model_version"], _probabilities(answer)
        seen.versions.add(version)
        known = truth.setdefault(version, {})
        seen.mixed += any(known.setdefault(i, value) != value for i, value in found.items())
        seen.mixed += version == "two" and found == {i: truth["one"][i] for i in found}


def _asked(turn: int, ids: list[str]) -> tuple[str, dict[str, Any] | None]:
    """Path and body of a client's next request."""
    some = [ids[(turn * 7 + step) % len(ids)] for step in range(20)]
    kinds: tuple[tuple[str, dict[str, Any] | None], ...] = (
        ("/v1/scores", {"customer_ids": some}),
        ("/v1/scores", {"customer_ids": some, "repredict": True}),
        ("/v1/scores", {"customer_ids": some[:1], "repredict": True, "explain": False}),
        (f"/v1/customers/{some[0]}", None),
        ("/v1/at-risk?limit=50", None),
    )
    return kinds[turn % len(kinds)]


def _probabilities(answer: dict[str, Any]) -> dict[str, float]:
    """Customer to churn probability, of any answer that names customers."""
    results = answer.get("results") or answer.get("customers") or [answer["customer"]]
    return {result["customer_id"]: result["churn_probability"] for result in results}


def _scores_of(client: Client) -> dict[str, float]:
    return _probabilities(client.ask("/v1/at-risk?limit=500")[1])


def _memory(server: Server) -> int:
    started = psutil.Process(server.process.pid)
    return sum(p.memory_info().rss for p in [started, *started.children(recursive=True)])


def _growth(memory: list[int]) -> float:
    """The last third's median over that of the third before it, when all is warm."""
    third = max(1, len(memory) // 3)
    return statistics.median(memory[-third:]) / statistics.median(memory[-2 * third : -third])


def _refused(client: Client, workspace: Path) -> bool:
    """A bundle with a changed byte: the old one answers, and models and metrics say so."""
    broken = workspace / "broken"
    shutil.copytree(workspace / "bundle", broken)
    with (broken / "card.md").open("a") as card:
        card.write("changed")
    shutil.rmtree(workspace / "bundle")
    broken.rename(workspace / "bundle")
    time.sleep(4)
    said = [client.read(path) for path in ("/readyz", "/v1/models", "/metrics", "/v1/at-risk")]
    reason = json.loads(said[1][1])["refused"]
    told = reason is not None and b"setia_newer_version_refused 1.0" in said[2][1]
    return told and all(status == 200 for status, _ in said)


def _finish_on_sigterm(server: Server, client: Client) -> list[bool]:
    """Whether each call for 10,000 customers that is under way at SIGTERM is answered.

    One predicts and the others read, so that some are at work and some wait their turn.
    """
    ids = list(_scores_of(client))
    finished: list[bool] = []

    def call(place: int) -> None:
        asked = {"customer_ids": (ids * 20)[:10_000], "repredict": place == 0}
        status, answer = client.ask("/v1/scores", asked)
        finished.append(status == 200 and answer["scored"] == 10_000)

    calls = [threading.Thread(target=call, args=(place,)) for place in range(_CONNECTIONS)]
    for thread in calls:
        thread.start()
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    for thread in calls:
        thread.join()
    return finished + [False] * (len(calls) - len(finished))


if __name__ == "__main__":
    given = [float(text) for text in sys.argv[2:]]
    seconds, every = [*given, *(SECONDS, EVERY_SECONDS)[len(given) :]]
    raise SystemExit(main(Path(sys.argv[1]), seconds, every))
