"""How good predictions are, each metric computed at once for every draw of a bootstrap.

A metric takes `actual` and `predicted` (one value a row) and `counts` (draws x rows): how often
each row was drawn. It returns one number a draw, NaN where the draw cannot say (one class only,
nothing bought). A row drawn twice counts exactly as two equal rows would.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float64]
Metric = Callable[[Vector, Vector, Counts], Vector]

BINS = 10
TOP_SHARE = 0.1
_BLOCK_CELLS = 2_000_000


def measure(metric: Metric, actual: Vector, predicted: Vector) -> float:
    """The metric on the rows as they are, each counted once."""
    ones = np.ones((1, len(actual)))
    return float(metric(np.asarray(actual, float), np.asarray(predicted, float), ones)[0])


def bootstrap(
    metrics: Mapping[str, Metric],
    actual: Vector,
    predictions: Mapping[str, Vector],
    customer_id: npt.NDArray[Any],
    *,
    draws: int,
    seed: int,
) -> dict[str, dict[str, Vector]]:
    """Method to metric to its value in each draw of customers with replacement.

    All rows of a customer are drawn together, and every method sees the same draws, so that
    differences between methods are paired.
    """
    found: dict[str, dict[str, list[Vector]]] = {
        method: {name: [] for name in metrics} for method in predictions
    }
    for counts in _drawn_counts(customer_id, draws, np.random.default_rng(seed)):
        for method, predicted in predictions.items():
            for name, metric in metrics.items():
                found[method][name].append(metric(actual, predicted, counts))
    return {
        method: {name: np.concatenate(blocks) for name, blocks in by_metric.items()}
        for method, by_metric in found.items()
    }


def _drawn_counts(
    customer_id: npt.NDArray[Any], draws: int, rng: np.random.Generator
) -> Iterator[Counts]:
    """How often each row is drawn, in blocks of draws that stay within the cache's reach."""
    customers, place = np.unique(customer_id, return_inverse=True)
    size = len(customers)
    block = max(1, _BLOCK_CELLS // max(size, 1))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = rng.integers(0, size, (rows, size))
        picked += np.arange(rows)[:, None] * size
        drawn = np.bincount(picked.ravel(), minlength=rows * size).reshape(rows, size)
        yield np.asarray(drawn[:, place], dtype=float)


@dataclass(frozen=True)
class Ties:
    """Rows sorted by a prediction, equal predictions held together as one tie."""

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]

    def totals(self, cells: Counts) -> Counts:
        """Sum draws x rows into draws x ties, in rank order."""
        return np.asarray(np.add.reduceat(cells[:, self.order], self.starts, axis=1))


def ties_of(predicted: Vector) -> Ties:
    """Lowest prediction first."""
    order = np.argsort(predicted, kind="stable")
    ordered = predicted[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return Ties(order, np.flatnonzero(new))


def _ratio(above: Vector, below: Vector) -> Vector:
    """`above / below`, NaN where `below` is not positive."""
    answer = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=answer, where=below > 0)
    return answer


def _mean(counts: Counts, of_rows: Vector) -> Vector:
    return _ratio(counts @ of_rows, counts.sum(axis=1))


def roc_auc(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Chance that a churner is ranked above a stayer; a tie counts one half."""
    ties = ties_of(predicted)
    positive = ties.totals(counts * actual)
    negative = ties.totals(counts) - positive
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _ratio((positive * below).sum(axis=1), pairs)


def average_precision(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Precision at each threshold, weighted by the recall it adds."""
    ties = ties_of(-predicted)
    positive = ties.totals(counts * actual)
    found, taken = np.cumsum(positive, axis=1), np.cumsum(ties.totals(counts), axis=1)
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    return _ratio((positive * precision).sum(axis=1), positive.sum(axis=1))


def brier(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Mean squared distance of the propensity from what happened."""
    return _mean(counts, (predicted - actual) ** 2)


def log_loss(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Mean surprise, in nats; a certain propensity is read as 1e-15 short of certain."""
    sure = np.clip(predicted, 1e-15, 1 - 1e-15)
    return _mean(counts, -(actual * np.log(sure) + (1 - actual) * np.log1p(-sure)))


def expected_calibration_error(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Mean gap between propensity and churn over ten bins of equally many rows.

    Bins are those of the undrawn rows; equal propensities share a bin.
    """
    gaps = counts @ (_one_hot(predicted) * (predicted - actual)[:, None])
    return _ratio(np.abs(gaps).sum(axis=1), counts.sum(axis=1))


def chance_calibration_error(predicted: Vector, *, draws: int, seed: int) -> float:
    """The calibration error that exact propensities show by chance alone, at most 95 times of 100.

    Labels are drawn from the propensities themselves, `draws` times.
    """
    place, rng = bins(predicted), np.random.default_rng(seed)
    gaps = (
        np.bincount(place, weights=(rng.random(len(predicted)) < predicted) - predicted)
        for _ in range(draws)
    )
    return float(np.quantile([np.abs(gap).sum() for gap in gaps], 0.95) / len(predicted))


def bins(predicted: Vector) -> npt.NDArray[np.intp]:
    """Bin 0..9 of each row, lowest prediction first, by the middle rank of its tie."""
    ordered = np.sort(predicted)
    low = np.searchsorted(ordered, predicted, "left")
    high = np.searchsorted(ordered, predicted, "right")
    return ((low + high) * BINS // (2 * len(predicted) + 1)).astype(np.intp)


def _one_hot(predicted: Vector) -> Counts:
    return np.asarray(bins(predicted)[:, None] == np.arange(BINS), dtype=float)


def top_capture(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Share of all that happened which the tenth ranked highest holds.

    A tie across the edge of the tenth gives its part in proportion.
    """
    ties = ties_of(-predicted)
    size, held = ties.totals(counts), ties.totals(counts * actual)
    before = np.cumsum(size, axis=1) - size
    room = np.clip(TOP_SHARE * size.sum(axis=1, keepdims=True) - before, 0, size)
    part = np.divide(room, size, out=np.zeros_like(size), where=size > 0)
    return _ratio((held * part).sum(axis=1), held.sum(axis=1))


def top_lift(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Churn rate of the tenth ranked highest over the base rate."""
    return top_capture(actual, predicted, counts) / TOP_SHARE


def rmse(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Root mean squared error, in the unit of the actual."""
    return np.sqrt(_mean(counts, (predicted - actual) ** 2))


def mae(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Mean absolute error, in the unit of the actual."""
    return _mean(counts, np.abs(predicted - actual))


def total_ratio(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Predicted total over actual total."""
    return _ratio(counts @ predicted, counts @ actual)


def spearman(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Rank correlation, ties at their middle rank."""
    first, second = _centred_ranks(actual, counts), _centred_ranks(predicted, counts)
    together = (counts * first * second).sum(axis=1)
    alone = (counts * first**2).sum(axis=1) * (counts * second**2).sum(axis=1)
    return _ratio(together, np.sqrt(alone))


def _centred_ranks(values: Vector, counts: Counts) -> Counts:
    """Middle rank of each row in each draw, less the mean rank."""
    ties = ties_of(values)
    size = ties.totals(counts)
    middle = np.cumsum(size, axis=1) - size / 2
    tie = np.empty(len(values), dtype=np.intp)
    tie[ties.order] = np.repeat(
        np.arange(len(ties.starts)), np.diff(ties.starts, append=len(values))
    )
    return np.asarray(middle[:, tie] - counts.sum(axis=1, keepdims=True) / 2)


def normalised_gini(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Gini of the actual when ranked by prediction, over its Gini when ranked perfectly."""
    return _ratio(_gini(actual, predicted, counts), _gini(actual, actual, counts))


def _gini(actual: Vector, by: Vector, counts: Counts) -> Vector:
    """One less twice the area under the share of `actual` held by the lowest by `by`."""
    ties = ties_of(by)
    size, held = ties.totals(counts), ties.totals(counts * actual)
    area = (size * (np.cumsum(held, axis=1) - held / 2)).sum(axis=1)
    return np.asarray(1 - 2 * _ratio(area, size.sum(axis=1) * held.sum(axis=1)))


def decile_error(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Mean over predicted deciles of |predicted - actual| / actual, totals of the decile.

    Deciles are those of the undrawn rows; one in which nothing was bought is left out.
    """
    deciles = _one_hot(predicted)
    held = counts @ (deciles * actual[:, None])
    said = counts @ (deciles * predicted[:, None])
    errors = _ratio(np.abs(said - held), held)
    counted = np.isfinite(errors)
    return _ratio(np.where(counted, errors, 0).sum(axis=1), counted.sum(axis=1).astype(float))
