"""What is shipped: imports from anywhere, MLflow's entry points, locks, and the code's shape."""

import ast
import importlib.metadata
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import yaml

from features.company.generate import generate_company
from tests.command import setia, setia_process

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("features", "training", "serving", "setia")
NOT_SERVED = ("pandas", "duckdb", "pyarrow", "pyspark", "mlflow", "sklearn", "matplotlib", "typer")


def python(folder: Path, code: str) -> str:
    """What `code` prints in a child process that stands in `folder` and sees only what is
    installed."""
    ended = subprocess.run(
        [sys.executable, "-P", "-W", "error::ImportWarning", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_packages_are_found_from_an_empty_folder(tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor one in ({', '.join(PACKAGES)}): print(one.__file__)"
    found = [Path(line) for line in python(tmp_path, code).splitlines()]
    expected = [REPOSITORY / name / "__init__.py" for name in PACKAGES[:3]]
    assert found == [*expected, REPOSITORY / "setia.py"]
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_runs_from_an_empty_folder(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("setia")), "--help"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for name in ("init", "check", "features", "train", "backtest", "score", "serve", "demo"):
        assert re.search(rf"^  {name} ", ended.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_serving_needs_nothing_of_training(tmp_path: Path) -> None:
    """Imported where the libraries of training cannot be, and then not found to be loaded."""
    code = f"""
import sys
blocked = {NOT_SERVED}
sys.modules.update(dict.fromkeys(blocked))
import serving.service
print(*(name for name in blocked if sys.modules[name] is not None))
print(*(name for name in sys.modules if name.split(".")[0] == "training"))
"""
    loaded, training = python(tmp_path, code).splitlines()
    assert loaded == ""
    assert set(training.split()) <= {
        *("training", "training.bundle", "training.calibration", "training.intervals"),
        "training.models",
    }


def test_every_route_is_served_without_the_libraries_of_training(tmp_path: Path) -> None:
    """The workers add the routes once they have started, so importing the service shows none."""
    code = f"""
import sys
from pathlib import Path
blocked = {NOT_SERVED}
sys.modules.update(dict.fromkeys(blocked))
from serving.api.app import create_app, install
app = create_app()
install(app, Path("var"))
print(*(name for name in blocked if sys.modules[name] is not None))
print(*app.openapi()["paths"])
"""
    loaded, paths = python(tmp_path, code).splitlines()
    assert loaded == ""
    assert {"/v1/customers/{customer_id}", "/v1/outreach/decisions"} <= set(paths.split())


def test_a_server_starts_before_it_imports_what_takes_long(tmp_path: Path) -> None:
    """The parent process needs no database; a worker reads its models once it is ready."""
    code = """
import sys
from pathlib import Path
import serving.service
from serving.api.app import install
print(*({"sqlalchemy", "numpy"} & set(sys.modules)))
install(serving.service.app, Path("var"))
print(*({"lightgbm", "scipy.special"} & set(sys.modules)))
"""
    assert python(tmp_path, code) == "\n\n"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    config = generate_company(folder, 500, seed=7, end=date(2025, 6, 30)).config
    brief = "training:\n  cutoffs: 1\n  bootstrap_draws: 20\n"
    config.write_text(config.read_text().replace("training:\n", brief))
    setia_process("check", folder=folder).done()
    return folder


def mlflow_run(company: Path, entry: str, **given: object) -> subprocess.CompletedProcess[str]:
    """`mlflow run` of an entry point, tracked beside the company."""
    parameters = {"config": company / "pipeline.yaml", **given}
    options = [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
    tracking = f"sqlite:///{company / 'tracking.db'}"
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # MLflow leaves the experiment of earlier runs in this process's environment.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    command = [sys.executable, "-m", "mlflow", "run", str(REPOSITORY), "-e", entry]
    return subprocess.run(
        [*command, "--env-manager", "local", *options],
        cwd=company,
        env=plain | {"MLFLOW_TRACKING_URI": tracking, "PATH": programs},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_mlflow_trains_in_the_run_it_began_and_computes_features(company: Path) -> None:
    ended = mlflow_run(company, "train")
    assert ended.returncode == 0, ended.stderr
    assert "registered as challenger" in ended.stdout
    with closing(sqlite3.connect(company / "tracking.db")) as store:
        assert store.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]
        assert store.execute("SELECT count(*) FROM metrics WHERE key LIKE '%auc%'").fetchone()[0]
        aliases = store.execute("SELECT alias, version FROM registered_model_aliases")
        assert set(aliases) == {("challenger", 1)}
    table = company / "table.csv"
    ended = mlflow_run(company, "features", cutoff="2025-03-01", out=table)
    assert ended.returncode == 0, ended.stderr
    assert table.read_text().startswith('"customer_id","cutoff"')


def test_every_mlflow_entry_point_is_a_command_with_its_options(company: Path) -> None:
    """A path that does not exist yet cannot be a parameter of MLflow's type `path`."""
    entries = yaml.safe_load((REPOSITORY / "MLproject").read_text())["entry_points"]
    assert set(entries) == {"train", "features", "score", "backtest"}
    given = {"config": company / "pipeline.yaml", "cutoff": "2019-01-01", "out": company / "out"}
    said = {"score": "no model has been promoted", "backtest": "no activity before the cutoff"}
    for name, entry in entries.items():
        kinds = {key: kind["type"] for key, kind in entry["parameters"].items()}
        assert kinds.items() <= {"config": "path", "cutoff": "string", "out": "string"}.items()
        python, module, setia_module, *arguments = entry["command"].format(**given).split()
        assert (python, module, setia_module) == ("python", "-m", "setia")
        if name in said:
            setia(*arguments).refused(said[name])


def locked(name: str) -> Iterator[str]:
    """The requirements of a lock file, each on one line."""
    yield from (REPOSITORY / name).read_text().replace("\\\n", " ").splitlines()


@pytest.mark.parametrize(("name", "at_least"), [("", 150), ("-serving", 50), ("-postgresql", 2)])
def test_a_lock_pins_and_hashes_every_line_and_names_no_host(name: str, at_least: int) -> None:
    name = f"requirements{name}.lock"
    lines = list(locked(name))
    assert len(lines) >= at_least
    for line in lines:
        assert re.fullmatch(
            r"[\w.\[\],-]+==[\w.+!]+( ;[^#]+?)?( +--hash=sha256:[0-9a-f]{64})+", line
        )
    text = (REPOSITORY / name).read_text()
    assert not re.search(r"https?:|//|index-url|find-links", text)


def versions(lock: str) -> dict[str, str]:
    """Name to pinned requirement."""
    return {line.split("==")[0]: line.split()[0] for line in locked(lock)}


def test_serving_is_locked_to_the_versions_that_were_tested() -> None:
    every, serving = versions("requirements.lock"), versions("requirements-serving.lock")
    driver = versions("requirements-postgresql.lock")
    assert (serving | driver).items() <= every.items()
    assert {"psycopg", "psycopg-binary"} <= driver.keys() - serving.keys()
    assert not serving.keys() & {*NOT_SERVED, "scikit-learn"}


def test_what_serving_is_locked_to_takes_less_than_400_megabytes() -> None:
    """Every file of it as installed here, compiled modules included; pip's own are not counted."""
    found = [
        importlib.metadata.distribution(name) for name in versions("requirements-serving.lock")
    ]
    files = [path.locate() for one in found for path in one.files or ()]
    assert 200e6 < sum(Path(path).stat().st_size for path in files if Path(path).exists()) < 400e6


def modules() -> list[Path]:
    folders = ("features", "training", "serving")
    inside = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    return [*inside, *REPOSITORY.glob("setia*.py")]


def function_lengths(module: Path) -> Iterator[int]:
    """Lines of each function, its docstring not counted."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = node.body[0] if ast.get_docstring(node) is not None else None
            docstring = told.end_lineno - told.lineno + 1 if told and told.end_lineno else 0
            yield (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def test_functions_and_modules_are_short() -> None:
    lengths = [length for module in modules() for length in function_lengths(module)]
    assert len(lengths) > 500
    assert statistics.median(lengths) < 15
    longest = {path.name: len(path.read_text().splitlines()) for path in modules()}
    assert {name: lines for name, lines in longest.items() if lines >= 400} == {}


def test_nothing_of_a_machine_is_in_what_is_shipped() -> None:
    """No absolute path of a home or a checkout, in code or settings."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("needs a git checkout to know what is shipped")
    listed = subprocess.run(
        [
            git,
            "-C",
            str(REPOSITORY),
            "ls-files",
            "*.py",
            "*.toml",
            "*.yaml",
            "MLproject",
            "Makefile",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert not re.search(r"/(home|Users|root)/\w", text), name
        assert str(REPOSITORY) not in text, name
