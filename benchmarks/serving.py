"""The API's cost for each request beside a bare route, FastAPI, BentoML and MLflow as they come.

`python -m benchmarks.serving [workspace] [--mlflow]`; without a workspace a company is generated
and trained first. Setia answers with metrics, keys and limits on. Costs are the kernel's processor
time of the servers, not time on the wall, and the least of several rounds in which all take turns:
what else runs on the machine can only add to a round.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.serving_fuzz import linked_with_key
from benchmarks.serving_load import Call, Load, Server, free_port, running
from benchmarks.serving_mlflow import mlflow_server
from benchmarks.serving_rivals import boosters
from serving.online import FILE, ListFilter, about_scores, write_online
from serving.scoring import score_rows
from serving.served import load_served
from training.bundle import load_bundle

CUSTOMERS = 20_000
"""In the store; a trained company's rows are repeated under new ids up to so many."""
CONNECTIONS = (1, 16, 64)
ROUNDS = 5
REQUESTS, REQUESTS_OF_RIVALS = 1_000, 160
"""In each round."""
BULK = 10_000

STORED = Call("/v1/customers/{}")
AGAIN = Call("/v1/scores", '{"customer_ids": ["{}"], "explain": false, "repredict": true}')
_PYTHON = sys.executable
_BENTOML = (_PYTHON, "-m", "bentoml", "serve")
_UVICORN = (_PYTHON, "-m", "uvicorn", "--log-level", "warning", "--factory")

Loads = dict[str, dict[int, Load]]


def main(arguments: list[str]) -> int:
    given = [Path(argument) for argument in arguments if not argument.startswith("--")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = given[0] if given else _trained(folder)
        ids, rows = _grown(source, folder / "var")
        with ExitStack() as stack:
            token = linked_with_key(folder / "var", folder / "keyed")
            servers = _servers(stack, folder, ids[0], token)
            loads = _measured(servers, ids, token)
            bulk = _bulk(servers["Setia"], ids, token)
            bare = _bare(folder / "var", rows)
        row_of_mlflow = mlflow_server(folder / "var", rows) if "--mlflow" in arguments else None
    return _told(loads, bulk, bare, row_of_mlflow)


def _trained(folder: Path) -> Path:
    command = [_PYTHON, "setia.py", "demo", "--folder", str(folder / "demo")]
    subprocess.run([*command, "--customers", "1500", "--no-serve"], check=True)
    return folder / "demo" / "var"


def _grown(source: Path, workspace: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    """A workspace of CUSTOMERS customers like those of `source`: their ids and feature rows."""
    served = load_served(source)
    about, bundle = served.snapshot.about, served.bundle
    shutil.copytree(source / "bundle", workspace / "bundle")
    ranked = [json.loads(s) for _, s in served.snapshot.page(ListFilter(), 0, about.customers)]
    found = [served.snapshot.find(score["customer_id"]) for score in ranked]
    X = np.stack([customer.features for customer in found if customer])
    scores = score_rows(bundle, [s["customer_id"] for s in ranked], X, about.cutoff, about.serving)
    place = np.sort(np.arange(CUSTOMERS) % len(scores))
    ids = [f"C{number:07d}" for number in range(CUSTOMERS)]
    many = [replace(scores[i], customer_id=x) for i, x in zip(place.tolist(), ids, strict=True)]
    said = about_scores(
        bundle,
        about.cutoff,
        CUSTOMERS,
        about.serving,
        about.created_at,
        data_until=about.data_until,
    )
    write_online(workspace / "scores" / FILE, bundle, said, many, X[place])
    mixed = np.random.default_rng(7).permutation(CUSTOMERS)
    return [ids[i] for i in mixed.tolist()], X[place][mixed]


def _servers(stack: ExitStack, folder: Path, customer_id: str, token: str) -> dict[str, Server]:
    """Setia with keys and without, then the others; the bare route answers with Setia's bytes."""
    settings = {"SETIA_WORKSPACE": str(folder / "var"), "BENTOML_HOME": str(folder)}

    def start(command: tuple[str, ...], ready: str, more: Mapping[str, str]) -> Server:
        port = free_port()
        whole = [*command, "--port", str(port)]
        return stack.enter_context(running(whole, port, {**settings, **more}, ready))

    ours = (*_BENTOML, "serving.service:Setia")
    setia = start(ours, "/readyz", {"SETIA_WORKSPACE": str(folder / "keyed")})
    keyless = start(ours, "/readyz", {})
    answer = folder / "answer.json"
    answer.write_bytes(_answer(setia.port, STORED.path.replace("{}", customer_id), token))
    floor = start((*_UVICORN, "benchmarks.serving_rivals:floor"), "/", {"SETIA_FLOOR": str(answer)})
    plain = start((*_UVICORN, "benchmarks.serving_rivals:plain_fastapi"), "/docs", {})
    bentoml = start((*_BENTOML, "benchmarks.serving_rivals:AsItComes"), "/readyz", {})
    rivals = {"floor": floor, "FastAPI": plain, "BentoML": bentoml}
    return {"Setia": setia, "keyless": keyless, **rivals}


def _answer(port: int, path: str, token: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse().read()


def _measured(servers: Mapping[str, Server], ids: list[str], token: str) -> Loads:
    """Every call at every number of connections, the servers taking turns, each at its best."""
    one = '{"customer_id": "{}"}'
    calls = {
        "floor": ("floor", STORED),
        "floor, POST": ("floor", AGAIN),
        "Setia stored": ("Setia", replace(STORED, token=token)),
        "Setia stored, without keys": ("keyless", STORED),
        "Setia predicted again": ("Setia", replace(AGAIN, token=token)),
        "FastAPI + LightGBM": ("FastAPI", Call("/score", one)),
        "BentoML default, stored": ("BentoML", Call("/stored", one)),
        "BentoML default, predicted again": ("BentoML", Call("/again", one)),
    }
    loads: Loads = {name: {} for name in calls}
    for connections in CONNECTIONS:
        rounds: dict[str, list[Load]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, (server, call) in calls.items():
                ours = server in ("floor", "Setia", "keyless")
                requests = REQUESTS if ours else REQUESTS_OF_RIVALS
                rounds[name].append(servers[server].load(call, ids, connections, requests))
        for name, found in rounds.items():
            loads[name][connections] = _best(found)
            _print(name, connections, loads[name][connections], loads["floor"][connections])
    return loads


def _best(rounds: list[Load]) -> Load:
    """The least of each measure; failures of every round count."""
    return Load(
        min(load.cpu for load in rounds),
        min(load.p50 for load in rounds),
        min(load.p99 for load in rounds),
        sum(load.failed for load in rounds),
    )


def _print(name: str, connections: int, load: Load, floor: Load) -> None:
    print(
        f"{name:34} {connections:>3} connections: CPU {load.cpu:7.0f} us, "
        f"{load.cpu / floor.cpu:5.1f} x floor; p50 {load.p50:7.2f} ms, "
        f"p99 {load.p99:7.2f} ms; {load.failed} failed"
    )


def _bulk(server: Server, ids: list[str], token: str) -> dict[str, float]:
    """Processor seconds of one call for BULK customers, stored and predicted again."""
    kinds = {"stored": False, "again": True}
    return {name: _bulk_call(server, ids[:BULK], token, again=kinds[name]) for name in kinds}


def _bulk_call(server: Server, ids: list[str], token: str, *, again: bool) -> float:
    body = json.dumps({"customer_ids": ids, "explain": not again, "repredict": again})
    load = server.load(Call("/v1/scores", body, token), ["-"], 1, 10)
    return load.cpu / 1e6


def _bare(workspace: Path, rows: npt.NDArray[np.float64]) -> float:
    """Processor seconds of `Booster.predict` alone for BULK rows, every booster of the bundle."""
    trees = boosters(load_bundle(workspace / "bundle"))
    started = time.process_time()
    for _ in range(3):
        for tree in trees:
            tree.predict(rows[:BULK], num_threads=1)
    return (time.process_time() - started) / 3


def _told(loads: Loads, bulk: dict[str, float], bare: float, mlflow: float | None) -> int:
    """Print each promise with what was measured; 0 when all are met."""
    stored, again = loads["Setia stored"], loads["Setia predicted again"]
    floor, posted = loads["floor"], loads["floor, POST"]
    rival = loads["BentoML default, predicted again"]
    promises = [
        ("stored score / floor", _worst(stored, floor), 6.0),
        ("predicted again / floor, POST", _worst(again, posted), 10.0),
        ("p99 stored / p99 floor at 16", stored[16].p99 / floor[16].p99, 10.0),
        ("predicted again / BentoML default", _worst(again, rival), 1 / 4),
        ("stored / BentoML default", _worst(stored, loads["BentoML default, stored"]), 1 / 4),
        ("bulk predicted again / bare boosters", bulk["again"] / bare, 1.5),
        ("CPU seconds for 50,000 stored", bulk["stored"] / BULK * 50_000, 1.0),
    ]
    if mlflow is not None:
        promises.append(("predicted again / mlflow serve", again[1].cpu / mlflow, 1 / 100))
    keys = [stored[c].cpu - loads["Setia stored, without keys"][c].cpu for c in CONNECTIONS]
    print(f"keys and limits cost {min(keys):.0f} to {max(keys):.0f} us of processor time a request")
    for name, found, most in promises:
        verdict = "PASS" if found <= most else "MISS"
        print(f"{verdict}  {name:38} {found:7.3f}  (at most {most:.3g})")
    return 0 if all(found <= most for _, found, most in promises) else 1


def _worst(ours: dict[int, Load], theirs: dict[int, Load]) -> float:
    return max(ours[connections].cpu / theirs[connections].cpu for connections in CONNECTIONS)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
