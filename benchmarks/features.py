"""Features: CPU time and memory beside a bare scan, pandas and featuretools, in one run.

`python -m benchmarks.features` is small; `--customers 200000` is the promise's size (10 million
order lines and events), and `--customers 1000000 --only cold --memory-limit 2GB` its largest.
Each stage is a process of its own: CPU seconds and peak memory are what the kernel says of it,
and the least CPU time of a few rounds counts, as what else the machine does can only add to it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MEASURED = ("bound", "bound_by_time", "cold", "again", "night", "twelve", "pandas")
PEER_CUSTOMERS = 20_000
"""As many as featuretools finishes in a minute or so."""
PROMISES = (
    ("cold build over the bound", "cold", "bound_by_time", 12.0),
    ("cold build over the bound on files sorted by customer", "cold", "bound", 12.0),
    ("night over the bound", "night", "bound_by_time", 3.0),
    ("night over the bound on files sorted by customer", "night", "bound", 3.0),
    ("twelve monthly cutoffs over one cold build", "twelve", "cold", 5.0),
)
MOST_MEGABYTES = {200_000: 1_500, 1_000_000: 2_500}
"""Peak memory by number of customers; the larger under an engine limit of 2GB."""


@dataclass(frozen=True)
class Run:
    """What one process cost, and what it said."""

    cpu: float
    megabytes: float
    said: str


def main() -> int:
    options = _options()
    if not (options.folder / "today").exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        sizes = json.loads(_stage(options, "make", str(options.customers)).said)
        print("generated:", ", ".join(f"{rows:,} {name}" for name, rows in sizes.items()))
    runs: dict[str, Run] = {}
    for name in options.only:
        runs[name] = _least(options, name)
        print(_line(name, runs), flush=True)
    if "pandas" in runs and "cold" in runs:
        print(_stage(options, "agreement", "").said)
    print(_peer(options))
    kept = [*_ratios(runs), *_memory(runs, options.customers)]
    if not options.keep:
        shutil.rmtree(options.folder)
    return 0 if all(kept) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "setia-bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-limit", default="", help="for the engine, as 2GB")
    parser.add_argument("--peer-python", default=None, help="a Python that has featuretools")
    parser.add_argument("--only", nargs="*", choices=MEASURED, default=MEASURED)
    parser.add_argument("--keep", action="store_true", help="keep the generated company")
    return parser.parse_args()


def _least(options: argparse.Namespace, name: str) -> Run:
    if name == "night":
        _stage(options, "yesterday", options.memory_limit)
    runs = []
    for _ in range(options.rounds):
        _restore(options.folder, name)
        runs.append(_measured(options, name))
    return min(runs, key=lambda run: run.cpu)


def _restore(folder: Path, name: str) -> None:
    """The facts that the stage starts from: none, or those of the night before."""
    if name in ("cold", "night", "twelve"):
        shutil.rmtree(folder / "facts", ignore_errors=True)
    if name == "night":
        shutil.copytree(folder / "facts_yesterday", folder / "facts")


def _measured(options: argparse.Namespace, name: str) -> Run:
    bounds = {"bound": "today", "bound_by_time": "by_time"}
    if name in bounds:
        script = str(HERE / "features_bound.py")
        return _run([sys.executable, script, str(options.folder / bounds[name])])
    return _stage(options, name, options.memory_limit)


def _stage(options: argparse.Namespace, name: str, argument: str) -> Run:
    module = "benchmarks.feature_stages"
    return _run([sys.executable, "-m", module, name, str(options.folder), argument])


def _run(command: Sequence[str]) -> Run:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return Run(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said.strip())


def _line(name: str, runs: dict[str, Run]) -> str:
    run = runs[name]
    return f"{name:14} {run.cpu:8.2f} CPU s {run.megabytes:6.0f} MB  {run.said}"


def _peer(options: argparse.Namespace) -> str:
    if options.peer_python is None:
        return "featuretools: skipped, no --peer-python given (it needs pandas < 3, we need 3)"
    script = str(HERE / "features_in_featuretools.py")
    customers = str(min(options.customers, PEER_CUSTOMERS))
    command = [options.peer_python, "-W", "ignore", script, str(options.folder / "today")]
    return _line("featuretools", {"featuretools": _run([*command, customers])})


def _ratios(runs: dict[str, Run]) -> list[bool]:
    """Print each promise with what came of it, and say which are kept."""
    kept = []
    for what, stage, unit, most in PROMISES:
        if stage in runs and unit in runs:
            ratio = runs[stage].cpu / runs[unit].cpu
            kept.append(ratio <= most)
            print(f"{what}: {ratio:.1f} (at most {most:.0f}{'' if kept[-1] else ', MISSED'})")
    return kept


def _memory(runs: dict[str, Run], customers: int) -> list[bool]:
    most = MOST_MEGABYTES.get(customers)
    ours = [runs[name].megabytes for name in ("cold", "night", "twelve") if name in runs]
    if most is None or not ours:
        return []
    print(f"peak memory: {max(ours):.0f} MB (at most {most:,})")
    return [max(ours) <= most]


if __name__ == "__main__":
    raise SystemExit(main())
