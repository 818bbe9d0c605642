"""Reliability, gains and coverage on rows counted by hand."""

import numpy as np
import pytest

from training.curves import coverage, gains, reliability


def test_coverage_by_hand() -> None:
    """Ten rows; the last is the top decile and a buyer missed; two other buyers are covered."""
    actual = np.array([0.0] * 7 + [5, 6, 90])
    predicted = np.arange(10.0)
    found = coverage(actual, predicted, np.zeros(10), np.full(10, 10.0))
    assert (found.overall, found.top_decile, found.median_width) == (0.9, 0.0, 10.0)
    assert found.buyers == pytest.approx(2 / 3)


def test_reliability_by_hand() -> None:
    predicted = np.repeat([0.2, 0.9], 10)
    actual = np.array([0.0] * 9 + [1] + [1.0] * 10)
    low, high = reliability(actual, predicted)
    assert (low.rows, low.predicted, low.actual) == (10, pytest.approx(0.2), 0.1)
    assert (high.rows, high.predicted, high.actual) == (10, pytest.approx(0.9), 1.0)


def test_gains_by_hand_hold_ties_together() -> None:
    """Four rows, two churners: the top finds one, the tie of the next two the other."""
    curve = gains(np.array([1.0, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.1]))
    assert curve.contacted.tolist() == [0, 0.25, 0.75, 1]
    assert curve.found.tolist() == [0, 0.5, 1, 1]
