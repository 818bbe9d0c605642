"""Quartiles by hand, and which side of them a value lies on."""

import numpy as np

from training.typical import Typical, fit_typical


def test_quartiles_are_of_the_known_values() -> None:
    """1..5 has quartiles 2 and 4, whatever is unknown; a column without values has none."""
    X = np.array([[v, np.nan] for v in (1.0, 2.0, np.nan, 3.0, 4.0, 5.0)])
    assert fit_typical(X) == Typical(low=(2.0, None), high=(4.0, None))


def test_a_value_at_a_quartile_is_on_its_side() -> None:
    typical = Typical(low=(2.0,), high=(4.0,))
    assert [typical.side(0, value) for value in (1.0, 2.0, 3.0, 4.0, 9.0)] == [-1, -1, 0, 1, 1]


def test_where_most_values_are_alike_only_others_are_on_a_side() -> None:
    """Three quarters have no ticket: none is usual, one is much."""
    typical = Typical(low=(0.0,), high=(0.0,))
    assert [typical.side(0, value) for value in (0.0, 1.0)] == [0, 1]


def test_nothing_is_much_or_little_where_nothing_is_known() -> None:
    assert Typical(low=(None,), high=(None,)).side(0, 1e9) == 0
