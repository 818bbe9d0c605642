"""What a ranking is worth to a retention campaign: expected maximum profit and lift quality."""

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import beta

from training.judging.curves import gains
from training.metrics import Counts, Vector, ties_of

ACCEPTANCE = (6.0, 14.0)
"""Beta distribution of the chance that a churner who is contacted stays: 0.3 on average."""
KEPT_VALUE, OFFER, CONTACT = 200.0, 10.0, 1.0
"""What a kept churner is worth, what an accepted offer costs, what a contact costs."""


def expected_maximum_profit(actual: Vector, predicted: Vector, counts: Counts) -> Vector:
    """Profit per customer of contacting the best share by this ranking, for each draw.

    The share is chosen anew for each chance of acceptance, and the profit averaged over its beta
    distribution. Money is in the unit of KEPT_VALUE; with these standing figures of the paper two
    models, or two publications, can be compared, but it is nobody's own profit. NaN without a row.

    Verbraken, Verbeke and Baesens (2013), "A Novel Profit Maximizing Metric for Measuring
    Classification Performance of Customer Churn Prediction Models", IEEE TKDE 25(5), eq. 5 and 9.
    """
    ties = ties_of(-predicted)
    churners, size = ties.totals(counts * actual), ties.totals(counts)
    return np.array([_profit(*draw) for draw in zip(churners, size, strict=True)])


def _profit(churners: Vector, size: Vector) -> float:
    """The expected maximum profit of ties in rank order, riskiest first.

    Pooling adjacent violators gives the segments of the ROC curve's convex hull. A segment is
    worth contacting once the chance of acceptance exceeds its own threshold, and profit grows
    linearly from there: the integral of the maximum is a sum of expected excesses.
    """
    drawn = size > 0
    if not drawn.any():
        return float("nan")
    churners, size = churners[drawn], size[drawn]
    hull = isotonic_regression(churners / size, weights=size, increasing=False).blocks[:-1]
    left, everybody = np.add.reduceat(churners, hull), np.add.reduceat(size, hull)
    left, everybody = left[left > 0], everybody[left > 0]
    stayed_each = (everybody - left) / left
    threshold = (CONTACT + (OFFER + CONTACT) * stayed_each) / (KEPT_VALUE - OFFER)
    worth = (KEPT_VALUE - OFFER) * left / size.sum()
    return float((worth * _expected_excess(threshold)).sum())


def _expected_excess(threshold: Vector) -> Vector:
    """Mean of how far the chance of acceptance exceeds `threshold`, nothing where it does not."""
    first, second = ACCEPTANCE
    mean = first / (first + second)
    above = beta.sf(threshold, first + 1, second)
    return np.asarray(mean * above - threshold * beta.sf(threshold, first, second))


def lift_quality(churned: Vector, propensity: Vector) -> float:
    """How far the gains curve has come from random (0) to perfect (1); NaN with one class.

    Piatetsky-Shapiro and Steingold (2000), "Measuring Lift Quality in Database Marketing",
    SIGKDD Explorations 2(2), doi 10.1145/380995.381018.
    """
    curve = gains(churned, propensity)
    area = float(np.trapezoid(curve.found, curve.contacted))
    perfect = 1 - float(churned.mean()) / 2
    return (area - 0.5) / (perfect - 0.5) if perfect > 0.5 else float("nan")
