"""The crash test in short: `python -m benchmarks.crash` kills a thousand times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.operations import fresh_postgres
from tests.serving.outreach.outreach_company import open_shop

ROOT = Path(__file__).parents[3]
NOTHING = (
    "plans lost",
    "decisions without message",
    "messages lost",
    "messages unfinished",
    "unexpected",
    "effects doubled",
    "holdout contacts",
    "caps exceeded",
    "processes that failed",
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_killed_at_random_points_lose_and_double_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    workspace = tmp_path / "var"
    shop = open_shop(workspace, 60).config
    config = tmp_path / "pipeline.yaml"
    given = {"name": shop.name, "currency": shop.currency, "timezone": shop.timezone}
    orders = {"path": "orders.csv"}
    config.write_text(json.dumps({**given, "workspace": "var", "sources": {"orders": orders}}))
    where = ["--sqlite"]
    if kind == "postgresql":
        where = ["--url", fresh_postgres(request.getfixturevalue("postgres_url"))]
    command = [sys.executable, "-m", "benchmarks.crash", str(config), "--kills", "10", *where]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = dict(line.rsplit(maxsplit=1) for line in ran.stdout.splitlines()[2:])
    assert {name: told[name] for name in NOTHING} == dict.fromkeys(NOTHING, "0")
    assert int(told["kills"]) == 10
    assert int(told["applied"]) > 5
