"""Pareto/NBD against the papers, adaptive integration, and generated customers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1

from tests.training.btyd.by_hand import SOME, history
from tests.training.btyd.cdnow import sample_weeks
from tests.training.btyd.generated import pareto_customers
from training.btyd.likelihood import CannotFit
from training.btyd.pareto_nbd import ParetoNbd, gauss_fraction

PUBLISHED = ParetoNbd(r=0.5533971, alpha=10.5801985, s=0.6060625, beta=11.6562237)


def test_the_cdnow_sample_gives_the_published_parameters_and_likelihood() -> None:
    """Fader, Hardie and Lee 2005, table 2: .553, 10.578, .606, 11.669, LL -9595.0."""
    weeks = sample_weeks()
    model = ParetoNbd.fit(weeks)

    found = [round(value, 3) for value in (model.r, model.alpha, model.s, model.beta)]
    assert found == [0.553, 10.578, 0.606, 11.669]
    assert round(float(model.log_likelihood(weeks).sum()), 1) == -9595.0


def test_expected_orders_by_frequency_are_those_of_the_published_table() -> None:
    """The walkthrough of the R package BTYD: the sample's next 39 weeks, by 0 to 7 and more."""
    weeks = sample_weeks()
    expected = PUBLISHED.expected_orders(weeks, 39)
    frequency = np.minimum(weeks.frequency, 7)
    means = [round(float(expected[frequency == x].mean()), 3) for x in range(8)]
    assert means == pytest.approx(
        [0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403], abs=2e-3
    )


def test_the_customers_of_the_published_walkthrough_come_out_as_there() -> None:
    """R package BTYD: customer 1516 over 52 weeks, and the paradox that more orders mean fewer."""
    model = ParetoNbd(r=0.553, alpha=10.580, s=0.606, beta=11.656)
    one = history((26, 30.85714, 31))
    assert model.expected_orders(one, 52)[0] == pytest.approx(25.456, abs=3e-3)
    assert model.probability_alive(one)[0] == pytest.approx(0.99787, abs=1e-5)

    silent = history(*[(x, 20, 39) for x in (10, 15, 20, 25)])
    published = [0.7062289, 0.1442396, 0.02250658, 0.00309267]
    np.testing.assert_allclose(model.expected_orders(silent, 52), published, rtol=1e-3)


@pytest.mark.parametrize("times", [(10.58, 11.66), (11.66, 10.58), (5, 5), (0.5, 300), (300, 0.5)])
def test_the_likelihood_is_the_integral_it_stands_for(times: tuple[float, float]) -> None:
    model = ParetoNbd(r=0.55, alpha=times[0], s=0.6, beta=times[1])
    for x, recency, T in zip(SOME.frequency, SOME.recency, SOME.T, strict=True):
        left, _ = quad(
            lambda t, x=x: model.s * (model.alpha + t) ** -(model.r + x) / (model.beta + t) ** 1.6,
            recency,
            T,
            epsrel=1e-12,
            epsabs=0,
        )
        alive = (model.alpha + T) ** -(model.r + x) * (model.beta + T) ** -model.s
        found = model.probability_alive(history((x, recency, T)))[0]
        assert found == pytest.approx(alive / (alive + left), rel=1e-9)


def test_the_continued_fraction_is_2f1_where_that_can_be_computed() -> None:
    rng = np.random.default_rng(2)
    k = rng.uniform(0.3, 300, 3000)
    q, z = k * rng.uniform(0.01, 1, 3000), rng.uniform(0, 0.98, 3000)
    np.testing.assert_allclose(gauss_fraction(q, k, z), hyp2f1(1, q, k + 1, z), rtol=1e-12)


def test_a_thousand_orders_do_not_overflow() -> None:
    busy = history((1000, 363.9, 364), (1000, 100, 364))
    alive, dead = ParetoNbd(r=0.5, alpha=2, s=0.6, beta=400).probability_alive(busy)
    assert alive > 0.999
    assert dead < 1e-9


def test_no_order_is_the_mean_of_not_ordering_over_generated_rates() -> None:
    """Monte Carlo over the posterior rates of a customer still there at T: 5 standard errors."""
    rng = np.random.default_rng(5)
    model, draws, horizon = PUBLISHED, 400_000, 39
    rate = rng.gamma(model.r + 2, 1 / (model.alpha + 38.86), draws)
    leaving = rng.gamma(model.s, 1 / (model.beta + 38.86), draws)
    silent = (leaving + rate * np.exp(-(rate + leaving) * horizon)) / (leaving + rate)
    one = history((2, 30.43, 38.86))
    alive = model.probability_alive(one)[0]
    mean, error = silent.mean(), silent.std() / np.sqrt(draws)

    found = model.probability_no_order(one, horizon)[0]
    assert found == pytest.approx(1 - alive + alive * mean, abs=5 * alive * error)


def test_the_closed_forms_end_where_they_must() -> None:
    assert (PUBLISHED.probability_no_order(SOME, 0) == 1).all()
    assert (PUBLISHED.expected_orders(SOME, 0) == 0).all()
    alive = PUBLISHED.probability_alive(SOME)
    rate = alive * (PUBLISHED.r + SOME.frequency) / (PUBLISHED.alpha + SOME.T)
    np.testing.assert_allclose(PUBLISHED.expected_orders(SOME, 1e-7) / 1e-7, rate, rtol=1e-5)


def test_expected_orders_pass_smoothly_through_s_of_one() -> None:
    at, beside = (
        PUBLISHED.model_copy(update={"s": s}).expected_orders(SOME, 39) for s in (1, 1 + 1e-9)
    )
    np.testing.assert_allclose(at, beside, rtol=1e-7)


def test_weeks_or_days_change_only_alpha_and_beta() -> None:
    weeks = sample_weeks()
    days = replace(weeks, recency=weeks.recency * 7, T=weeks.T * 7)
    in_weeks, in_days = ParetoNbd.fit(weeks), ParetoNbd.fit(days)

    assert in_days.alpha == pytest.approx(7 * in_weeks.alpha, rel=1e-4)
    assert in_days.beta == pytest.approx(7 * in_weeks.beta, rel=1e-4)
    assert in_days.s == pytest.approx(in_weeks.s, rel=1e-4)


def test_planted_parameters_are_found_again() -> None:
    """30,000 generated customers; the likelihood ratio is chi-squared, 18.5 at 1 in 1,000."""
    planted = ParetoNbd(r=1.2, alpha=8, s=1.0, beta=20)
    seen = pareto_customers(np.random.default_rng(9), 30_000, r=1.2, alpha=8, s=1.0, beta=20)
    model = ParetoNbd.fit(seen)

    found = [model.r, model.alpha, model.s, model.beta]
    assert found == pytest.approx([1.2, 8, 1, 20], rel=0.1)
    better = model.log_likelihood(seen).sum() - planted.log_likelihood(seen).sum()
    assert 0 <= 2 * better < 18.5


def test_nobody_who_came_back_is_refused() -> None:
    with pytest.raises(CannotFit, match="pareto_nbd: 60 customers of whom 0"):
        ParetoNbd.fit(history(*[(0, 0, 30)] * 60))
