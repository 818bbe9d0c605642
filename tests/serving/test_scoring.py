"""Scores: tiers, value at risk and the score file."""

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.config import ServingConfig
from serving.scoring import SCORE_COLUMNS, risk_tier, score_rows, write_scores
from tests.serving.scored_company import CUTOFF, Company, score_company


def test_a_propensity_at_a_limit_belongs_to_the_tier_above() -> None:
    serving = ServingConfig(high_risk=0.6, medium_risk=0.3)
    tiers = [risk_tier(propensity, serving) for propensity in (0.61, 0.6, 0.59, 0.3, 0.29)]
    assert tiers == ["high", "high", "medium", "medium", "low"]


def test_value_at_risk_is_propensity_times_clv(company: Company) -> None:
    prediction = company.bundle.predict(company.X)
    for place, score in enumerate(company.scores):
        assert score.churn_probability == prediction.propensity[place]
        assert score.clv == prediction.clv[place]
        assert score.value_at_risk == prediction.propensity[place] * prediction.clv[place]
        assert (score.clv_low, score.clv_high) == (
            prediction.clv_low[place],
            prediction.clv_high[place],
        )


def test_a_customer_alone_is_scored_as_in_the_batch(company: Company) -> None:
    for place in range(0, 300, 29):
        one = company.X[place : place + 1]
        alone = score_rows(company.bundle, ["alone"], one, CUTOFF, company.serving)[0]
        batch = company.scores[place]
        assert alone.churn_probability == pytest.approx(batch.churn_probability, abs=1e-12)
        assert alone.reasons == batch.reasons
        assert alone.next_step == batch.next_step


def test_without_value_models_the_propensity_orders_customers(tmp_path: Path) -> None:
    company = score_company(tmp_path, customers=20, value=False)
    for score in company.scores:
        assert (score.clv, score.clv_low, score.clv_high, score.expected_orders) == (None,) * 4
        assert score.value_at_risk == score.churn_probability


def test_act_by_counts_local_days_from_the_cutoff(company: Company) -> None:
    """The cutoff, 17:00 UTC on 31 December, is the start of 1 January in Jakarta."""
    hazard, contract = company.bundle.models.hazard, company.bundle.contract
    assert hazard is not None
    propensity = company.bundle.predict(company.X).propensity
    days = hazard.act_by(propensity, company.X, contract).tolist()
    start = date(2026, 1, 1)
    assert [score.act_by for score in company.scores] == [start + timedelta(d) for d in days]


def test_without_a_cutoff_there_is_no_day_to_act_by(company: Company) -> None:
    (score,) = score_rows(company.bundle, ["a"], company.X[:1], None, company.serving)
    assert score.act_by is None


def test_progress_ends_at_the_number_of_customers(company: Company) -> None:
    told: list[int] = []
    ids = [str(place) for place in range(1100)]
    X = np.resize(company.X, (1100, company.X.shape[1]))
    score_rows(company.bundle, ids, X, CUTOFF, company.serving, progress=told.append)
    assert told == [500, 1000, 1100]


def test_the_score_file_has_the_agreed_columns_and_full_precision(
    company: Company, tmp_path: Path
) -> None:
    write_scores(tmp_path, company.scores)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == SCORE_COLUMNS
    assert [row["customer_id"] for row in rows] == [s.customer_id for s in company.scores]
    for row, score in zip(rows, company.scores, strict=True):
        assert float(row["churn_probability"]) == score.churn_probability
        assert float(row["value_at_risk"]) == score.value_at_risk
        assert row["cutoff"] == "2025-12-31T17:00:00Z"
        assert row["act_by"] == str(score.act_by)
        assert row["reason_1"] == score.reasons[0].text


def test_parquet_and_csv_hold_the_same_scores(company: Company, tmp_path: Path) -> None:
    write_scores(tmp_path, company.scores)
    table = pq.read_table(tmp_path / "scores.parquet")
    assert tuple(table.column_names) == SCORE_COLUMNS
    assert table["cutoff"][0].as_py() == CUTOFF
    assert table["act_by"].to_pylist() == [score.act_by for score in company.scores]
    assert table["clv_high"].to_pylist() == [score.clv_high for score in company.scores]
    assert table["reason_2"].to_pylist() == [
        score.reasons[1].text if len(score.reasons) > 1 else None for score in company.scores
    ]


def test_no_customers_give_no_scores(company: Company) -> None:
    X = np.empty((0, company.X.shape[1]))
    assert score_rows(company.bundle, [], X, CUTOFF, company.serving) == []
