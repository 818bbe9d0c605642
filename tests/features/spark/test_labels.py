"""Spark and DuckDB give the same labels."""

from datetime import datetime

import pyarrow as pa
import pytest

from features.config import PipelineConfig
from features.given_labels import given_labels
from features.labels import churn_labels, payment_failure_labels, value_labels
from features.spine import eligible_spine
from features.windows import shift_days
from tests.features.spark.conftest import Both
from tests.spark_engine import differing

HORIZON = 90


def cutoffs(both: Both) -> list[datetime]:
    end, zone = both.duckdb.manifest.watermark, both.duckdb.zone
    return [shift_days(end, -days, zone) for days in (420, 300, 95)]


def spine(both: Both, config: PipelineConfig) -> pa.Table:
    asked = [
        eligible_spine(each, config.churn, cutoffs(both)) for each in (both.duckdb, both.spark)
    ]
    assert asked[0].num_rows > 100
    assert asked[0].equals(asked[1])
    return asked[0]


@pytest.mark.parametrize(
    "churn",
    [
        {"label": "inactivity", "activity": "orders"},
        {"label": "inactivity", "activity": "events"},
        {"label": "subscription", "grace_days": 20},
    ],
)
def test_churn_agrees(both: Both, churn: dict[str, str]) -> None:
    changed = both.config.churn.model_copy(update={**churn, "horizon_days": HORIZON})
    config = both.config.model_copy(update={"churn": changed})
    asked = spine(both, config)
    one, other = (churn_labels(each, config, asked) for each in (both.duckdb, both.spark))
    assert 0 < sum(one["churned"].to_pylist()) < asked.num_rows
    assert differing(one, other) == []


@pytest.mark.parametrize("value", ["amount", "margin"])
@pytest.mark.parametrize("rate", [0.0, 0.08])
def test_value_agrees_to_the_last_digit_kept(both: Both, value: str, rate: float) -> None:
    clv = both.config.clv.model_copy(update={"value": value, "annual_discount_rate": rate})
    config = both.config.model_copy(update={"clv": clv})
    asked = spine(both, config)
    one, other = (value_labels(each, config, asked, HORIZON) for each in (both.duckdb, both.spark))
    assert sum(one["value"].to_pylist()) > 0
    assert differing(one, other) == []


def test_payment_failures_agree(both: Both) -> None:
    changed = both.config.churn.model_copy(update={"label": "subscription"})
    config = both.config.model_copy(update={"churn": changed})
    asked = spine(both, config)
    labels = (payment_failure_labels(each, config, asked) for each in (both.duckdb, both.spark))
    assert differing(*labels) == []


def test_a_label_of_the_company_s_own_agrees(both: Both) -> None:
    churn = both.config.churn.model_copy(
        update={"label": "column", "column": "acquisition", "churned_values": ["Adverts"]}
    )
    asked = eligible_spine(both.duckdb, churn, cutoffs(both)[:1])
    one, other = (given_labels(each, churn, asked) for each in (both.duckdb, both.spark))
    assert 0 < sum(one["churned"].to_pylist()) < asked.num_rows
    assert differing(one, other) == []
