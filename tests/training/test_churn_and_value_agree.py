"""Churn and value of a generated company do not contradict each other, customer by customer."""

from datetime import date
from typing import NamedTuple

import numpy as np
import pytest

from features.company.generate import generate_company
from features.config import load_config
from features.ingest.run import ingest
from features.labels import latest_matured
from features.snapshot import open_snapshot
from training.fitting import fit_models, with_value
from training.models import Prediction
from training.rows import Rows, churn_rows, value_rows


class Asked(NamedTuple):
    """What is said at the test cutoff, and the rows with what came."""

    said: Prediction
    rows: Rows
    value: np.ndarray


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """A company whose models are fitted on one cutoff, churn and value over the same horizon."""
    folder = tmp_path_factory.mktemp("company")
    company = generate_company(folder, 1_200, seed=11, days=500, end=date(2026, 6, 30))
    config = load_config(company.config)
    training = config.training.model_copy(update={"threads": 1, "cutoffs": 1})
    config = config.model_copy(
        update={
            "training": training,
            "clv": config.clv.model_copy(update={"horizon_days": config.churn.horizon_days}),
        }
    )
    ingest(config)
    snapshot = open_snapshot(config.workspace / "snapshots")
    cutoff = latest_matured(snapshot, config.churn.horizon_days)
    rows = churn_rows(snapshot, config, cutoff)
    worth = value_rows(snapshot, config, rows.train.contract, cutoff)
    said = with_value(fit_models(rows, training), worth, training).models.predict(rows.test.X)
    assert worth.test is not None
    assert worth.test.value is not None
    return Asked(said, rows, worth.test.value)


def test_who_is_nearly_sure_to_leave_is_worth_nearly_nothing(asked: Asked) -> None:
    """From 98 % on: a tenth of the mean CLV on average, and nobody above half of it."""
    gone = asked.said.propensity >= 0.98
    share = asked.said.clv[gone] / asked.said.clv.mean()
    assert gone.sum() >= 20
    assert share.mean() < 0.10
    assert share.max() < 0.5
    assert asked.said.expected_orders[gone].mean() < 0.25


def test_value_falls_from_each_fifth_by_propensity_to_the_next(asked: Asked) -> None:
    fifths = np.array_split(np.argsort(asked.said.propensity), 5)
    means = [float(asked.said.clv[fifth].mean()) for fifth in fifths]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.2 * means[0]


def test_nobody_is_likelier_to_order_than_orders_are_expected(asked: Asked) -> None:
    """P(at least one order) <= expected orders (Markov); two models, so within 0.1 for 98 %."""
    excess = (1.0 - asked.said.propensity) - asked.said.expected_orders
    assert (excess > 0.1).mean() < 0.02
    assert excess.max() < 0.35


def test_who_is_nearly_sure_to_leave_did_leave(asked: Asked) -> None:
    """So that the agreement is not bought by saying less."""
    gone = asked.said.propensity >= 0.98
    assert np.asarray(asked.rows.test.churned)[gone].mean() > 0.95
    assert asked.value[gone].mean() < 0.05 * asked.value.mean()
