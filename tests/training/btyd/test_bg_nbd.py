"""BG/NBD and MBG/NBD against the papers, their closed forms, and generated customers."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta

from tests.training.btyd.by_hand import SOME, history
from tests.training.btyd.cdnow import sample_weeks
from tests.training.btyd.generated import mbg_customers
from training.btyd.bg_nbd import BetaGeometricNbd, Kind, beta_quadrature
from training.btyd.likelihood import CannotFit

PAPER = BetaGeometricNbd(kind="bg_nbd", r=0.243, alpha=4.414, a=0.793, b=2.426)
MBG = BetaGeometricNbd(kind="mbg_nbd", r=0.525, alpha=6.183, a=0.891, b=1.614)
KINDS = get_args(Kind)


def test_the_cdnow_sample_gives_the_published_parameters_and_likelihood() -> None:
    """Fader, Hardie and Lee 2005, table 2."""
    weeks = sample_weeks()
    model = BetaGeometricNbd.fit(weeks, "bg_nbd")

    found = [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)]
    assert found == [0.243, 4.414, 0.793, 2.426]
    assert round(float(model.log_likelihood(weeks).sum()), 1) == -9582.4


def test_mbg_nbd_fits_the_sample_as_published() -> None:
    """As in the R package BTYDplus: .525, 6.183, .891, 1.614, LL -9582.1."""
    weeks = sample_weeks()
    model = BetaGeometricNbd.fit(weeks)

    found = [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)]
    assert found == [0.525, 6.183, 0.891, 1.614]
    assert round(float(model.log_likelihood(weeks).sum()), 1) == -9582.1


def test_the_customer_of_the_spreadsheet_note_is_expected_to_order_as_there() -> None:
    """Fader and Hardie 2005, Implementing the BG/NBD Model in Excel: customer 0001, 39 weeks."""
    customer = history((2, 30.43, 38.86))
    assert PAPER.expected_orders(customer, 39)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("model", [PAPER, MBG], ids=KINDS)
def test_expected_orders_equal_the_papers_2f1(model: BetaGeometricNbd) -> None:
    """Fader, Hardie and Lee 2005, eq. 10, with one more chance to drop out for MBG/NBD."""
    x, T, horizon = SOME.frequency, SOME.T, 39
    chances = x + (model.kind == "mbg_nbd")
    above = model.a + model.b + chances - 1
    z = horizon / (model.alpha + T + horizon)
    series = hyp2f1(model.r + x, model.b + chances, above, z) * (1 - z) ** (model.r + x)
    paper = above / (model.a - 1) * (1 - series) * model.probability_alive(SOME)

    np.testing.assert_allclose(model.expected_orders(SOME, horizon), paper, rtol=1e-9)


@pytest.mark.parametrize("model", [PAPER, MBG], ids=KINDS)
def test_no_order_is_the_likelihood_seen_longer_over_the_likelihood(
    model: BetaGeometricNbd,
) -> None:
    longer = replace(SOME, T=SOME.T + 13)
    ratio = np.exp(model.log_likelihood(longer) - model.log_likelihood(SOME))
    np.testing.assert_allclose(model.probability_no_order(SOME, 13), ratio, rtol=1e-12)


@pytest.mark.parametrize("model", [PAPER, MBG], ids=KINDS)
def test_the_closed_forms_end_where_they_must(model: BetaGeometricNbd) -> None:
    alive = model.probability_alive(SOME)
    assert (model.probability_no_order(SOME, 0) == 1).all()
    assert (model.expected_orders(SOME, 0) == 0).all()
    np.testing.assert_allclose(model.probability_no_order(SOME, 1e300), 1 - alive, atol=1e-12)
    rate = alive * (model.r + SOME.frequency) / (model.alpha + SOME.T)
    np.testing.assert_allclose(model.expected_orders(SOME, 1e-7) / 1e-7, rate, rtol=1e-5)


def test_bg_nbd_holds_every_single_buyer_alive_and_mbg_nbd_does_not() -> None:
    once = history((0, 0, 38.86))
    assert PAPER.probability_alive(once)[0] == 1
    dead = MBG.a / MBG.b * ((MBG.alpha + 38.86) / MBG.alpha) ** MBG.r
    assert MBG.probability_alive(once)[0] == pytest.approx(1 / (1 + dead), rel=1e-12)


def test_weeks_or_days_change_only_alpha() -> None:
    weeks = sample_weeks()
    days = replace(weeks, recency=weeks.recency * 7, T=weeks.T * 7)
    in_weeks, in_days = BetaGeometricNbd.fit(weeks), BetaGeometricNbd.fit(days)

    assert in_days.alpha == pytest.approx(7 * in_weeks.alpha, rel=1e-5)
    assert in_days.a == pytest.approx(in_weeks.a, rel=1e-5)
    np.testing.assert_allclose(
        in_days.expected_orders(days, 273), in_weeks.expected_orders(weeks, 39), rtol=1e-5
    )


def test_planted_parameters_are_found_again() -> None:
    """30,000 generated customers; the likelihood ratio is chi-squared, 18.5 at 1 in 1,000."""
    planted = BetaGeometricNbd(kind="mbg_nbd", r=1.2, alpha=8, a=1.0, b=3.0)
    seen = mbg_customers(np.random.default_rng(8), 30_000, r=1.2, alpha=8, a=1.0, b=3.0)
    model = BetaGeometricNbd.fit(seen)

    found = [model.r, model.alpha, model.a, model.b]
    assert found == pytest.approx([1.2, 8, 1, 3], rel=0.05)
    better = model.log_likelihood(seen).sum() - planted.log_likelihood(seen).sum()
    assert 0 <= 2 * better < 18.5


def test_the_gradient_leaves_nothing_to_climb() -> None:
    seen = mbg_customers(np.random.default_rng(4), 500, r=1.2, alpha=8, a=1.0, b=3.0)
    best = BetaGeometricNbd.fit(seen)
    top = best.log_likelihood(seen).sum()
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.99, 1.01):
            beside = best.model_copy(update={name: getattr(best, name) * factor})
            assert beside.log_likelihood(seen).sum() < top


@pytest.mark.parametrize(("a", "b"), [(0.8, 2.4), (1.0, 1.0), (0.2, 40.0), (30.0, 900.0)])
def test_quadrature_over_dropout_chances_equals_adaptive_integration(a: float, b: float) -> None:
    nodes, weights = beta_quadrature(a, b)
    mean, _ = quad(lambda p: (1 + 3 * p) ** -5 * beta.pdf(p, a, b), 0, 1, limit=200)

    assert weights.sum() == pytest.approx(1, rel=1e-12)
    assert (weights * (1 + 3 * nodes) ** -5).sum() == pytest.approx(mean, rel=1e-7)


def test_a_model_built_again_from_its_json_predicts_the_same_bits() -> None:
    again = BetaGeometricNbd.model_validate_json(MBG.model_dump_json())
    assert again.expected_orders(SOME, 39).tolist() == MBG.expected_orders(SOME, 39).tolist()


def test_too_few_customers_or_nobody_who_came_back_is_refused() -> None:
    with pytest.raises(CannotFit, match="mbg_nbd: 5 customers of whom 4 have ordered again"):
        BetaGeometricNbd.fit(SOME)
    with pytest.raises(CannotFit, match="60 customers of whom 0 have ordered again"):
        BetaGeometricNbd.fit(history(*[(0, 0, 30)] * 60))
