"""How well a ranking finds those whom contact changes: the gain curve and its Qini coefficient."""

from functools import partial

import numpy as np

from training.metrics import Counts, Metric, Vector, ties_of


def qini_metric(treated: Vector, chance: Vector) -> Metric:
    """The Qini coefficient of a ranking in a randomised trial, per 1,000 customers.

    `treated` is 1.0 for rows that were contacted, 0.0 for those held out, `chance` the chance
    with which each was to be contacted. With customers taken from the highest score down,
    gain(share) = share x (mean outcome of the contacted among them less that of those held out),
    each weighted by one over the chance of the arm it is in. The coefficient is the area between
    gain and the straight line from 0 to gain(1), times 1,000; a random order has 0 on average,
    and it is not divided by the area of a perfect order, which nobody can know. Rows with equal
    scores enter together, along a straight line; while an arm is still empty the gain is 0. NaN
    where a draw lacks an arm.

    After Radcliffe (2007), "Using control groups to target on predicted lift".
    """
    return partial(_qini, _arms(treated, chance))


def gain_curve(
    treated: Vector, chance: Vector, outcome: Vector, predicted: Vector
) -> tuple[Vector, Vector]:
    """Shares of customers contacted, highest score first, and the gain at each per customer."""
    rows = len(treated)
    gain, taken = _gains(_arms(treated, chance), outcome, predicted, np.ones((1, rows)))
    return taken[0] / rows, gain[0] / rows


def _arms(treated: Vector, chance: Vector) -> Counts:
    """What each row weighs among those contacted and among those held out."""
    return np.stack([treated / chance, (1.0 - treated) / (1.0 - chance)])


def _qini(arms: Counts, actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    gain, taken = _gains(arms, actual, predicted, counts)
    before, width = np.roll(gain, 1, axis=1), np.diff(taken, axis=1, prepend=0.0)
    before[:, 0] = 0.0
    size = taken[:, -1]
    area = (width * (gain + before) / 2).sum(axis=1) / size**2
    return np.asarray(1_000 * (area - gain[:, -1] / size / 2))


def _gains(
    arms: Counts, actual: Vector, predicted: Vector, counts: Counts
) -> tuple[Counts, Counts]:
    """Customers' summed gain and their number, draws x ties, the highest score first."""
    ties = ties_of(-predicted)
    in_arm = [counts * weight for weight in arms]
    sizes = [np.cumsum(ties.totals(cells), axis=1) for cells in in_arm]
    sums = [np.cumsum(ties.totals(cells * actual), axis=1) for cells in in_arm]
    taken = np.cumsum(ties.totals(counts), axis=1)
    means = [total / np.maximum(size, 1.0) for total, size in zip(sums, sizes, strict=True)]
    known = (sizes[0] > 0) & (sizes[1] > 0)
    gain = np.where(known, taken * (means[0] - means[1]), 0.0)
    gain[:, -1] = np.where(known[:, -1], gain[:, -1], np.nan)
    return gain, taken
