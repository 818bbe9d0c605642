"""What is usual: the middle half of each feature, so that reasons tell much from little."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from features.feature_contract import Matrix


class Typical(BaseModel):
    """The lower and upper quartile of each feature, in the contract's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    """None where no value is known."""

    def side(self, place: int, value: float) -> Literal[-1, 0, 1]:
        """-1 for a value of feature `place` in the lowest quarter, 1 in the highest, else 0.

        Where the quartiles meet, only values beyond them are on a side.
        """
        low, high = self.low[place], self.high[place]
        if low is None or high is None:
            return 0
        if value < low or value == low < high:
            return -1
        return 1 if value > high or value == high > low else 0


def fit_typical(X: Matrix) -> Typical:
    """Quartiles of the known values of each column of `X`."""
    known = [column[~np.isnan(column)] for column in X.T]
    quartiles = [np.quantile(column, [0.25, 0.75]) if column.size else None for column in known]
    low, high = (
        tuple(None if both is None else float(both[end]) for both in quartiles) for end in (0, 1)
    )
    return Typical(low=low, high=high)
