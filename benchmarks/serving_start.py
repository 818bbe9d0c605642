"""How soon the service is ready beside a bare FastAPI app, and what a further worker costs.

`python -m benchmarks.serving_start workspace [customers]`: start to ready, and to the answer of a
first prediction, for which the models are read, in turns, in processor time and on the wall; then a
store of a million customers, and the memory of its own that a process has once it has predicted and
looked up customers all over it, beside one with the store as it was.
"""

import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import psutil

from benchmarks.serving_load import Server, free_port, running
from serving.online import FILE

CUSTOMERS = 1_000_000
_ROUNDS = 3
_LOOKED_UP = 4_000
_MEGABYTE = 1 << 20
_UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--factory")
_BENTOML = (sys.executable, "-m", "bentoml", "serve")
_SETIA = (*_BENTOML, "serving.service:Setia")
_EMPTY = "an empty BentoML service"
_PREDICTING = "Setia, a first prediction"
_COMMANDS = {
    "Setia": (_SETIA, "/readyz"),
    _PREDICTING: (_SETIA, "/readyz"),
    _EMPTY: ((*_BENTOML, "benchmarks.serving_empty:Empty"), "/readyz"),
    "bare FastAPI": ((*_UVICORN, "benchmarks.serving_bare:bare"), "/"),
    "FastAPI with LightGBM": ((*_UVICORN, "benchmarks.serving_bare:with_models"), "/"),
}
_GROW = """
INSERT INTO ranking
SELECT rank + :shift, 'G' || (rank + :shift), risk_tier, churn_probability, value_at_risk
FROM ranking WHERE rank <= :first;
INSERT INTO customers
SELECT rank + :shift, features,
       CAST(replace(CAST(score AS TEXT), (SELECT customer_id FROM ranking r WHERE r.rank = c.rank),
                    'G' || (rank + :shift)) AS BLOB), timing
FROM customers c WHERE rank <= :first;
"""


def main(workspace: Path, customers: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        starts = _starts(workspace, folder)
        own = _own_memory(workspace, folder)
        grown = _own_memory(_grown(workspace, folder / "grown", customers), folder)
    return _told(starts, (grown - own) / _MEGABYTE, customers)


def _starts(workspace: Path, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """What `_start` measures of each command, in turns."""
    starts: dict[str, list[tuple[float, float]]] = {}
    for _ in range(_ROUNDS):
        for what, (command, ready) in _COMMANDS.items():
            predict = what == _PREDICTING
            found = _start(command, ready, workspace, folder, predict=predict)
            starts.setdefault(what, []).append(found)
    return starts


def _start(
    command: tuple[str, ...], ready: str, workspace: Path, folder: Path, *, predict: bool
) -> tuple[float, float]:
    """Seconds from the start to the first 200: on the wall, and of the processor.

    With `predict`, to the answer of a first prediction, which waits until the models are read.
    """
    port, began = free_port(), time.monotonic()
    settings = {"SETIA_WORKSPACE": str(workspace), "BENTOML_HOME": str(folder)}
    with running([*command, "--port", str(port)], port, settings, ready) as server:
        if predict:
            _predict(server, _ids(workspace)[0])
        return time.monotonic() - began, server.cpu_seconds()


def _grown(source: Path, workspace: Path, customers: int) -> Path:
    """A workspace like `source` with its customers repeated, under new ids, up to so many."""
    (workspace / "scores").mkdir(parents=True)
    (workspace / "bundle").symlink_to((source / "bundle").resolve())
    path = workspace / "scores" / FILE
    shutil.copyfile(source / "scores" / FILE, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        (first,) = connection.execute("SELECT count(*) FROM ranking").fetchone()
        for shift in range(first, customers, first):
            for statement in _GROW.split(";")[:2]:
                at_most = min(first, customers - shift)
                connection.execute(statement, {"shift": shift, "first": at_most})
    return workspace


def _own_memory(workspace: Path, folder: Path) -> int:
    """Bytes that the second of two services on the workspace shares with nobody."""
    ids = _ids(workspace)
    settings = {"SETIA_WORKSPACE": str(workspace), "BENTOML_HOME": str(folder)}
    with ExitStack() as stack:
        for _ in range(2):
            port = free_port()
            command = [*_SETIA, "--port", str(port)]
            server = stack.enter_context(running(command, port, settings, "/readyz"))
            _look_up(server, ids)
        family = psutil.Process(server.process.pid).children(recursive=True)
        return max(int(process.memory_full_info().uss) for process in family)


def _ids(workspace: Path) -> list[str]:
    """Some customers from all over the store."""
    with closing(sqlite3.connect(workspace / "scores" / FILE)) as connection:
        every = connection.execute("SELECT count(*) FROM ranking").fetchone()[0] // _LOOKED_UP + 1
        query = "SELECT customer_id FROM ranking WHERE rank % ? = 0"
        return [customer_id for (customer_id,) in connection.execute(query, (every,))]


def _predict(server: Server, customer_id: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port)
    asked = json.dumps({"customer_ids": [customer_id], "repredict": True})
    connection.request("POST", "/v1/scores", asked, {"content-type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"asked for a prediction, got {response.status}")


def _look_up(server: Server, ids: list[str]) -> None:
    _predict(server, ids[0])  # the models are read, early or late
    connection = HTTPConnection("127.0.0.1", server.port)
    for customer_id in ids:
        connection.request("GET", f"/v1/customers/{customer_id}")
        answer = json.loads(connection.getresponse().read())
        if answer["customer"]["customer_id"] != customer_id:
            raise RuntimeError(f"asked for {customer_id}, got {answer}")


def _told(starts: dict[str, list[tuple[float, float]]], added: float, customers: int) -> int:
    """Print each promise with what was measured; 0 when all are met."""
    middle = {
        what: [statistics.median(part) for part in zip(*rounds, strict=True)]
        for what, rounds in starts.items()
    }
    for what, (wall, cpu) in middle.items():
        print(f"start to ready: {what:26} {wall:6.2f} s on the wall, {cpu:6.2f} s of processor")
    (wall, cpu), (bare_wall, bare_cpu) = middle["Setia"], middle["bare FastAPI"]
    empty = middle[_EMPTY][1]
    print(f"an empty BentoML service takes {empty / bare_cpu:.1f} times a bare FastAPI's processor")
    promises = [
        ("start to ready / bare FastAPI, on the wall", wall / bare_wall, 2.0),
        ("start to ready / bare FastAPI, processor", cpu / bare_cpu, 2.0),
        (f"MB a further worker needs for {customers:,} customers", added, 50.0),
    ]
    for what, found, most in promises:
        print(f"{'PASS' if found <= most else 'MISS'}  {what:52} {found:7.2f}  (at most {most:g})")
    return 0 if all(found <= most for _, found, most in promises) else 1


if __name__ == "__main__":
    given = sys.argv[2:]
    raise SystemExit(main(Path(sys.argv[1]), int(given[0]) if given else CUSTOMERS))
