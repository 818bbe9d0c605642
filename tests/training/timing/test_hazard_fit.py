"""Learning when customers return: a planted shape is found again, an absent one is not invented."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.config import ChurnConfig, PipelineConfig, SourceConfig
from features.feature_contract import FeatureColumn, FeatureContract
from tests.conftest import write_snapshot
from training.dataset import Dataset, build_dataset
from training.timing.hazard_fit import Timing, event_timing, fit_hazard

CONTRACT = FeatureContract(columns=(FeatureColumn(name="orders_days_since_last", definition="d"),))
HORIZON = 60
CHURN = ChurnConfig(horizon_days=HORIZON)
SEEN = 150


def customers(
    power: np.ndarray | float, count: int = 3_000, seed: int = 1
) -> tuple[Dataset, np.ndarray, Timing]:
    """Customers who return by day t with probability 1 - p ** ((t / 60) ** power)."""
    rng = np.random.default_rng(seed)
    propensity = rng.uniform(0.05, 0.95, count)
    recency = rng.choice([2.0, 60.0], count)
    power = np.where(recency < 10, power, 1.0)
    returns = HORIZON * (np.log(rng.random(count)) / np.log(propensity)) ** (1 / power)
    seen = rng.integers(HORIZON, SEEN + 1, count)
    data = Dataset(
        X=recency[:, None],
        customer_id=np.array([f"c{number}" for number in range(count)]),
        cutoff=np.full(count, np.datetime64("2025-01-01", "us")),
        contract=CONTRACT,
        churned=(returns >= HORIZON).astype(float),
    )
    day = np.where(returns < seen, np.floor(returns), np.nan)
    return data, propensity, Timing(day, seen)


def test_a_planted_shape_is_found_for_those_who_have_it() -> None:
    """Recent buyers return early (power .5), the others at a constant hazard."""
    hazard = fit_hazard(*customers(0.5), CHURN, "UTC")
    assert hazard.watched_days == SEEN
    days = np.array([7.0, 30.0, 60.0, 120.0])
    found = hazard.curve(days, np.array([0.4, 0.4]), np.array([[2.0], [60.0]]), CONTRACT)
    assert found[0] == pytest.approx(0.4 ** ((days / HORIZON) ** 0.5), abs=0.03)
    assert found[1] == pytest.approx(0.4 ** (days / HORIZON), abs=0.03)


def test_a_constant_hazard_stays_constant() -> None:
    hazard = fit_hazard(*customers(1.0), CHURN, "UTC")
    assert not np.any(hazard.log_hazard)


def test_a_few_customers_give_a_constant_hazard() -> None:
    hazard = fit_hazard(*customers(0.5, count=40), CHURN, "UTC")
    assert not np.any(hazard.log_hazard)


def test_what_came_after_the_watching_ended_changes_nothing() -> None:
    """A row watched for 60 days says the same whether the customer returned on day 61 or never."""
    data, propensity, timing = customers(0.5)
    beyond = np.where(np.isnan(timing.day), timing.seen + 1.0, timing.day)
    later = fit_hazard(data, propensity, Timing(beyond, timing.seen), CHURN, "UTC")
    assert later == fit_hazard(data, propensity, timing, CHURN, "UTC")


def test_an_unknown_input_counts_as_the_mean() -> None:
    data, propensity, timing = customers(0.5)
    data.X[::7] = np.nan
    hazard = fit_hazard(data, propensity, timing, CHURN, "UTC")
    middle = np.expm1(hazard.centre[1])
    days = np.array([7.0])
    curve = hazard.curve(days, np.array([0.4, 0.4]), np.array([[np.nan], [middle]]), CONTRACT)
    assert curve[0] == pytest.approx(curve[1])


def test_timing_agrees_with_the_churn_label(tmp_path: Path) -> None:
    first = datetime(2025, 1, 1, tzinfo=UTC)
    rng = np.random.default_rng(3)
    orders = [
        {
            "customer_id": f"c{number}",
            "ordered_at": first + timedelta(days=float(day)),
            "amount": 10.0,
        }
        for number in range(60)
        for day in [rng.uniform(0, 100), *rng.uniform(0, 200, rng.integers(2, 9))]
    ]
    snapshot = write_snapshot(tmp_path / "snapshots", {"orders": orders})
    config = PipelineConfig(
        name="made",
        currency="EUR",
        workspace=tmp_path,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn={"horizon_days": 30},
    )
    cutoff = first + timedelta(days=100)
    data = build_dataset(snapshot, config, (cutoff,), "churn")
    timing = event_timing(snapshot, config, data, cutoff + timedelta(days=45))
    assert (timing.seen == 45).all()
    silent = ~(timing.day < 30)
    assert data.churned is not None
    assert (silent == (data.churned == 1.0)).all()
    assert np.nanmax(timing.day) > 30
