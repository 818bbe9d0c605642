"""One formula for a float and for arrays: the same answers, to the bit."""

import numpy as np
import pytest

from training.one_or_many import bounded, choose

VALUES = np.array([-np.inf, -2.0, 0.25, 0.5, 7.0, np.inf, np.nan])


def test_bounds_hold_and_nan_stays_nan() -> None:
    inside = bounded(VALUES, 0.0, 1.0)
    assert inside.tolist()[:6] == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]
    assert np.isnan(inside[6])
    alone = [bounded(value, 0.0, 1.0) for value in VALUES.tolist()]
    assert np.array_equal(alone, inside, equal_nan=True)


def test_without_a_highest_only_the_lowest_counts() -> None:
    assert bounded(-1.0, 3.0) == 3.0
    assert bounded(np.array([-1.0, 9.0]), np.array([3.0, 4.0])).tolist() == [3.0, 9.0]


def test_either_side_is_chosen_by_the_condition() -> None:
    assert choose(VALUES > 0.3, VALUES, 0.0).tolist()[1:6] == [0.0, 0.0, 0.5, 7.0, np.inf]
    assert [choose(bool(value > 0.3), value, 0.0) for value in (0.25, 0.5)] == [0.0, 0.5]


@pytest.mark.parametrize("function", [np.exp, np.expm1, np.log, np.log1p])
def test_numpy_gives_a_float_the_bits_that_it_gives_within_an_array(function: np.ufunc) -> None:
    """What a row alone rests on, whichever vector instructions the machine has."""
    values = np.random.default_rng(4).gamma(0.5, 3.0, 5_000) + 1e-9
    assert [function(value) for value in values.tolist()] == function(values).tolist()
