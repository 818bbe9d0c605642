"""A history shorter than two horizons: labels of what fits, stretched by BTYD, or a refusal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import PipelineConfig, SourceConfig
from features.labels import latest_matured
from tests.conftest import write_snapshot
from training.dataset import NotEnoughHistory
from training.fitting import fit_models, with_value
from training.rows import NoValueModel, churn_rows, value_rows

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def config(horizon: int, clv: int = 60, **churn: Any) -> PipelineConfig:
    return PipelineConfig(
        name="young shop",
        currency="EUR",
        sources={"orders": SourceConfig(path="orders.csv")},
        churn={"horizon_days": horizon, "eligible_days": 200} | churn,
        clv={"horizon_days": clv},
        training={"cutoffs": 3, "cutoff_every_days": 4, "threads": 1},
    )


def shop(customers: int, days: int, seed: int = 1) -> list[dict[str, Any]]:
    """MBG/NBD customers who first order in the first 25 days."""
    rng = np.random.default_rng(seed)
    orders = []
    for number in range(customers):
        pace, chance = 12.0 / rng.gamma(1.5), max(rng.beta(0.6, 3.0), 1e-3)
        waits = rng.exponential(pace, rng.geometric(chance) - 1)
        size = rng.lognormal(3.0, 0.5)
        for day in rng.uniform(0, 25) + np.cumsum([0.0, *waits]):
            amount = round(float(rng.gamma(4.0, size / 4.0)), 2)
            at = FIRST + float(day) * DAY
            if day < days:
                orders.append({"customer_id": f"c{number:03}", "ordered_at": at, "amount": amount})
    return orders


def young(folder: Path, customers: int = 200, days: int = 130) -> Any:
    """A snapshot of exactly `days`."""
    orders = shop(customers, days)
    orders[0]["ordered_at"] = FIRST
    return write_snapshot(folder, {"orders": orders}, watermark=FIRST + days * DAY)


def test_labels_are_half_of_the_history_before_the_test_cutoff(tmp_path: Path) -> None:
    """130 days, horizon 60: judged on day 70, so labels of 35 days, learned on 31 and 35."""
    rows = churn_rows(young(tmp_path), config(60))
    assert (rows.basis.learned_days, rows.basis.horizon_days) == (35, 60)
    cutoffs = [np.datetime64((FIRST + day * DAY).replace(tzinfo=None), "us") for day in (31, 35)]
    assert np.unique(rows.train.cutoff).tolist() == [cutoff.tolist() for cutoff in cutoffs]
    assert set(rows.test.cutoff.tolist()) == {(FIRST + 70 * DAY).replace(tzinfo=None)}
    assert rows.basis.at is not None


def test_training_labels_are_short_and_test_labels_are_whole(tmp_path: Path) -> None:
    snapshot = young(tmp_path)
    rows = churn_rows(snapshot, config(60))
    bought = {
        (row["customer_id"], (row["ordered_at"] - FIRST) // DAY) for row in shop(200, 130)[1:]
    }

    def silent(data: Any, place: int, days: int) -> bool:
        start = (data.cutoff[place].astype(datetime) - FIRST.replace(tzinfo=None)) // DAY
        return not any((data.customer_id[place], start + day) in bought for day in range(days))

    for data, days in ((rows.train, 35), (rows.test, 60)):
        assert data.churned.tolist() == [silent(data, n, days) for n in range(len(data))]


def test_no_short_label_reaches_past_the_test_cutoff(tmp_path: Path) -> None:
    snapshot = young(tmp_path)
    rows = churn_rows(snapshot, config(60))
    test = latest_matured(snapshot, 60).replace(tzinfo=None)
    ends = rows.train.cutoff + np.timedelta64(rows.basis.learned_days, "D")
    assert (ends <= np.datetime64(test, "us")).all()


def test_stretched_models_answer_for_the_whole_horizon(tmp_path: Path) -> None:
    snapshot = young(tmp_path, customers=600)
    rows = churn_rows(snapshot, config(60))
    worth = value_rows(snapshot, config(60), rows.train.contract)
    training = config(60).training
    models = with_value(fit_models(rows, training), worth, training).models
    found = models.predict(rows.test.X)
    assert found.propensity.mean() == pytest.approx(rows.test.churned.mean(), abs=0.05)
    assert found.expected_orders.sum() == pytest.approx(rows.test.orders.sum(), rel=0.15)
    assert found.clv.sum() == pytest.approx(worth.test.value.sum(), rel=0.2)


def test_too_few_customers_to_stretch_by_are_refused_with_both_horizons(tmp_path: Path) -> None:
    message = "room for labels of 35 days, not of 60, and too few"
    with pytest.raises(NotEnoughHistory, match=message):
        churn_rows(young(tmp_path, customers=45), config(60))


def test_value_that_cannot_be_stretched_is_no_value_model(tmp_path: Path) -> None:
    """A value horizon of 100 days is judged on day 30: labels of 15 days say too little."""
    snapshot = young(tmp_path)
    contract = churn_rows(snapshot, config(60)).train.contract
    with pytest.raises(NoValueModel, match=r"clv\.horizon_days can be shorter"):
        value_rows(snapshot, config(60, clv=100), contract)


def test_a_label_with_less_than_thirty_days_behind_it_is_not_stretched(tmp_path: Path) -> None:
    """Judged on day 55: labels of 27 days would have 28 days behind them."""
    with pytest.raises(NotEnoughHistory, match="a horizon of 75 days judged at 2024-02-25"):
        churn_rows(young(tmp_path), config(75))


def test_a_label_is_stretched_threefold_at_most(tmp_path: Path) -> None:
    """Judged on day 65: labels of 32 days make 95 of it, and not 97."""
    assert churn_rows(young(tmp_path / "a", days=160), config(95)).basis.learned_days == 32
    with pytest.raises(NotEnoughHistory, match="a horizon of 97 days judged at"):
        churn_rows(young(tmp_path / "b", days=162), config(97))


def test_only_orders_are_stretched(tmp_path: Path) -> None:
    orders = shop(200, 130)
    events = [
        {"customer_id": row["customer_id"], "occurred_at": row["ordered_at"], "event": "login"}
        for row in orders
    ]
    tables = {"orders": orders, "events": events}
    snapshot = write_snapshot(tmp_path, tables, watermark=FIRST + 130 * DAY)
    with pytest.raises(NotEnoughHistory, match="horizon of 60 days judged at"):
        churn_rows(snapshot, config(60, activity="events"))


def test_earlier_rows_prove_and_the_last_cutoff_judges(tmp_path: Path) -> None:
    """260 days, horizon 60: learned on days 132, 136 and 140 there is no proof; every 60 days
    there is, by the rows whose labels end by the last cutoff."""
    snapshot = young(tmp_path, days=260)
    near = churn_rows(snapshot, config(60))
    assert near.basis.learned_days == 60
    assert near.basis.proof is None
    apart = config(60).training.model_copy(update={"cutoff_every_days": 60, "cutoffs": 2})
    far = churn_rows(snapshot, config(60).model_copy(update={"training": apart}))
    proof = far.basis.proof
    assert proof is not None
    assert set(proof.train.cutoff.tolist()) == {(FIRST + 80 * DAY).replace(tzinfo=None)}
    assert set(proof.test.cutoff.tolist()) == {(FIRST + 140 * DAY).replace(tzinfo=None)}
    assert proof.standpoint is not None
    assert proof.standpoint.X is proof.test.X


def test_a_backtest_stretches_from_what_lies_before_it(tmp_path: Path) -> None:
    """Judged on day 64: labels of 32 days, learned on day 32."""
    rows = churn_rows(young(tmp_path), config(60), FIRST + 64 * DAY)
    assert rows.basis.learned_days == 32
    assert set(rows.train.cutoff.tolist()) == {(FIRST + 32 * DAY).replace(tzinfo=None)}
