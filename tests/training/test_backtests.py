"""Backtests at several cutoffs: a row for each, a reason where there can be none, a picture."""

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.command import HEADER, START, Answer, setia, shop
from training.backtests import BacktestRow, cutoffs_back, draw_rows, walk, write_rows
from training.dataset import NotEnoughHistory
from training.evaluate import CannotJudge

ZONE = ZoneInfo("Asia/Jakarta")
SETTINGS = """
churn:
  horizon_days: 40
  eligible_days: 120
clv:
  horizon_days: 60
training:
  cutoffs: 1
  bootstrap_draws: 20
"""


def leavers(customers: int, days: int) -> str:
    """Customers who buy at their own pace and stop for good on a day of their own."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(customers):
        pace, end, day = rng.choice([4.0, 15.0]), rng.uniform(60, 700), rng.uniform(0, 30)
        while day < min(end, days):
            at = np.datetime64(START) + np.timedelta64(int(day), "D")
            rows.append(f"c{number},{at},{rng.integers(5, 50)}\n")
            day += rng.exponential(pace) + 1
    return HEADER + "".join(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 370 days, checked: a 40 day horizon needs 70 days before a cutoff."""
    made = tmp_path_factory.mktemp("shop")
    setia("check", "-c", shop(made, leavers(150, 370), settings=SETTINGS)).done()
    return made


@pytest.fixture(scope="module")
def walked(folder: Path) -> Answer:
    """Cutoffs on 2023-11-01 and 150 and 300 days before it, the first too early to be judged."""
    options = ("--cutoff", "2023-11-01", "--times", "3", "--every", "150", "--json")
    return setia("backtest", "-c", folder / "pipeline.yaml", *options, "--out", folder / "out")


def test_each_cutoff_has_a_line_and_one_that_cannot_be_judged_its_reason(
    walked: Answer, folder: Path
) -> None:
    rows = json.loads(walked.done().out)
    assert [row["cutoff"] for row in rows] == ["2023-01-05", "2023-06-04", "2023-11-01"]
    assert [bool(row["refusal"]) for row in rows] == [True, False, False]
    assert "needs 70 days of history" in rows[0]["refusal"]
    with (folder / "out" / "backtests.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["auc"] for row in written] == ["", *(str(row["auc"]) for row in rows[1:])]
    assert "2023-01-05 not judged: a horizon of 40 days" in walked.err
    assert "Backtest at 2023-06-04" in walked.err


def test_the_figures_are_those_of_the_cutoffs_own_report(walked: Answer, folder: Path) -> None:
    row = json.loads(walked.done().out)[1]
    table = (folder / "out" / "2023-06-04" / "comparison_churn.csv").read_text().splitlines()
    (auc,) = (line.split(",") for line in table if line.startswith("model,auc,"))
    assert [row["auc"], row["auc_low"], row["auc_high"]] == [float(x) for x in auc[2:5]]
    predictions = (folder / "out" / "2023-06-04" / "predictions.csv").read_text().splitlines()
    assert len(predictions) == 1 + row["customers"]
    assert row["gini_low"] <= row["gini"] <= row["gini_high"]
    assert (folder / "out" / "backtests.png").read_bytes().startswith(b"\x89PNG")


def test_cutoffs_go_back_by_local_days_and_come_oldest_first() -> None:
    latest = datetime(2024, 3, 9, 17, tzinfo=UTC)  # 2024-03-10 in Jakarta
    assert cutoffs_back(latest, 3, 10, ZONE) == (
        datetime(2024, 2, 18, 17, tzinfo=UTC),
        datetime(2024, 2, 28, 17, tzinfo=UTC),
        latest,
    )


def test_when_no_cutoff_can_be_judged_the_last_reason_is_given() -> None:
    def short(cutoff: datetime) -> NoReturn:
        raise NotEnoughHistory(f"nothing before {cutoff:%H:%M}")

    cutoffs = cutoffs_back(datetime(2024, 3, 9, 17, tzinfo=UTC), 2, 10, ZONE)
    with pytest.raises(CannotJudge, match=r"none of the 2 .*; at 2024-03-10: nothing before 17:00"):
        walk(cutoffs, short, ZONE)


def test_a_problem_of_the_program_is_not_taken_for_a_cutoff_that_cannot_be_judged() -> None:
    def broken(cutoff: datetime) -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        walk([datetime(2024, 3, 9, tzinfo=UTC)], broken, ZONE)


def test_what_is_not_known_is_left_empty(tmp_path: Path) -> None:
    rows = [
        BacktestRow(date(2024, 1, 1), customers=5, base_rate=0.2, auc=0.5),
        BacktestRow(date(2024, 2, 1), refusal="too short"),
    ]
    write_rows(rows, tmp_path / "out" / "rows.csv")
    head, first, second = (tmp_path / "out" / "rows.csv").read_text().splitlines()
    assert head.startswith("cutoff,customers,base_rate,auc,auc_low")
    assert first == "2024-01-01,5,0.2,0.5,,,,,,,,,,,"
    assert second == "2024-02-01,,,,,,,,,,,,,,too short"


def test_a_company_without_value_is_drawn_without_it(tmp_path: Path) -> None:
    row = BacktestRow(date(2024, 1, 1), 5, 0.2, 0.6, 0.5, 0.7, 0.1, 0.02)
    sizes = {}
    for name, rows in {
        "churn": [row],
        "both": [
            row,
            BacktestRow(
                date(2024, 2, 1), 5, 0.2, 0.6, 0.5, 0.7, 0.1, 0.02, 0.5, 0.4, 0.6, 1.0, 0.9, 0.9
            ),
        ],
    }.items():
        draw_rows(rows, tmp_path / f"{name}.png", generated=True)
        sizes[name] = int.from_bytes((tmp_path / f"{name}.png").read_bytes()[20:24])
    assert sizes["churn"] < sizes["both"]


def test_a_search_without_two_cutoffs_a_horizon_apart_is_refused(folder: Path) -> None:
    """Here, as it needs the command and a checked shop: the shop trains on a single cutoff."""
    setia("train", "-c", folder / "pipeline.yaml", "--tune", "3").refused(
        "tuning needs a cutoff whose labels end before a later cutoff",
        "raise training.cutoffs or training.cutoff_every_days, or train without --tune",
    )
