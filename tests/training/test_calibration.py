"""Platt calibration: a known distortion is found again, and a harmful line is refused."""

import numpy as np
import pytest

from training.calibration import Calibration, shift_to_mean, sigmoid
from training.calibration_fit import fit_platt


def drawn(rows: int, seed: int, slope: float, intercept: float) -> tuple[np.ndarray, ...]:
    """Raw scores whose true log odds are slope x score + intercept, labels, and folds."""
    rng = np.random.default_rng(seed)
    raw_score = rng.normal(0.0, 2.0, rows)
    churned = (rng.random(rows) < sigmoid(slope * raw_score + intercept)).astype(float)
    return raw_score, churned, np.arange(rows) % 5


def test_the_line_is_applied_in_log_odds() -> None:
    platt = Calibration(kind="platt", slope=2.0, intercept=-1.0)
    assert platt.apply(np.array([0.5, 1.0])) == pytest.approx([0.5, 1.0 / (1.0 + np.exp(-1.0))])


@pytest.mark.parametrize("mean", [0.03, 0.5, 0.9])
def test_a_shift_of_log_odds_reaches_the_mean_asked_for(mean: float) -> None:
    raw_score = drawn(1_000, 3, slope=1.0, intercept=0.0)[0]
    shift = shift_to_mean(raw_score, mean)
    assert sigmoid(raw_score + shift).mean() == pytest.approx(mean, abs=1e-12)


def test_a_known_distortion_is_found_again() -> None:
    found = fit_platt(*drawn(20_000, 1, slope=0.5, intercept=-1.0))
    assert found.kind == "platt"
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.intercept == pytest.approx(-1.0, abs=0.06)


def test_the_line_is_the_maximum_likelihood_one() -> None:
    from sklearn.linear_model import LogisticRegression

    raw_score, churned, fold = drawn(500, 2, slope=0.4, intercept=0.7)
    theirs = LogisticRegression(C=np.inf).fit(raw_score[:, None], churned)
    ours = fit_platt(raw_score, churned, fold)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-3)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_scores_that_are_right_already_are_left_alone() -> None:
    raw_score, _, _ = drawn(200, 3, slope=1.0, intercept=0.0)
    raw_score = np.repeat(raw_score, 10)
    share = np.tile(np.arange(10) + 0.5, 200) / 10
    churned = (share < sigmoid(raw_score)).astype(float)
    assert fit_platt(raw_score, churned, np.arange(len(raw_score)) % 5) == Calibration()


def test_a_line_that_would_turn_the_ranking_round_is_refused() -> None:
    found = fit_platt(*drawn(2_000, 4, slope=-1.0, intercept=0.0))
    assert found == Calibration()


def test_far_scores_saturate_without_a_warning() -> None:
    assert sigmoid(np.array([-1e6, 1e6])) == pytest.approx([0.0, 1.0], abs=1e-200)


def test_perfectly_separated_scores_still_give_a_finite_line() -> None:
    raw_score = np.linspace(-1.0, 1.0, 100)
    churned = (raw_score > 0).astype(float)
    found = fit_platt(raw_score, churned, np.arange(100) % 5)
    assert np.isfinite([found.slope, found.intercept]).all()
    assert found.slope > 1.0
