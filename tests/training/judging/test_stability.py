"""Overlap of reasons, by hand and of a model with itself."""

import numpy as np
import pytest

from training.judging.stability import reason_overlap


def test_overlap_by_hand() -> None:
    """The first row shares two of three, by size whatever the sign; the second all three."""
    first = np.array([[5.0, -4, 3, 0.1, 0], [1, 2, 3, 0, 0]])
    second = np.array([[5.0, 4, 0, 3, 0], [-3, -2, -1, 0, 0]])
    assert reason_overlap(first, second) == pytest.approx((2 / 3 + 1) / 2)
    assert reason_overlap(first, second, shown=1) == pytest.approx((1 + 0) / 2)


def test_a_matrix_overlaps_with_itself_wholly() -> None:
    same = np.random.default_rng(1).normal(size=(40, 12))
    assert reason_overlap(same, same) == 1.0


def test_unrelated_reasons_overlap_as_often_as_chance() -> None:
    """Three of ten features on each side share 0.9 on average, so an overlap of 0.3."""
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 4000, 10))
    assert reason_overlap(first, second) == pytest.approx(0.3, abs=0.02)
