"""Reasons find what was planted: a generated company in which support drives customers away."""

import numpy as np
import pytest

from benchmarks.reasons import DAYS, LEAST, Found, Truth, interval, measure
from features.company.generate import Effects, generate_company
from features.config import load_config

STRONG = Effects(slow_response=2.2, reopened=2.0, escalated=2.1, low_csat=0)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Few customers, so that it takes seconds; the effects are stronger to make up for it."""
    folder = tmp_path_factory.mktemp("company")
    company = generate_company(folder, 1_500, seed=7, days=DAYS, effects=STRONG)
    config = load_config(company.config)
    tables = {name: config.sources[name] for name in ("orders", "tickets")}
    training = config.training.model_copy(update={"cutoffs": 2})
    lean = config.model_copy(update={"sources": tables, "training": training})
    return measure(company, lean, seed=7)


def test_the_first_reason_names_the_single_cause_that_drives_a_customer(found: Found) -> None:
    named, asked = np.sum(list(found.named.values()), axis=0)
    assert asked > 80
    assert named >= LEAST * asked


def test_causes_are_found_in_the_order_in_which_they_were_planted(found: Found) -> None:
    assert found.planted["slow_response"] > 2 * found.planted["escalated"] > 0
    assert found.in_order


def test_few_whom_nothing_dissatisfies_are_told_a_bad_experience(found: Found) -> None:
    blamed, asked = found.blamed
    assert asked > 50
    assert blamed <= 0.2 * asked


def test_a_driver_doubles_the_hazard_and_is_nearly_alone() -> None:
    """log 2 = .693: .8 alone drives; .6 is too weak, .8 beside .2 not alone, and one is gone."""
    debts = np.array([[0.8, 0.6, 0.8, 0.8], [0, 0, 0, 0], [0, 0, 0.2, 0], [0, 0, 0, 0]])
    truth = Truth(debts, np.array([True, True, True, False]), np.zeros(4, dtype=bool))
    assert truth.driver.tolist() == ["slow_response", "", "", ""]


def test_a_low_score_that_nobody_asked_for_is_not_visible() -> None:
    debts = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.2, 1.2]])
    truth = Truth(debts, np.ones(2, dtype=bool), np.array([True, False]))
    assert truth.driver.tolist() == ["low_csat", "low_csat"]
    assert truth.visible.tolist() == [True, False]


def test_wilsons_interval_of_eight_in_ten() -> None:
    """Wilson's score interval for 8 of 10, as any table of it gives: .490 to .943."""
    assert interval(8, 10) == pytest.approx((0.490, 0.943), abs=5e-4)
