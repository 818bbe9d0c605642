"""Intervals for predicted value: conformal ratios of actual to predicted, by size of prediction."""

import math
from functools import cached_property

import numpy as np
from pydantic import BaseModel, ConfigDict

from training.one_or_many import Number, Vector

LEVEL = 0.90
_MOST_BINS = 20
_ROWS_PER_BIN = 100
_SLACK = 1e-9  # (1 - 0.90) / 2 is a hair below 0.05, which would move a rank by one


class IntervalTable(BaseModel):
    """For each bin of predicted value, the ratios to multiply a prediction by.

    `lower` never exceeds 1 and `upper` is never below it, so the prediction is always inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float = LEVEL
    edges: tuple[float, ...]
    """Inner bin edges, rising, in the currency; one fewer than the bins."""
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def apply(self, predicted: Number) -> tuple[Number, Number]:
        """Lower and upper bounds of each predicted value, in its currency; never negative."""
        edges, lower, upper = self._arrays
        place = edges.searchsorted(predicted, side="right")
        low: Number = predicted * lower[place]
        high: Number = predicted * upper[place]
        return low, high

    @cached_property
    def _arrays(self) -> tuple[Vector, Vector, Vector]:
        return np.array(self.edges), np.array(self.lower), np.array(self.upper)


def fit_intervals(predicted: Vector, actual: Vector, level: float = LEVEL) -> IntervalTable:
    """Intervals that miss at most (1 - level) / 2 of customers on each side, bin by bin.

    `predicted` (positive) are out-of-fold, `actual` the values that came; both in the currency.
    Where more customers than that are worth nothing the lower bound is 0, and the interval
    then covers more than `level`. Source: Mondrian (binned) split conformal prediction,
    Vovk, Gammerman and Shafer (2005), with actual / predicted as the score.
    """
    bins = max(1, min(_MOST_BINS, len(predicted) // _ROWS_PER_BIN))
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    edges = np.unique(np.quantile(predicted, inner)) if bins > 1 else np.empty(0)
    place = np.searchsorted(edges, predicted, side="right")
    ratio = np.maximum(actual, 0.0) / np.maximum(predicted, 1e-12)
    pairs = [_ratios(np.sort(ratio[place == one]), level) for one in range(len(edges) + 1)]
    return IntervalTable(
        level=level,
        edges=tuple(float(edge) for edge in edges),
        lower=tuple(low for low, _ in pairs),
        upper=tuple(high for _, high in pairs),
    )


def _ratios(ranked: Vector, level: float) -> tuple[float, float]:
    """The conformal ranks of sorted ratios: floor and ceiling of (n + 1) times each tail."""
    if not len(ranked):
        return 0.0, 1.0
    tail = (1.0 - level) / 2.0
    count = len(ranked)
    low = math.floor((count + 1) * tail + _SLACK)
    high = min(count, math.ceil((count + 1) * (1.0 - tail) - _SLACK))
    lower = float(ranked[low - 1]) if low else 0.0
    return min(lower, 1.0), max(float(ranked[high - 1]), 1.0)
