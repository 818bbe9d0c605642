"""Gamma-Gamma against the note, its limits, and generated customers."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.btyd.cdnow import sample_repeat_values
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.history import History
from training.btyd.likelihood import CannotFit

PAPER = GammaGamma(p=6.25, q=3.74, gamma=15.44)


def valued(orders: list[float], mean_value: list[float]) -> History:
    n = np.array(orders, dtype=float)
    return History(np.maximum(n - 1, 0), np.maximum(n - 1, 0), n, n, np.array(mean_value))


def test_repeat_orders_of_the_cdnow_sample_give_the_published_parameters() -> None:
    """Fader and Hardie 2013, section 4: 946 customers who came back."""
    repeats = sample_repeat_values()
    model = GammaGamma.fit(repeats)

    assert (repeats.orders > 0).sum() == 946
    assert [round(value, 2) for value in (model.p, model.q, model.gamma)] == [6.25, 3.74, 15.44]


def test_expected_value_lies_between_ones_own_and_everybodys_by_number_of_orders() -> None:
    """Fader and Hardie 2013, eq. 5, by hand: one's own mean weighs pn / (pn + q - 1)."""
    everybody = 6.25 * 15.44 / 2.74
    own = 6.25 / (6.25 + 2.74)
    found = PAPER.expected_value(valued([0, 1, 1e9], [0, 50, 50]))
    np.testing.assert_allclose(found, [everybody, own * 50 + (1 - own) * everybody, 50], rtol=1e-7)


def test_a_mean_of_nothing_is_taken_as_unknown() -> None:
    everybody, free, refunded = PAPER.expected_value(valued([0, 3, 2], [0, 0, -4]))
    assert free == refunded == everybody


def test_doubling_prices_doubles_value_and_gamma_alone() -> None:
    repeats = sample_repeat_values()
    model = GammaGamma.fit(repeats)
    doubled = GammaGamma.fit(replace(repeats, mean_value=2 * repeats.mean_value))

    assert doubled.gamma == pytest.approx(2 * model.gamma, rel=1e-9)
    assert doubled.p == pytest.approx(model.p, rel=1e-9)


def test_planted_parameters_are_found_again() -> None:
    rng = np.random.default_rng(6)
    n = rng.integers(1, 9, 8000)
    nu = rng.gamma(3.5, 1 / 20, 8000)
    seen = valued(n.tolist(), (rng.gamma(4 * n) / nu / n).tolist())
    model = GammaGamma.fit(seen)

    assert model.p == pytest.approx(4, rel=0.1)
    assert model.q == pytest.approx(3.5, rel=0.1)
    assert model.gamma == pytest.approx(20, rel=0.15)


def test_one_price_for_all_is_predicted_for_all() -> None:
    seen = valued([1, 2, 3, 4] * 20, [12.0] * 80)
    np.testing.assert_allclose(GammaGamma.fit(seen).expected_value(seen), 12, rtol=2e-3)


def test_the_likelihood_is_highest_at_the_fit() -> None:
    repeats = sample_repeat_values()
    best = GammaGamma.fit(repeats)
    for name in ("p", "q", "gamma"):
        for factor in (0.99, 1.01):
            beside = best.model_copy(update={name: getattr(best, name) * factor})
            top, lower = best.log_likelihood(repeats), beside.log_likelihood(repeats)
            assert lower.sum() < top.sum()


def test_too_few_customers_with_a_value_are_refused() -> None:
    with pytest.raises(CannotFit, match="3 customers have a mean order value above 0"):
        GammaGamma.fit(valued([1, 2, 3, 0], [5, 6, 7, 0]))
