"""Planted leaks are named and refused; honest strong features are not."""

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from training.dataset import Dataset
from training.judging.suspects import SuspectedLeak, refuse_suspects, suspects

ROWS = 2_000


def table(**columns: np.ndarray) -> Dataset:
    """Rows with the given label (`churned`) and feature columns."""
    churned = columns.pop("churned")
    contract = FeatureContract(
        columns=tuple(FeatureColumn(name=name, definition=name) for name in columns)
    )
    return Dataset(
        X=np.column_stack(list(columns.values())).astype(np.float64),
        customer_id=np.array([f"c{i}" for i in range(len(churned))]),
        cutoff=np.full(len(churned), "2024-01-01", dtype="datetime64[us]"),
        contract=contract,
        churned=churned.astype(np.float64),
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_a_feature_that_ranks_the_label_is_named(rng: np.random.Generator) -> None:
    churned = rng.random(ROWS) < 0.3
    data = table(
        churned=churned,
        orders_frequency=rng.normal(size=ROWS),
        orders_days_since_last=churned + rng.normal(scale=0.1, size=ROWS),
    )
    assert [suspect.name for suspect in suspects(data)] == ["orders_days_since_last"]
    with pytest.raises(SuspectedLeak, match=r"'orders_days_since_last' alone ranks churn with AUC"):
        refuse_suspects(data, [])


def test_a_feature_allowed_by_name_is_let_through(rng: np.random.Generator) -> None:
    churned = rng.random(ROWS) < 0.3
    data = table(churned=churned, orders_days_since_last=churned + rng.normal(0, 0.1, ROWS))
    refuse_suspects(data, ["orders_days_since_last"])


def test_a_score_of_one_that_always_means_churned_is_named(rng: np.random.Generator) -> None:
    churned = rng.random(ROWS) < 0.3
    # As in the published table: 1 only for those who left, the rest spread alike over 2 to 5.
    told = churned & (rng.random(ROWS) < 0.4)
    score = np.where(told, 1, rng.integers(2, 6, ROWS))
    data = table(churned=churned, surveys_csat_last=score)
    (suspect,) = suspects(data)
    assert suspect.name == "surveys_csat_last"
    assert f"is '1' on {told.sum()} rows, of which at least 99 % churned" in suspect.how


def test_strong_but_honest_features_are_not_suspected(rng: np.random.Generator) -> None:
    risk = rng.normal(size=ROWS)
    churned = rng.random(ROWS) < 1 / (1 + np.exp(-2 * risk))
    data = table(churned=churned, orders_days_since_last=risk, orders_frequency=-np.round(risk))
    assert suspects(data) == []


def test_where_nearly_all_churn_a_pure_value_is_no_proof(rng: np.random.Generator) -> None:
    churned = rng.random(ROWS) < 0.995
    assert suspects(table(churned=churned, orders_frequency=rng.integers(0, 2, ROWS))) == []
