"""Simulated spend against the closed forms."""

import numpy as np
import pytest

from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.composite import Btyd
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.history import History
from training.btyd.pareto_nbd import ParetoNbd
from training.btyd.simulation import simulate_spend

VALUE = GammaGamma(p=6.25, q=3.74, gamma=15.44)
MODELS = {
    "mbg_nbd": BetaGeometricNbd(kind="mbg_nbd", r=0.525, alpha=43, a=0.891, b=1.614),
    "bg_nbd": BetaGeometricNbd(kind="bg_nbd", r=0.243, alpha=31, a=0.793, b=2.426),
    "pareto_nbd": ParetoNbd(r=0.553, alpha=74, s=0.606, beta=82),
}
CUSTOMERS = History(
    [0, 4, 9, 2], [0, 200, 260, 20], [270, 270, 270, 150], [1, 5, 10, 3], [20, 45, 8, 0]
)
DRAWS = 40_000


@pytest.fixture(scope="module", params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> Btyd:
    return Btyd(orders=MODELS[request.param], value=VALUE)


@pytest.fixture(scope="module")
def spend(model: Btyd) -> np.ndarray:
    return simulate_spend(model, CUSTOMERS, 180, draws=DRAWS, seed=1)


def test_no_spend_is_drawn_as_often_as_no_order_is_said(model: Btyd, spend: np.ndarray) -> None:
    said = model.predict(CUSTOMERS, 180).probability_no_order
    error = np.sqrt(said * (1 - said) / DRAWS)
    assert (np.abs((spend == 0).mean(axis=1) - said) < 4 * error).all()


def test_mean_spend_is_the_expected_spend(model: Btyd, spend: np.ndarray) -> None:
    said = model.predict(CUSTOMERS, 180).expected_spend
    error = spend.std(axis=1) / np.sqrt(DRAWS)
    assert (np.abs(spend.mean(axis=1) - said) < 4 * error).all()


def test_a_customer_alone_has_the_draws_that_they_have_among_others(
    model: Btyd,
) -> None:
    together = simulate_spend(model, CUSTOMERS, 180, draws=400, seed=1)
    alone = simulate_spend(model, CUSTOMERS.rows([2]), 180, draws=400, seed=1)
    np.testing.assert_array_equal(together[2:3], alone)
    assert (together >= 0).all()


def test_another_seed_draws_otherwise(model: Btyd) -> None:
    one, same, other = (
        simulate_spend(model, CUSTOMERS, 180, draws=100, seed=seed) for seed in (1, 1, 2)
    )
    assert one.tolist() == same.tolist() != other.tolist()
