"""A table of the user's own: plain functions from table to verdict, and what is refused."""

import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.config import PipelineConfig, TrainingConfig
from features.feature_contract import FeatureMismatch
from training.calibration import sigmoid
from training.dataset import CannotTrain
from training.fitting import Fitted, fit_models, with_value
from training.given_table import TableRefused, dataset_from_table, rows_by_time
from training.judging.suspects import SuspectedLeak, refuse_suspects
from training.judging.verdict import judge_models, with_value_verdict
from training.rows import Rows, ValueRows

CONFIG = PipelineConfig(
    name="own table",
    currency="EUR",
    sources={},
    clv={"horizon_days": 90},
    training={"bootstrap_draws": 40},
)
MONTHS = ("2025-01-01", "2025-02-01", "2025-05-01")


def table(customers: int = 250, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """Customers at three cutoffs; a low balance and the plan `month` make them leave.

    Beside them a constant, an all-missing and a partly infinite feature.
    """
    rng = np.random.default_rng(seed)
    rows = customers * len(MONTHS)
    balance = rng.normal(0.0, 1.0, rows)
    plan = rng.choice(["month", "year"], rows)
    churned = rng.random(rows) < sigmoid(-2.0 * balance + (plan == "month") - 0.5)
    made = pd.DataFrame(
        {
            "customer_id": np.tile([f"c{n}" for n in range(customers)], len(MONTHS)),
            "cutoff": np.repeat(MONTHS, customers),
            "balance": balance,
            "plan": plan,
            "flag": np.ones(rows, dtype=bool),
            "nothing": pd.Series([None] * rows, dtype="float64"),
            "ratio": np.where(rng.random(rows) < 0.2, np.inf, rng.random(rows)),
            "churned": churned.astype(int),
            "value": np.where(churned, 0.0, rng.gamma(2.0, 20.0 * np.exp(0.3 * balance))),
            "orders": rng.poisson(2.0, rows) * ~churned,
        }
    )
    return made.assign(**columns)


def valued(rows: Rows) -> ValueRows:
    return ValueRows(rows.train, rows.test)


@cache
def fitted() -> tuple[Rows, Fitted]:
    rows = rows_by_time(dataset_from_table(table()), 90)
    found = fit_models(rows, TrainingConfig())
    return rows, with_value(found, valued(rows), TrainingConfig())


def test_plain_functions_lead_from_a_table_to_a_verdict() -> None:
    rows, found = fitted()
    refuse_suspects(rows.train, ())
    verdict = judge_models(found.models, rows, None, CONFIG)
    verdict = with_value_verdict(verdict, found.models, valued(rows), CONFIG)
    assert verdict.churn.comparison.methods["model"]["auc"].low > 0.7
    assert "ridge on all features" in verdict.value.comparison.methods
    assert next(iter(verdict.drivers)) == "customers_balance"
    assert any("balance (low is risky)" in note for note in verdict.notes)


def test_the_rows_by_hand() -> None:
    """An Arrow table; the text `month` comes first of the categories, alphabetically."""
    arrow = pa.Table.from_pandas(table(30))
    data = dataset_from_table(arrow)
    assert data.contract.names == [
        *("customers_balance", "customers_plan", "customers_flag"),
        *("customers_nothing", "customers_ratio"),
    ]
    row = data.X[2]
    assert row[0] == arrow["balance"][2].as_py()
    assert row[1] == (0.0 if arrow["plan"][2].as_py() == "month" else 1.0)
    assert row[2] == 1.0
    assert np.isnan(data.X[:, 3]).all()
    assert not np.isinf(data.X).any()
    assert set(data.cutoff) == set(np.array(MONTHS, dtype="datetime64[us]"))
    assert data.churned.tolist() == arrow["churned"].to_pylist()


@pytest.mark.parametrize(
    "cutoff",
    [
        date(2025, 5, 1),
        datetime(2025, 5, 1),
        pd.Timestamp("2025-05-01", tz="UTC"),
        pd.Timestamp("2025-05-01 07:00", tz="Asia/Jakarta"),
        "2025-05-01",
    ],
)
def test_a_cutoff_may_be_a_date_a_time_or_text(cutoff: object) -> None:
    some = table(60).iloc[:60].assign(cutoff=cutoff)
    assert set(dataset_from_table(some).cutoff) == {np.datetime64("2025-05-01", "us")}


def test_a_feature_of_the_catalogue_keeps_its_name() -> None:
    named = table(60).rename(columns={"balance": "orders_days_since_last"})
    assert "orders_days_since_last" in dataset_from_table(named).contract.names


def test_a_constant_and_an_all_missing_feature_are_never_used_and_do_no_harm() -> None:
    """Beside the same table without them: the Brier scores agree within .005."""
    rows, found = fitted()
    lean = rows_by_time(dataset_from_table(table().drop(columns=["flag", "nothing"])), 90)
    without = fit_models(lean, TrainingConfig())
    added = np.abs(found.models.contributions(rows.test.X)).max(axis=0)
    used = dict(zip(rows.train.contract.names, added, strict=True))
    assert used["customers_flag"] == used["customers_nothing"] == 0
    ours, theirs = (
        np.mean((fit.models.churn.predict(data.X) - data.churned) ** 2)
        for fit, data in ((found, rows.test), (without, lean.test))
    )
    assert ours == pytest.approx(theirs, abs=0.005)


def test_later_rows_are_encoded_as_the_model_knows_them_whatever_their_order() -> None:
    """A plan never seen in training is unknown; the model still answers."""
    rows, found = fitted()
    later = table(60, seed=2).drop(columns=["churned", "value", "orders"])
    later["plan"] = np.where(np.arange(len(later)) == 0, "gold", later["plan"])
    data = dataset_from_table(later[later.columns[::-1]], rows.train.contract)
    assert np.isnan(data.X[0, 1])
    assert data.contract == rows.train.contract
    answers = found.models.predict(data.X).propensity
    assert ((answers > 0) & (answers < 1)).all()


def test_a_table_with_other_features_is_refused_with_the_differences() -> None:
    rows, _ = fitted()
    other = table(60).drop(columns="flag").assign(plan=1.5, age=30)
    with pytest.raises(FeatureMismatch) as refused:
        dataset_from_table(other, rows.train.contract)
    assert str(refused.value).splitlines()[1:] == [
        "  - customers_flag",
        "  + customers_age",
        "  ~ customers_plan: a category feature for the model, numeric now",
    ]


def test_rows_whose_labels_reach_past_the_test_cutoff_do_not_teach() -> None:
    """Of three cutoffs the first two end their 89 days by 1 May; of 119 days only the first."""
    data = dataset_from_table(table(60))
    assert [len(rows_by_time(data, days).train) for days in (89, 90, 119, 120)] == [120, 60, 60, 60]
    with pytest.raises(
        CannotTrain, match=r"too close: labels of 121 days from 2025-02-01 .* before 2024-12-31"
    ):
        rows_by_time(data, 121)


def test_a_single_cutoff_is_split_by_customer() -> None:
    rows = rows_by_time(dataset_from_table(table().iloc[:250]), 90)
    assert not set(rows.train.customer_id) & set(rows.test.customer_id)
    assert len(rows.train) + len(rows.test) == 250


def test_a_feature_that_knows_the_answer_is_named() -> None:
    made = table()
    data = dataset_from_table(made.assign(closed=made["churned"] * 2.0))
    with pytest.raises(
        SuspectedLeak, match=r"'customers_closed' alone ranks churn with AUC 1\.000"
    ):
        refuse_suspects(data, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": "soon"}, "'cutoff' is not a date everywhere"),
        ({"cutoff": 5.0}, "'cutoff' is double, not a date"),
        ({"customer_id": None}, "180 of 180 rows have no customer_id"),
        ({"customer_id": "c1"}, r"more than once at a cutoff \(first: 'c1' at 2025-01-01\)"),
        ({"churned": 0.5}, "180 of 180 rows have churned 0.5, which is not 0 or 1"),
        ({"churned": np.nan}, "churned nan, which is not 0 or 1"),
        ({"churned": "yes"}, "'churned' is (large_)?string, not a number"),
        ({"value": np.inf}, "value inf, which is not a number; leave out the rows"),
        ({"since": pd.Timestamp("2025-01-01")}, "'since' is timestamp.* .days before the cutoff"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_name(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(TableRefused, match=message):
        dataset_from_table(table(60, **change))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: table(60).assign(churned=0), "0 of 180 rows churned"),
        (lambda: table(60).assign(churned=1), "180 of 180 rows churned and 0 stayed"),
        (lambda: table(10), r"labelled rows 30, customers 10 \(at least 50 rows"),
        (lambda: table(60).assign(value=0.0), "only 0 of 180 rows brought in any value"),
    ],
)
def test_labels_that_teach_nothing_are_refused(made: Any, message: str) -> None:
    with pytest.raises(CannotTrain, match=message):
        dataset_from_table(made())


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("cutoff", "no column 'cutoff' .it has customer_id, balance"),
        ("customer_id", "no column 'customer_id'"),
        ("churned", r"no column 'churned' \(1 churned, 0 stayed\)"),
    ],
)
def test_a_column_that_is_missing_is_named(column: str, message: str) -> None:
    with pytest.raises(TableRefused, match=message):
        dataset_from_table(table(60).drop(columns=column))


def test_a_table_without_features_is_refused() -> None:
    bare = table(60)[["customer_id", "cutoff", "churned"]]
    with pytest.raises(TableRefused, match="no feature beside customer_id, cutoff, churned"):
        dataset_from_table(bare)


def test_the_how_to_of_the_documentation_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-science.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    table().to_parquet("my_features.parquet")
    table(60, seed=2).drop(columns=["churned", "value", "orders"]).to_parquet("today.parquet")
    told: dict[str, Any] = {}
    exec(block, told)  # noqa: S102
    assert "Beats base rate" in capsys.readouterr().out
    assert len(told["propensity"]) == 180
