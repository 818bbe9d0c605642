"""Reliability, gains and coverage on rows counted by hand."""

import numpy as np
import pytest

from training.judging.curves import coverage, gains, reliability, share_bin, value_deciles


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


def test_wilson_interval_by_the_textbook() -> None:
    """Nobody of ten: 0 to z^2 / (n + z^2); half of a hundred: symmetric around a half."""
    none = share_bin(np.zeros(10), np.full(10, 0.1))
    assert (none.low, none.high) == pytest.approx((0, 3.841459 / 13.841459), abs=1e-6)
    half = share_bin(np.tile([0.0, 1.0], 50), np.full(100, 0.7))
    assert (half.low, half.high) == pytest.approx((0.403832, 0.596168), abs=1e-6)
    assert half.surprising
    assert not none.surprising


def test_a_value_decile_has_the_normal_interval_of_its_mean() -> None:
    """Two rows a bin: 1 and 3 have mean 2, standard deviation sqrt 2, standard error 1."""
    value, predicted = np.tile([1.0, 3.0], 10), np.repeat(np.arange(10.0), 2)
    first = value_deciles(value, predicted)[0]
    assert (first.rows, first.predicted, first.actual) == (2, 0.0, 2.0)
    assert first.high - first.actual == pytest.approx(1.959964)


def test_coverage_is_told_for_each_predicted_decile() -> None:
    """A hundred rows; the interval of 0 to 50 misses the upper half of what they brought in."""
    actual = np.arange(100.0)
    found = coverage(actual, actual, np.zeros(100), np.full(100, 49.5))
    assert [decile.actual for decile in found.deciles] == [1.0] * 5 + [0.0] * 5
    assert found.deciles[-1].high == pytest.approx(3.841459 / 13.841459, abs=1e-6)
