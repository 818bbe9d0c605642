"""The whole loop through the `setia` command in processes of its own, on a generated company."""

import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.company.generate import generate_company
from tests.command import Answer, setia_process
from tests.running_server import Server, running

COLUMNS = [
    *("customer_id", "cutoff", "churn_probability", "clv", "clv_low", "clv_high"),
    *("expected_orders", "value_at_risk", "risk_tier", "act_by"),
    *("reason_1", "reason_2", "reason_3"),
]
"""The score file's columns, as docs/design.md has them."""
END, BACK, HORIZON = date(2025, 6, 30), date(2025, 2, 1), 90
"""The first day without data, the backtest's cutoff and the churn horizon in days."""
SAME = 1e-9


@dataclass(frozen=True)
class Loop:
    """A company through check, features, training, backtest and scoring: what each said."""

    folder: Path
    said: dict[str, Answer]

    def run(self, *arguments: str) -> Answer:
        return run(self.folder, *arguments)

    def rows(self, path: str) -> list[dict[str, str]]:
        with (self.folder / path).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def run(folder: Path, *arguments: str) -> Answer:
    return setia_process(*arguments, folder=folder)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """800 generated customers; the configuration is the default one of the current folder."""
    folder = tmp_path_factory.mktemp("company")
    config = generate_company(folder, 800, seed=7, end=END).config
    brief = "training:\n  cutoffs: 2\n  bootstrap_draws: 20\n"
    config.write_text(config.read_text().replace("training:\n", brief))
    steps = {
        "check": ("check", "--json"),
        "features": ("features", "--out", "features.csv"),
        "train": ("train", "--promote"),
        "score": ("score", "--out", "copy/scores.csv"),
        "backtest": ("backtest", "--cutoff", str(BACK), "--out", "back"),
    }
    return Loop(folder, {name: run(folder, *step).done() for name, step in steps.items()})


def test_outreach_is_planned_on_what_was_scored(loop: Loop) -> None:
    """Though its data ended long ago, for a generated company stands still."""
    plan = json.loads(loop.run("outreach", "plan", "--dry-run", "--json").done().out)
    assert plan["considered"] == len(loop.rows("var/scores/scores.csv"))
    assert (plan["run"], plan["generated"]) == (None, True)
    assert plan["contacts"] > 0
    reasons = {one["reason"] for one in plan["reasons"]}
    assert {"expected_gain", "open_ticket", "recent_complaint"} <= reasons
    assert "stale_score" not in reasons


@pytest.fixture(scope="module")
def server(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`setia serve`, started in a folder that knows nothing of this repository."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "setia", "serve", "-c", str(loop.folder / "pipeline.yaml")]
    with running(command, elsewhere, {"BENTOML_HOME": str(elsewhere)}) as answering:
        yield answering
    assert "Traceback" not in answering.log


def purchases(loop: Loop) -> list[tuple[str, date]]:
    """Who bought on which local day, from the company's own file; returns left out."""
    table = pq.read_table(loop.folder / "orders.parquet")
    rows = table.select(["customer_id", "ordered_at", "amount"]).to_pylist()
    return [
        (row["customer_id"], (row["ordered_at"] + timedelta(hours=7)).date())
        for row in rows
        if row["amount"] >= 0
    ]


def buyers(loop: Loop, first: date, end: date) -> set[str]:
    return {customer for customer, day in purchases(loop) if first <= day < end}


def auc(scores: list[float], churned: list[bool]) -> float:
    """Chance that a churner is scored above one who stayed, ties counting half."""
    score, left = np.array(scores), np.array(churned)
    above = score[left][:, None] - score[~left][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def test_check_prints_one_document_that_accounts_for_every_row(loop: Loop) -> None:
    answer = loop.said["check"]
    tables = {table["table"]: table for table in json.loads(answer.out)["tables"]}
    assert len(tables) == 7
    for name, table in tables.items():
        assert table["rows_read"] == pq.read_metadata(loop.folder / f"{name}.parquet").num_rows
        assert table["accepted"] == table["rows_read"]


def test_the_feature_table_has_a_row_for_each_recent_buyer(loop: Loop) -> None:
    rows = loop.rows("features.csv")
    asked = buyers(loop, END - timedelta(days=365), END)
    assert [row["customer_id"] for row in rows] == sorted(asked)
    assert f"{len(asked)} customers x {len(rows[0]) - 2} features" in loop.said["features"].out
    last = {}
    for customer, day in sorted(purchases(loop), key=lambda purchase: purchase[1]):
        last[customer] = day
    for row in rows:
        assert float(row["orders_days_since_last"]) == (END - last[row["customer_id"]]).days


def test_training_shows_the_models_beside_baselines_and_promotes(loop: Loop) -> None:
    said = loop.said["train"].out
    assert "promoted: champion is now version 1" in said
    assert re.search(r"Beats (base rate|best single rule) by 0\.\d+ AUC \[", said)
    assert "mean value" in said


def test_scores_are_a_row_for_each_customer_with_the_agreed_columns(loop: Loop) -> None:
    rows = loop.rows("var/scores/scores.csv")
    assert list(rows[0]) == COLUMNS
    assert {row["customer_id"] for row in rows} == {
        row["customer_id"] for row in loop.rows("features.csv")
    }
    for row in rows:
        churn, clv = float(row["churn_probability"]), float(row["clv"])
        assert 0 <= churn <= 1
        assert float(row["clv_low"]) <= clv <= float(row["clv_high"])
        assert float(row["value_at_risk"]) == pytest.approx(churn * clv, rel=SAME)
        assert row["reason_1"]
    assert {row["cutoff"] for row in rows} == {"2025-06-29T17:00:00Z"}
    whole = (loop.folder / "var/scores/scores.csv").read_bytes()
    assert (loop.folder / "copy/scores.csv").read_bytes() == whole


def test_the_at_risk_list_is_the_scores_by_value_at_risk_and_low_risk_comes_last(
    loop: Loop,
) -> None:
    def keys(file: str) -> list[tuple[bool, float]]:
        rows = loop.rows(f"var/scores/{file}")
        return [(row["risk_tier"] == "low", -float(row["value_at_risk"])) for row in rows]

    assert keys("at_risk.csv") == sorted(keys("scores.csv"))


def test_a_backtest_predicts_those_it_may_know_in_the_score_files_columns(loop: Loop) -> None:
    rows = loop.rows("back/predictions.csv")
    assert list(rows[0]) == COLUMNS
    asked = buyers(loop, BACK - timedelta(days=365), BACK)
    assert sorted(row["customer_id"] for row in rows) == sorted(asked)
    assert {row["cutoff"] for row in rows} == {"2025-01-31T17:00:00Z"}


def test_a_backtest_prints_the_auc_that_its_predictions_earn(loop: Loop) -> None:
    """Worked out again from predictions.csv and the company's orders."""
    rows = loop.rows("back/predictions.csv")
    stayed = buyers(loop, BACK, BACK + timedelta(days=HORIZON))
    churned = [row["customer_id"] not in stayed for row in rows]
    earned = auc([float(row["churn_probability"]) for row in rows], churned)
    assert earned > 0.7
    said = loop.said["backtest"].out
    shown = re.search(r"^ model +(0\.\d+) .*\n +\[(0\.\d+), ", said, re.MULTILINE)
    assert shown, said
    assert shown[1] == f"{earned:.3f}"
    assert float(shown[2]) < earned
    assert re.search(r"Beats (base rate|RFM logistic) by", said)


def test_a_second_model_waits_then_reigns_then_gives_way(loop: Loop) -> None:
    """After a rollback the scores are those the first model gave, to the byte."""
    first = (loop.folder / "var/scores/scores.csv").read_bytes()
    trained = json.loads(loop.run("train", "--json").done().out)
    assert trained["registered"]["churn_version"] == "2"
    assert trained["promoted"] is None
    assert trained["churn"]["comparison"]["methods"]["model"]["auc"]["point"] > 0.7
    assert "champion is now version 2" in loop.run("promote").done().out
    loop.run("serve").refused("the scores were made by model 1, the bundle is model 2")
    loop.run("score").done()
    assert "champion is again version 1" in loop.run("rollback").done().out
    summary = json.loads(loop.run("score", "--json").done().out)
    assert summary["customers"] == len(first.splitlines()) - 1
    assert sum(summary["tiers"].values()) == summary["customers"]
    assert summary["generated"] is True
    assert (loop.folder / "var/scores/scores.csv").read_bytes() == first


def test_served_scores_equal_the_batch_for_every_customer(loop: Loop, server: Server) -> None:
    rows = loop.rows("var/scores/scores.csv")
    ids = [row["customer_id"] for row in rows]
    response, body = server.ask("POST", "/v1/scores", {"customer_ids": ids, "explain": True})
    assert response.status == 200
    for row, served in zip(rows, json.loads(body)["results"], strict=True):
        assert served["customer_id"] == row["customer_id"]
        for name in COLUMNS[2:8]:
            assert abs(served[name] - float(row[name])) <= SAME
        assert served["risk_tier"] == row["risk_tier"]
        reasons = [row[f"reason_{place}"] for place in (1, 2, 3) if row[f"reason_{place}"]]
        assert [reason["text"] for reason in served["reasons"]] == reasons


def test_the_served_list_begins_as_the_file_does(loop: Loop, server: Server) -> None:
    served = json.loads(server.ask("GET", "/v1/at-risk?limit=20")[1])["customers"]
    listed = loop.rows("var/scores/at_risk.csv")[:20]
    assert [one["customer_id"] for one in served] == [row["customer_id"] for row in listed]


def test_a_port_in_use_is_refused_before_a_second_server_starts(loop: Loop, server: Server) -> None:
    loop.run("serve", "--port", str(server.port)).refused(
        f"port {server.port} cannot be served on", "name another with --port"
    )
