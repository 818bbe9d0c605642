"""Orders and value together."""

from dataclasses import astuple

import numpy as np
import pytest

from tests.training.btyd.generated import mbg_customers
from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.composite import Btyd
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.history import History
from training.btyd.pareto_nbd import ParetoNbd
from training.btyd.simulation import simulate_spend

MODEL = Btyd(
    orders=BetaGeometricNbd(kind="mbg_nbd", r=0.525, alpha=43, a=0.891, b=1.614),
    value=GammaGamma(p=6.25, q=3.74, gamma=15.44),
)
PARETO = ParetoNbd(r=0.553, alpha=74, s=0.606, beta=1)
CUSTOMERS = History([0, 4], [0, 200], [270, 270], [1, 5], [20, 45])


def paying_customers() -> History:
    rng = np.random.default_rng(5)
    seen = mbg_customers(rng, 400, r=1.2, alpha=8, a=1.0, b=3.0)
    paid = rng.gamma(4 * seen.orders) / rng.gamma(3.5, 1 / 20, len(seen)) / seen.orders
    return History(seen.frequency, seen.recency, seen.T, seen.orders, paid)


@pytest.mark.parametrize(
    "orders", [MODEL.orders, MODEL.orders.model_copy(update={"kind": "bg_nbd"}), PARETO]
)
def test_a_customer_of_floats_has_the_bits_of_one_in_arrays(
    orders: BetaGeometricNbd | ParetoNbd,
) -> None:
    model, seen = MODEL.model_copy(update={"orders": orders}), paying_customers()
    together = astuple(model.predict(seen, 90))
    columns = zip(*(column.tolist() for column in astuple(seen)), strict=True)
    alone = [astuple(model.predict(History(*own), 90)) for own in columns]
    assert np.array(alone).T.tolist() == [column.tolist() for column in together]


def test_spend_is_orders_times_value() -> None:
    found = MODEL.predict(CUSTOMERS, 90)
    orders = MODEL.orders.expected_orders(CUSTOMERS, 90)
    np.testing.assert_allclose(
        found.expected_spend, orders * MODEL.value.expected_value(CUSTOMERS), rtol=1e-12
    )


@pytest.mark.parametrize("orders", [MODEL.orders, PARETO])
def test_stored_parameters_predict_the_same_bits_for_one_customer_and_for_all(
    orders: BetaGeometricNbd | ParetoNbd,
) -> None:
    model = Btyd(orders=orders, value=MODEL.value)
    again = Btyd.model_validate_json(model.model_dump_json())
    seen = paying_customers()
    together = again.predict(seen, 90)
    for row in range(0, len(seen), 7):
        alone = model.predict(seen.rows([row]), 90)
        assert alone.probability_no_order[0] == together.probability_no_order[row]
        assert alone.expected_spend[0] == together.expected_spend[row]


def test_the_kind_asked_for_is_fitted_and_comes_back_from_json() -> None:
    seen = paying_customers()
    model = Btyd.fit(seen, "pareto_nbd")

    assert model.orders == ParetoNbd.fit(seen)
    assert Btyd.model_validate_json(model.model_dump_json()) == model


def test_fit_takes_both_parts_from_one_history() -> None:
    seen = paying_customers()
    model = Btyd.fit(seen)

    assert model.orders == BetaGeometricNbd.fit(seen)
    assert model.value == GammaGamma.fit(seen)


@pytest.mark.parametrize("orders", [MODEL.orders, PARETO])
def test_no_customers_get_no_predictions(orders: BetaGeometricNbd | ParetoNbd) -> None:
    model = Btyd(orders=orders, value=MODEL.value)
    nobody = CUSTOMERS.rows(slice(0, 0))

    assert model.predict(nobody, 90).expected_spend.shape == (0,)
    assert simulate_spend(model, nobody, 90, draws=10, seed=1).shape == (0, 10)
