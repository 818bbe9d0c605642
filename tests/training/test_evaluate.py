"""Verdicts on models whose worth is known beforehand."""

from datetime import datetime

import numpy as np
import pytest

from features.feature_contract import FeatureContract
from training.dataset import Dataset
from training.evaluate import (
    CannotJudge,
    ChurnEvaluation,
    judge_churn,
    judge_orders,
    judge_value,
)

ROWS = 1500


def rows(**labels: np.ndarray) -> Dataset:
    count = len(next(iter(labels.values())))
    return Dataset(
        X=np.empty((count, 0)),
        customer_id=np.arange(count).astype(str),
        cutoff=np.full(count, datetime(2024, 1, 1), dtype="datetime64[us]"),
        contract=FeatureContract(columns=()),
        **labels,
    )


def known_risk() -> tuple[np.ndarray, np.ndarray]:
    """True propensities, and churn drawn from them."""
    rng = np.random.default_rng(11)
    risk = rng.beta(1, 2, ROWS)
    return risk, (rng.random(ROWS) < risk).astype(float)


def judged(seed: int = 3) -> ChurnEvaluation:
    risk, churned = known_risk()
    noise = np.random.default_rng(1).random(ROWS)
    predictions = {
        "model": risk,
        "twin": risk**2,
        "noise": noise,
        "base rate": np.full(ROWS, churned.mean()),
    }
    return judge_churn(rows(churned=churned), predictions, draws=100, seed=seed)


def test_the_true_propensity_beats_noise_and_ties_with_its_own_ranking() -> None:
    evaluation = judged()
    twin, noise, base = evaluation.verdicts
    assert not evaluation.no_skill
    assert twin == "Ties with twin: AUC differs by 0.000 [0.000, 0.000]."
    assert noise.startswith("Beats noise by 0.")
    assert base.startswith("Beats base rate by 0.")
    assert evaluation.comparison.methods["model"]["ece"].point < 0.05
    assert evaluation.comparison.differences["twin"]["brier"].high < 0


def test_verdicts_repeat_with_the_seed() -> None:
    assert judged().verdicts == judged().verdicts
    assert judged().verdicts != judged(seed=4).verdicts


def test_noise_has_no_evidence_of_skill_and_is_worse_than_the_truth() -> None:
    risk, churned = known_risk()
    noise = np.random.default_rng(1).random(ROWS)
    evaluation = judge_churn(
        rows(churned=churned), {"model": noise, "RFM logistic": risk}, draws=100, seed=3
    )
    assert evaluation.no_skill
    assert evaluation.verdicts[0].startswith("No evidence of skill: AUC interval 0.4")
    assert evaluation.verdicts[0].endswith("includes 0.5.")
    assert evaluation.verdicts[1].startswith("Is worse than RFM logistic by 0.")


def test_a_reversed_ranking_is_called_worse_than_chance() -> None:
    risk, churned = known_risk()
    evaluation = judge_churn(rows(churned=churned), {"model": 1 - risk}, draws=50, seed=3)
    assert evaluation.no_skill
    assert evaluation.verdicts[0].startswith("Worse than chance: AUC interval 0.19 to")


def test_paired_differences_are_narrower_than_the_intervals_they_come_from() -> None:
    risk, churned = known_risk()
    nearly = np.clip(risk + np.random.default_rng(2).normal(0, 0.05, ROWS), 0.001, 0.999)
    evaluation = judge_churn(
        rows(churned=churned), {"model": risk, "near": nearly}, draws=100, seed=3
    )
    own = evaluation.comparison.methods["model"]["auc"]
    paired = evaluation.comparison.differences["near"]["auc"]
    assert paired.high - paired.low < (own.high - own.low) / 3


def test_the_table_has_a_row_for_each_method_and_metric() -> None:
    table = judged().comparison.table()
    assert len(table) == 4 * 7
    model = next(r for r in table if (r["method"], r["metric"]) == ("model", "auc"))
    noise = next(r for r in table if (r["method"], r["metric"]) == ("noise", "auc"))
    assert model["difference"] is None
    assert noise["difference"] == pytest.approx(model["value"] - noise["value"])
    assert model["low"] < model["value"] < model["high"]


def test_tracked_metrics_are_finite_numbers_by_name() -> None:
    tracked = judged().metrics()
    assert tracked["churn_auc_low"] < tracked["churn_auc"] < tracked["churn_auc_high"]
    assert tracked["churn_auc_vs_base_rate"] == pytest.approx(tracked["churn_auc"] - 0.5)
    assert all(np.isfinite(number) for number in tracked.values())


@pytest.mark.parametrize(("everyone", "word"), [(0.0, "stayed"), (1.0, "churned")])
def test_one_class_cannot_be_judged(everyone: float, word: str) -> None:
    test = rows(churned=np.full(40, everyone))
    with pytest.raises(CannotJudge, match=f"all 40 test customers {word}"):
        judge_churn(test, {"model": np.full(40, 0.5)}, draws=20, seed=1)


def test_a_good_value_model_beats_the_mean_and_its_intervals_cover() -> None:
    rng = np.random.default_rng(4)
    expected = rng.lognormal(4, 1, ROWS)
    value = expected * rng.uniform(0.5, 1.5, ROWS) * (rng.random(ROWS) < 0.7)
    predictions = {"model": 0.7 * expected, "mean value": np.full(ROWS, value.mean())}
    interval = (np.zeros(ROWS), 1.5 * expected)
    evaluation = judge_value(rows(value=value), predictions, interval, draws=60, seed=1)
    gini, rmse = evaluation.verdicts
    assert gini.startswith("Beats mean value by 0.")
    assert rmse.startswith("Beats mean value by")
    assert "RMSE" in rmse
    assert evaluation.coverage.overall == evaluation.coverage.buyers == 1.0
    assert evaluation.comparison.methods["model"]["total_ratio"].point == pytest.approx(1, abs=0.1)
    assert evaluation.metrics()["clv_interval_coverage_buyers"] == 1.0


def test_expected_orders_are_judged_beside_the_mean() -> None:
    rng = np.random.default_rng(9)
    pace = rng.gamma(1.0, 2.0, ROWS)
    orders = rng.poisson(pace).astype(float)
    predictions = {"model": pace, "mean orders": np.full(ROWS, orders.mean())}
    evaluation = judge_orders(rows(orders=orders), predictions, draws=40, seed=1)
    assert evaluation.mean_orders == orders.mean()
    assert all(told.startswith("Beats mean orders by") for told in evaluation.verdicts)
    assert evaluation.metrics()["orders_total_ratio"] == pytest.approx(1, abs=0.1)
    assert sum(decile.surprising for decile in evaluation.deciles) <= 3


def test_nobody_buying_cannot_be_judged_on_orders() -> None:
    with pytest.raises(CannotJudge, match="none of the 30 test customers bought"):
        judge_orders(rows(orders=np.zeros(30)), {"model": np.ones(30)}, draws=20, seed=1)


def test_errors_are_better_when_lower_and_zero_has_no_sign() -> None:
    value = np.arange(200, dtype=float)
    predictions = {"model": value + 1, "twin": value + 1, "worse": value + 3}
    judged = judge_value(rows(value=value), predictions, (value, value), draws=20, seed=1)
    assert judged.verdicts[1] == "Ties with twin: RMSE differs by 0.000 [0.000, 0.000]."
    assert judged.verdicts[3] == "Beats worse by 2.000 RMSE [2.000, 2.000]."


def test_nothing_bought_cannot_be_judged() -> None:
    test = rows(value=np.zeros(30))
    with pytest.raises(CannotJudge, match=r"brought in 0\.00 in total"):
        judge_value(test, {"model": np.ones(30)}, (np.zeros(30), np.ones(30)), draws=20, seed=1)


def test_labels_of_the_other_task_are_refused() -> None:
    with pytest.raises(CannotJudge, match="carry no labels of this kind"):
        judge_churn(rows(value=np.ones(9)), {"model": np.ones(9)}, draws=20, seed=1)
