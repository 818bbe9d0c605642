"""Training runs and backtests end to end on small made companies, with a real MLflow store."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from features.config import (
    ChurnConfig,
    ClvConfig,
    PipelineConfig,
    SourceConfig,
    TrainingConfig,
)
from features.labels import ImmatureCutoff
from tests.conftest import write_snapshot
from training.bundle import load_bundle
from training.dataset import CannotTrain, NotEnoughHistory
from training.judging.suspects import SuspectedLeak
from training.registry import tracking
from training.run import TrainReport, backtest, train

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
LAST_DAY = 400
CUTOFF = FIRST + timedelta(days=330)


def silent(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def shop(customers: int, seed: int, *, skill: bool = True) -> list[dict[str, Any]]:
    """Orders of customers who buy at their own pace until a day of their own; or all alike."""
    rng = np.random.default_rng(seed)
    orders = []
    for number in range(customers):
        pace = rng.choice([4.0, 12.0, 30.0]) if skill else 40.0
        end = rng.uniform(60, 600) if skill else 1e9
        size = rng.lognormal(3.0, 0.7)
        day = rng.uniform(0, 30)
        while day < min(end, LAST_DAY):
            orders.append(
                {
                    "customer_id": f"c{number}",
                    "ordered_at": FIRST + timedelta(days=day),
                    "amount": round(float(rng.gamma(4.0, size / 4.0)), 2),
                }
            )
            day += rng.exponential(pace) + 0.01
    return orders


def config_for(workspace: Path, **changes: Any) -> PipelineConfig:
    settings: dict[str, Any] = {
        "name": "made shop",
        "currency": "EUR",
        "workspace": workspace,
        "generated": True,
        "sources": {"orders": SourceConfig(path="orders.csv")},
        "churn": ChurnConfig(horizon_days=40, eligible_days=120),
        "clv": ClvConfig(horizon_days=60),
        "training": TrainingConfig(cutoffs=2, cutoff_every_days=40, bootstrap_draws=40),
    }
    return PipelineConfig(**(settings | changes))


def trained(workspace: Path, orders: list[dict[str, Any]], **changes: Any) -> TrainReport:
    write_snapshot(workspace / "snapshots", {"orders": orders})
    return train(config_for(workspace, **changes), True, silent)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)


def test_a_learnable_shop_is_trained_tracked_and_served(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    write_snapshot(tmp_path / "snapshots", {"orders": shop(300, 1)})
    report = train(config_for(tmp_path), True, lambda *step: seen.append(step))
    assert report.refusals == ()
    assert report.churn.comparison.methods["model"]["auc"].low > 0.7
    assert report.value is not None
    served = load_bundle(tmp_path / "bundle")
    assert served.manifest.version == report.registered.churn_version == "1"
    assert served.manifest.clv_horizon_days == 60
    run = tracking(config_for(tmp_path)).get_run(report.registered.run_id)
    auc = report.churn.comparison.methods["model"]["auc"]
    assert run.data.metrics["churn_auc_low"] == auc.low
    assert run.data.metrics["churn_auc_high"] == auc.high
    assert run.data.params["churn.horizon_days"] == "40"
    assert [done for _, done, _ in seen] == list(range(seen[0][2]))


def test_the_curve_meets_the_propensity_at_the_horizon(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(200, 1)})
    report = backtest(config_for(tmp_path), CUTOFF, tmp_path / "out", silent)
    hazard, X = report.bundle.models.hazard, report.customers.X
    assert hazard is not None
    assert (hazard.event, hazard.horizon_days) == ("return", 40)
    propensity = report.bundle.predict(X).propensity
    curve = hazard.curve(np.array([40.0]), propensity, X, report.bundle.contract)
    assert np.abs(curve[:, 0] - propensity).max() < 1e-8


def test_the_report_holds_the_card_the_comparison_and_the_pictures(tmp_path: Path) -> None:
    report = trained(tmp_path, shop(300, 1))
    names = {file.name for file in report.folder.iterdir()}
    assert names == {
        "report.md",
        "comparison_churn.csv",
        "comparison_orders.csv",
        "comparison_clv.csv",
        "reliability.png",
        "gains.png",
        "value_deciles.png",
        "coverage.png",
        "top_features_churn.png",
    }
    card = load_bundle(tmp_path / "bundle").card
    assert card == (report.folder / "report.md").read_text()
    assert "**Generated data.**" in card
    assert "| RFM logistic |" in card
    assert "no order within 40 days" in card
    for table in (
        "| decile | customers | predicted | happened |",
        "| decile | customers | predicted | happened | inside the 90 % interval |",
        "| published rule | grade | because |",
    ):
        assert table in card
    assert re.search(r"names \d+% of each customer's three main contributions again", card)
    kept = tracking(config_for(tmp_path)).list_artifacts(report.registered.run_id, "report")
    assert {Path(file.path).name for file in kept} == names
    rows = (report.folder / "comparison_churn.csv").read_text().splitlines()
    assert rows[0].startswith("method,metric,value,low,high,difference")


def test_the_same_data_and_seed_give_the_same_files(tmp_path: Path) -> None:
    orders = shop(150, 3)
    for name in ("one", "two"):
        write_snapshot(tmp_path / name / "snapshots", {"orders": orders})
        backtest(config_for(tmp_path / name), CUTOFF, tmp_path / name / "out", silent)
    one, two = (
        load_bundle(tmp_path / name / "out" / "bundle").manifest.files for name in ("one", "two")
    )
    assert one == two


def test_customers_who_are_all_alike_are_refused_and_the_champion_stays(tmp_path: Path) -> None:
    trained(tmp_path, shop(300, 1))
    before = load_bundle(tmp_path / "bundle").manifest
    report = trained(tmp_path, shop(120, 6, skill=False))
    assert report.churn.no_skill
    assert "no evidence of skill" in report.refusals[0]
    assert not any("only ties" in note for note in report.notes)
    assert report.promoted is None
    assert report.registered.churn_version == "2"
    assert load_bundle(tmp_path / "bundle").manifest == before


def test_a_champion_that_saw_the_test_labels_is_not_compared_and_that_is_said(
    tmp_path: Path,
) -> None:
    orders = shop(200, 6)
    first = trained(tmp_path, orders)
    assert any("There is no champion yet" in note for note in first.notes)
    again = trained(tmp_path, orders)
    assert "champion" not in again.churn.comparison.methods
    assert any("Champion v1 is not compared: it learned" in note for note in again.notes)


def test_two_hundred_customers_are_judged_with_wide_intervals(tmp_path: Path) -> None:
    """They may tie with RFM: then the gate says so and nothing is served."""
    report = trained(tmp_path, shop(200, 2))
    auc = report.churn.comparison.methods["model"]["auc"]
    assert auc.high - auc.low > 0.08
    assert auc.low > 0.6
    assert (report.promoted is None) == bool(report.refusals)
    assert all(reason.startswith("not shown to be better than") for reason in report.refusals)


def test_a_handful_of_customers_is_refused_with_advice(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(15, 2)})
    with pytest.raises(CannotTrain, match="bring more customers"):
        train(config_for(tmp_path), True, silent)


def test_an_older_champion_is_compared_on_the_same_rows(tmp_path: Path) -> None:
    orders = shop(250, 7)
    early = [order for order in orders if order["ordered_at"] < FIRST + timedelta(days=300)]
    trained(tmp_path, early)
    later = trained(tmp_path, orders)
    assert "champion" in later.churn.comparison.methods
    difference = later.churn.comparison.differences["champion"]["auc"]
    assert difference.low <= difference.point <= difference.high


def test_nothing_after_the_cutoff_changes_a_backtested_prediction(tmp_path: Path) -> None:
    orders = shop(200, 8)
    other = [
        {**order, "amount": order["amount"] * 3} if order["ordered_at"] >= CUTOFF else order
        for number, order in enumerate(orders)
        if order["ordered_at"] < CUTOFF or number % 3
    ]
    answers = []
    for name, told in (("as it was", orders), ("otherwise", other)):
        workspace = tmp_path / name
        watermark = FIRST + timedelta(days=LAST_DAY + 1)
        write_snapshot(workspace / "snapshots", {"orders": told}, watermark=watermark)
        report = backtest(config_for(workspace), CUTOFF, workspace / "out", silent)
        answers.append((report, report.bundle.predict(report.customers.X)))
    (one, first), (two, second) = answers
    boosters = [name for name in one.bundle.manifest.files if name != "card.md"]
    assert [one.bundle.manifest.files[n] for n in boosters] == [
        two.bundle.manifest.files[n] for n in boosters
    ]
    assert np.array_equal(first.propensity, second.propensity)
    assert np.array_equal(first.clv, second.clv)
    assert one.churn.base_rate < two.churn.base_rate


def test_a_backtest_writes_its_bundle_and_registers_nothing(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(200, 9)})
    report = backtest(config_for(tmp_path), CUTOFF, tmp_path / "out", silent)
    assert load_bundle(tmp_path / "out" / "bundle").manifest.version == "backtest-2024-11-26"
    assert max(report.bundle.manifest.cutoffs) + timedelta(days=40) <= CUTOFF
    assert len(report.customers) == report.churn.rows
    assert "2024-11-26" in (tmp_path / "out" / "report.md").read_text()
    assert not (tmp_path / "mlflow.db").exists()


def test_value_is_predicted_though_not_judged_before_its_horizon_is_over(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(200, 10)})
    config = config_for(tmp_path, clv=ClvConfig(horizon_days=90))
    report = backtest(config, CUTOFF, tmp_path / "out", silent)
    assert report.value is None
    assert "CLV is not judged: its horizon is not over yet." in report.notes
    prediction = report.bundle.predict(report.customers.X)
    assert (prediction.clv_low <= prediction.clv).all()
    assert (prediction.clv <= prediction.clv_high).all()


def test_a_cutoff_whose_churn_horizon_is_not_over_is_refused(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(60, 11)})
    late = FIRST + timedelta(days=LAST_DAY - 10)
    with pytest.raises(ImmatureCutoff, match="needs 40 days after it"):
        backtest(config_for(tmp_path), late, tmp_path / "out", silent)


def test_a_horizon_longer_than_the_history_skips_value_and_says_so(tmp_path: Path) -> None:
    report = trained(tmp_path, shop(200, 12), clv=ClvConfig(horizon_days=365))
    assert report.value is None
    assert report.registered.clv_version is None
    assert any("No CLV" in note and "clv.horizon_days" in note for note in report.notes)


def test_a_history_too_short_for_churn_is_refused_with_a_horizon_that_fits(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"orders": shop(60, 13)})
    config = config_for(tmp_path, churn=ChurnConfig(horizon_days=300))
    with pytest.raises(NotEnoughHistory, match="the longest horizon that fits is"):
        train(config, False, silent)


def test_a_company_of_events_has_churn_but_no_value(tmp_path: Path) -> None:
    events = [
        {
            "customer_id": order["customer_id"],
            "occurred_at": order["ordered_at"],
            "event": "login",
        }
        for order in shop(200, 14)
    ]
    write_snapshot(tmp_path / "snapshots", {"events": events})
    churn = ChurnConfig(activity="events", horizon_days=40, eligible_days=120)
    report = backtest(config_for(tmp_path, churn=churn), CUTOFF, tmp_path / "out", silent)
    assert report.value is None
    assert any("the company has no orders" in note for note in report.notes)
    bundle = load_bundle(tmp_path / "out" / "bundle")
    assert bundle.manifest.clv_horizon_days is None
    assert np.isnan(bundle.predict(np.zeros((1, len(bundle.contract.columns)))).clv).all()


def wide_table(customers: int) -> list[dict[str, Any]]:
    """Customers with a given label that their `usage` and their `calls` explain together."""
    rng = np.random.default_rng(15)
    usage, calls = rng.normal(0.0, 1.0, (2, customers))
    left = rng.random(customers) < 1.0 / (1.0 + np.exp(2.0 * (usage - calls)))
    return [
        {
            "customer_id": f"c{number}",
            "usage": float(usage[number]),
            "calls": float(calls[number]),
            "contract": str(rng.choice(["month", "year"])),
            "left": "Yes" if left[number] else "No",
        }
        for number in range(customers)
    ]


def test_a_given_label_is_judged_on_customers_held_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshots", {"customers": wide_table(500)})
    churn = ChurnConfig(label="column", column="left")
    config = config_for(tmp_path, churn=churn)
    report = train(config, True, silent)
    assert report.churn.comparison.methods["model"]["auc"].low > 0.7
    assert 80 < report.churn.rows < 170
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.cutoffs == ()
    assert not any("left" in name for name in bundle.contract.names)
    with pytest.raises(CannotTrain, match="no time to go back to"):
        backtest(config, CUTOFF, tmp_path / "out", silent)


def test_a_balanced_table_is_served_at_the_rate_of_its_population(tmp_path: Path) -> None:
    population = wide_table(4_000)
    left = [row for row in population if row["left"] == "Yes"]
    few = [row for row in population if row["left"] == "No"][: len(left) // 4]
    sampled = [row for row in population if row["left"] == "Yes"][: 4 * len(few)] + few
    write_snapshot(tmp_path / "snapshots", {"customers": sampled})
    churn = ChurnConfig(label="column", column="left", population_rate=0.5)
    report = train(config_for(tmp_path, churn=churn), True, silent)
    assert any("80.0% churned" in note and "50.0% do" in note for note in report.notes)
    bundle = load_bundle(tmp_path / "bundle")
    told = [name for name in population[0] if name not in ("customer_id", "left")]
    rows = {f"customers_{name}": [row[name] for row in population] for name in told}
    said = bundle.predict(bundle.contract.encode(rows)).propensity
    assert said.mean() == pytest.approx(len(left) / len(population), rel=0.15)


def test_a_planted_column_that_knows_the_label_is_named_and_refused(tmp_path: Path) -> None:
    table = [{**row, "final_bill": float(row["left"] == "Yes")} for row in wide_table(500)]
    write_snapshot(tmp_path / "snapshots", {"customers": table})
    churn = ChurnConfig(label="column", column="left")
    with pytest.raises(SuspectedLeak, match="'customers_final_bill' alone ranks churn with AUC 1"):
        train(config_for(tmp_path, churn=churn), True, silent)


def test_the_mlflow_project_calls_our_own_commands() -> None:
    root = Path(__file__).parents[2]
    project = yaml.safe_load((root / "MLproject").read_text())
    environment = yaml.safe_load((root / project["python_env"]).read_text())
    assert environment["dependencies"] == ["-r requirements.lock"]
    assert (root / "requirements.lock").exists()
    for name, entry in project["entry_points"].items():
        assert entry["command"].startswith(f"python -m setia {name} -c {{config}}")
        for parameter in entry["parameters"]:
            assert f"{{{parameter}}}" in entry["command"]
