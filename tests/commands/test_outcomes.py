"""`setia outcomes`: a file is taken in row by row, and the report is said, kept and drawn."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from features.config import load_config
from serving.database import Database
from serving.outreach.prove.effect_report import read_report
from tests.command import buyers, setia, shop
from tests.serving.outreach.programme import Assigned, begin, draw

START = datetime(2023, 6, 1, 9, tzinfo=UTC)
HEADER = "customer_id,kind,occurred_at,value,channel\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A shop of 200 customers, of whom those with even numbers stopped buying; 30 were drawn."""
    rows = buyers(200, 20).splitlines(keepends=True)
    still = [row for row in rows[1:] if row[3] in "13579" or row[5:12] < "2023-06"]
    written = shop(tmp_path, rows[0] + "".join(still), settings="churn:\n  horizon_days: 60\n")
    settings = load_config(written)
    database = Database(settings.workspace)
    drawn = draw(200, 0.4, seed=2, days=3)
    begin(
        database,
        [
            Assigned(f"c{place:03}", one.arm, START.replace(day=1 + place % 3))
            for place, one in enumerate(drawn)
        ],
        share=0.4,
    )
    database.close()
    setia("check", "-c", written).done()
    return written


def outcomes(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "outcomes.csv"
    path.write_text(header + rows)
    return path


def test_each_row_of_a_file_is_kept_known_or_refused_with_its_reason(
    config: Path, tmp_path: Path
) -> None:
    file = outcomes(
        tmp_path,
        "c001,purchase,2023-06-05T10:00:00+07:00,12.5,\n"
        "c001,purchase,2023-06-05T03:00:00Z,12.5,\n"
        "c001,purchase,2023-06-05T03:00:00Z,13,\n"
        "c002,unsubscribed,2023-06-06T03:00:00Z,,email\n"
        "nobody,left,2023-06-06T03:00:00Z,,\n"
        "c003,purchase,2023-06-06 03:00:00,1,\n"
        "c003,purchase,2023-06-06T03:00:00Z,nan,\n"
        "c003,purchase,2023-06-06T03:00:00Z,-1,\n"
        "c003,purchase,2023-06-06T03:00:00Z,a lot,\n"
        "c003,purchase,2093-06-06T03:00:00Z,1,\n"
        "=1+1,left,2023-06-06T03:00:00Z,,,oops\n",
    )
    said = setia("outcomes", "import", file, "-c", config, "--json").done()
    found = json.loads(said.out)
    assert (found["kept"], found["duplicates"]) == (2, 1)
    assert found["refused"] == {
        "not_valid": 5,
        "conflict": 1,
        "unknown_customer": 1,
        "in_the_future": 1,
    }
    with Path(found["rejects"]).open(newline="") as opened:
        rejects = list(csv.DictReader(opened))
    assert [int(row["row"]) for row in rejects] == [3, 5, 6, 7, 8, 9, 10, 11]
    assert rejects[2]["detail"] == "occurred_at: Input should have timezone info"
    assert rejects[5]["detail"] == "could not convert string to float: 'a lot'"
    assert json.loads(rejects[5]["raw"])["value"] == "a lot"
    again = setia("outcomes", "import", file, "-c", config).done()
    assert "0 kept, 3 known already" in again.out


def test_a_parquet_file_is_read_as_the_csv_is(config: Path, tmp_path: Path) -> None:
    at = datetime(2023, 6, 5, 3, tzinfo=UTC)
    file = tmp_path / "outcomes.parquet"
    columns = {"customer_id": ["c001"], "kind": ["purchase"], "occurred_at": [at], "value": [12.5]}
    parquet.write_table(pa.table(columns), file)
    assert "1 kept" in setia("outcomes", "import", file, "-c", config).done().out
    row = "c001,purchase,2023-06-05T10:00:00+07:00,12.5,\n"
    known = setia("outcomes", "import", outcomes(tmp_path, row), "-c", config).done()
    assert "0 kept, 1 known already" in known.out


def test_a_file_that_cannot_be_read_is_refused_in_words(config: Path, tmp_path: Path) -> None:
    arguments = ("-c", config)
    missing = tmp_path / "missing.csv"
    setia("outcomes", "import", missing, *arguments).refused("missing.csv does not exist")
    lacking = outcomes(tmp_path, "c1,left\n", "customer_id,kind\n")
    setia("outcomes", "import", lacking, *arguments).refused("lacks occurred_at; its columns are")
    unknown = outcomes(tmp_path, "c1,left,x,1\n", "customer_id,kind,occurred_at,reward\n")
    setia("outcomes", "import", unknown, *arguments).refused("has unknown reward")
    setia("outcomes", "import", config, *arguments).refused("is neither .csv nor .parquet")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    setia("outcomes", "import", broken, *arguments).refused("broken.parquet cannot be read")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(HEADER.encode() + b"caf\xe9,left,2023-06-06T03:00:00Z,,\n")
    setia("outcomes", "import", latin, *arguments).refused("latin.csv cannot be read")


def test_a_file_of_which_nothing_is_true_fails(config: Path, tmp_path: Path) -> None:
    file = outcomes(tmp_path, "nobody,left,2023-06-06T03:00:00Z,,\n")
    said = setia("outcomes", "import", file, "-c", config)
    said.refused("1 refused: unknown_customer", "with its reason")


def test_values_of_another_currency_are_refused(config: Path, tmp_path: Path) -> None:
    header = "customer_id,kind,occurred_at,value,currency\n"
    file = outcomes(tmp_path, "c001,purchase,2023-06-05T10:00:00Z,12.5,USD\n", header)
    setia("outcomes", "import", file, "-c", config).refused("1 refused: not_valid")


def test_the_report_is_said_kept_and_drawn(config: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plots" / "effect.png"
    said = setia("outcomes", "report", "-c", config, "--plot", picture).done()
    assert "Nothing can be said yet" in said.out
    assert "measured 123 contacted and 77 held out of 123 and 77 assigned" in said.out
    assert "What outreach really changed" in said.out
    assert "tier medium" in said.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    kept = read_report(config.parent / "var")
    assert kept.currency == "EUR"
    assert kept.staying["contact"] == pytest.approx(0.5, abs=0.1)
    document = json.loads(setia("outcomes", "report", "-c", config, "--json").done().out)
    assert document["measured"] == {"contact": 123, "holdout": 77}


def test_without_a_plan_the_report_says_so(tmp_path: Path) -> None:
    config = shop(tmp_path, buyers(5, 20))
    setia("outcomes", "report", "-c", config).refused("`setia outreach plan` makes the first")


def test_an_erased_person_is_neither_read_nor_scored_again(config: Path) -> None:
    workspace = config.parent / "var"
    said = setia("forget", "c001", "-c", config).done()
    assert "decisions: 1 rows erased or cleared" in said.out
    assert "run `setia check` and `setia score`" in said.out
    again = json.loads(setia("forget", "c001", "-c", config, "--json").done().out)
    assert again["erased_before"] is not None
    checked = setia("check", "-c", config).done()
    assert "of customers who were erased" in checked.out
    for file in workspace.rglob("*"):
        if file.is_file():
            assert b"c001" not in file.read_bytes(), file
    ids = parquet.read_table(workspace / "snapshots" / "orders.parquet")["customer_id"].to_pylist()
    assert "c001" not in ids
    assert "c003" in ids
