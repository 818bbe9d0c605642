"""Customers written by hand, for the tests of every model of orders."""

import numpy as np

from training.btyd.history import History


def history(*rows: tuple[float, float, float]) -> History:
    """A customer for each (frequency, recency, T), who spends 10 a purchase day."""
    x, recency, T = np.array(rows, dtype=float).T
    return History(x, recency, T, x + 1, np.full(len(x), 10.0))


SOME = history((0, 0, 38.86), (1, 1.71, 38.86), (2, 30.43, 38.86), (26, 30.86, 31), (7, 7, 7))
