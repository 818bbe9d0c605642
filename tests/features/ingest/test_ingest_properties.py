"""Properties of files on their way to features: how they are split, doubled and dated."""

import csv
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import PipelineConfig
from features.contracts import TABLES
from features.ingest.report import IngestReport
from features.ingest.run import TooManyRejects, ingest
from tests.features.random_histories import CUTOFF, Rows, companies

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JAKARTA = ZoneInfo("Asia/Jakarta")
Spelling = Callable[[datetime], str]


def with_offset(time: datetime) -> str:
    """A time as a server on an island with half hours writes it."""
    return time.astimezone(ZoneInfo("America/St_Johns")).isoformat()


def in_zulu(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def naive(time: datetime) -> str:
    """A time on the clock of the configured zone, without saying so."""
    return time.astimezone(JAKARTA).strftime("%Y-%m-%d %H:%M:%S")


quick = settings(max_examples=5, deadline=None)
dice = st.randoms(use_true_random=False)


def written(folder: Path, name: str, rows: Rows, spelling: Spelling = str) -> None:
    """Rows as `folder`/`name`.csv, every contract column of their table in it but the text."""
    columns = [column for column in TABLES[folder.name].names if column != "text"]  # type: ignore[index]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: spelled(value, spelling) for key, value in row.items()})


def spelled(value: Any, spelling: Spelling) -> Any:
    return spelling(value) if isinstance(value, datetime) else value


def delivered(folder: Path, tables: Mapping[str, Rows], spelling: Spelling = str) -> Path:
    """Each table as a folder of one file."""
    for name, rows in tables.items():
        written(folder / name, "all", rows, spelling)
    return folder


def ingested(folder: Path, timezone: str = "UTC", most: float = 1) -> IngestReport:
    """The report on a folder that holds a folder of files for each table."""
    names = sorted(path.name for path in folder.iterdir() if path.name in TABLES)
    sources = {name: {"path": str(folder / name), "max_reject_rate": most} for name in names}
    settled = {"name": "files", "currency": "EUR", "timezone": timezone, "sources": sources}
    config = PipelineConfig.model_validate({**settled, "workspace": folder / "var"})
    return ingest(config, now=NOW)


def snapshot_of(folder: Path, timezone: str = "UTC") -> dict[str, bytes]:
    """Every file of the folder's snapshot, which is all that features are computed from."""
    ingested(folder, timezone)
    return {path.name: path.read_bytes() for path in (folder / "var" / "snapshots").iterdir()}


@quick
@given(tables=companies, dice=dice)
def test_row_order_and_file_splitting_change_no_feature(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Rows], dice: random.Random
) -> None:
    whole, split = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("split")
    delivered(whole, tables)
    for name, rows in tables.items():
        shuffled, parts = dice.sample(rows, len(rows)), dice.randint(1, 4)
        for part in range(parts):
            written(split / name, f"{dice.random()}-{part}", shuffled[part::parts])
    assert snapshot_of(split) == snapshot_of(whole)


@quick
@given(tables=companies, dice=dice)
def test_a_file_delivered_twice_is_named_with_its_twin(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Rows], dice: random.Random
) -> None:
    folder = delivered(tmp_path_factory.mktemp("twice"), tables)
    assert not any("hold the same rows" in problem for problem in ingested(folder).problems())
    filled = [name for name, rows in tables.items() if rows]
    name = dice.choice(filled)
    written(folder / name, "again", dice.sample(tables[name], len(tables[name])))
    files = ", ".join(str(folder / name / file) for file in ("again.csv", "all.csv"))
    told = f"{name}: these files hold the same rows, {len(tables[name]):,} each: {files};"
    assert [problem for problem in ingested(folder).problems() if problem.startswith(told)]


@quick
@given(tables=companies)
def test_the_spelling_of_the_time_zone_changes_no_feature(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Rows]
) -> None:
    offset, zulu, local = (
        snapshot_of(delivered(tmp_path_factory.mktemp("spelled"), tables, spelling), JAKARTA.key)
        for spelling in (with_offset, in_zulu, naive)
    )
    assert offset == zulu == local


def test_tickets_delivered_twice_stop_the_run_and_name_the_files(tmp_path: Path) -> None:
    ticket = {"customer_id": "ana", "ticket_id": "t1", "opened_at": CUTOFF}
    order = {"customer_id": "ana", "ordered_at": CUTOFF, "amount": 1.0}
    delivered(tmp_path, {"orders": [order], "tickets": [ticket]})
    written(tmp_path / "tickets", "again", [ticket])
    with pytest.raises(TooManyRejects, match=r"hold the same rows, 1 each: .*again\.csv, .*all"):
        ingested(tmp_path, most=0.01)
