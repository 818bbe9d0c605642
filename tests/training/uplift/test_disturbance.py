"""Harm is flagged where a trial saw it, up to where it saw it, and seldom where there is none."""

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from training.metrics import Vector
from training.uplift.disturbance import fit_disturbance
from training.uplift.trial import Trial

CONTRACT = FeatureContract(columns=(FeatureColumn(name="a", definition=""),))


def trial(effect: Vector, seed: int) -> Trial:
    """Customers of whom half stay if left alone, and half plus `effect` if contacted."""
    rng, rows = np.random.default_rng(seed), len(effect)
    treated = rng.integers(0, 2, rows).astype(float)
    return Trial(
        X=np.zeros((rows, 1)),
        contract=CONTRACT,
        customer_id=np.arange(rows).astype(np.str_),
        cutoff=np.full(rows, np.datetime64("2025-01-01", "us")),
        treated=treated,
        chance=np.full(rows, 0.5),
        outcome=(rng.random(rows) < 0.5 + effect * treated).astype(float),
        value=np.ones(rows),
    )


def test_the_tenths_that_are_harmed_are_flagged_and_no_others() -> None:
    score = np.linspace(-1, 1, 10_000)
    found = fit_disturbance(
        trial(np.where(score < -0.4, -0.3, 0.1), 1), score, np.full(10_000, 0.5)
    )
    assert found.up_to == pytest.approx(-0.4, abs=0.001)
    assert found.flags(np.array([-2.0, -0.41, -0.39, 0.9])).tolist() == [True, True, False, False]


def test_each_tenth_shows_its_effect_and_the_upper_bound() -> None:
    """By hand: with 500 a side and half of each staying, the standard error is 0.0316."""
    score = np.linspace(-1, 1, 10_000)
    found = fit_disturbance(trial(np.zeros(10_000), 2), score, np.full(10_000, 0.5))
    for _, effect, upper in found.slices:
        assert abs(effect) < 4 * 0.0316
        assert upper - effect == pytest.approx(1.645 * 0.0316, rel=0.05)


def test_nobody_is_flagged_in_19_of_20_trials_without_harm() -> None:
    score = np.linspace(-1, 1, 1_000)
    flagged = [
        fit_disturbance(trial(np.zeros(1_000), seed), score, np.full(1_000, 0.5)).up_to is not None
        for seed in range(400)
    ]
    assert np.mean(flagged) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_customers_seen_in_two_waves_count_as_one_when_errors_are_made() -> None:
    score = np.linspace(-1, 1, 2_000)
    once = trial(np.full(2_000, -0.2), 3)
    twice = once.rows(np.repeat(np.arange(2_000), 2))
    one = fit_disturbance(once, score, np.full(2_000, 0.5))
    two = fit_disturbance(twice, np.repeat(score, 2), np.full(4_000, 0.5))
    for (_, effect, upper), (_, same, bound) in zip(one.slices, two.slices, strict=True):
        assert same == pytest.approx(effect, abs=0.02)
        assert bound - same == pytest.approx(upper - effect, rel=0.05)


def test_equal_scores_for_all_make_one_group() -> None:
    harmed = fit_disturbance(trial(np.full(4_000, -0.2), 4), np.zeros(4_000), np.full(4_000, 0.5))
    assert harmed.flags(np.zeros(1)).tolist() == [True]
