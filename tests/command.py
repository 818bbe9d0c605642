"""The `setia` command as a user runs it: in this process, or in one of its own."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from setia import main

BRIEF = "\ntraining:\n  cutoffs: 2\n  bootstrap_draws: 20\n"
START = date(2023, 1, 1)
HEADER = "customer_id,ordered_at,amount\n"


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def done(self) -> "Answer":
        assert self.code == 0, self.text
        return self

    def refused(self, *said: str, code: int = 1) -> "Answer":
        """Ended with `code`, said all of `said`, and did not fall over."""
        assert self.code == code, self.text
        for part in said:
            assert part in self.text, self.text
        assert "Traceback" not in self.text
        assert "bug in Setia" not in self.text
        return self


def setia(*arguments: str | Path) -> Answer:
    """Run the command here, where a warning is an error; the environment stays as it was."""
    out, err = io.StringIO(), io.StringIO()
    before, code = dict(os.environ), 0
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        patched.setattr(sys, "argv", ["setia", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            # MLflow leaves the store of one workspace in the environment, for the next to use.
            os.environ.clear()
            os.environ.update(before)
    return Answer(code, out.getvalue(), err.getvalue())


def setia_process(*arguments: str | Path, folder: Path) -> Answer:
    """Run the command in a process of its own that stands in `folder`."""
    environment = {name: os.environ[name] for name in os.environ if name != "MLFLOW_TRACKING_URI"}
    ended = subprocess.run(
        [sys.executable, "-m", "setia", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def shop(folder: Path, orders: str | bytes, source: str = "", settings: str = "") -> Path:
    """Write orders.csv and a pipeline.yaml that reads it; returns the latter.

    `source` holds further lines of the source, `settings` further sections.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = orders if isinstance(orders, bytes) else orders.encode()
    (folder / "orders.csv").write_bytes(content)
    lines = "".join(f"    {line}\n" for line in source.splitlines())
    config = folder / "pipeline.yaml"
    config.write_text(
        f"name: shop\ncurrency: EUR\nsources:\n  orders:\n    path: orders.csv\n{lines}{settings}"
    )
    return config


def buyers(customers: int, every: int, days: int = 400) -> str:
    """Orders of so many customers, each buying again `every` so many days for `days` days."""
    rows = (
        f"c{number:03d},{START + timedelta(days=day)},{10 + number % 7}.5\n"
        for number in range(customers)
        for day in range(number % every, days, every)
    )
    return HEADER + "".join(rows)
