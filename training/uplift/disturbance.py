"""Whom contact would drive away: the lowest predicted uplift, where a trial saw harm."""

import numpy as np

from training.metrics import Vector
from training.uplift.trial import Trial
from training.uplift_model import Disturbance

_SLICES = 10
_ONE_SIDED_95 = 1.6449


def fit_disturbance(trial: Trial, uplift: Vector, response: Vector) -> Disturbance:
    """Flag the lowest tenths of unseen customers' `uplift` in which contact surely did harm.

    Tenths are asked one after the other, the lowest first. One is flagged when the one-sided 95 %
    upper bound of the effect in it is below 0, and the first that is not ends the row: so the
    chance of flagging any tenth without harm is 5 % (a fixed-sequence test). The effect is the
    difference of the arms' outcomes less the unseen customers' `response`; errors are clustered by
    customer.
    """
    edges = np.quantile(uplift, np.arange(1, _SLICES + 1) / _SLICES)
    place = np.searchsorted(edges[:-1], uplift, side="left")
    surprise = trial.outcome - response
    slices, up_to, is_harmed = [], None, True
    for number, edge in enumerate(edges):
        inside = place == number
        effect, error = _effect(trial.rows(inside), surprise[inside])
        upper = effect + _ONE_SIDED_95 * error
        # NaN, from a tenth without one of the arms, proves no harm either.
        is_harmed = is_harmed and upper < 0
        up_to = float(edge) if is_harmed else up_to
        slices.append((float(edge), effect, upper))
    return Disturbance(up_to=up_to, slices=tuple(slices))


def _effect(trial: Trial, outcome: Vector) -> tuple[float, float]:
    """Difference of the arms' means and its standard error, customers as clusters."""
    if trial.treated.min(initial=1.0) == trial.treated.max(initial=0.0) or not len(trial):
        return np.nan, np.nan
    means, sums, weight = [], np.zeros(len(trial)), trial.weight
    for sign, arm in ((1.0, trial.treated > 0), (-1.0, trial.treated == 0)):
        share = weight[arm] / weight[arm].sum()
        mean = float(share @ outcome[arm])
        means.append(sign * mean)
        sums[arm] = sign * share * (outcome[arm] - mean)
    _, place = np.unique(trial.customer_id, return_inverse=True)
    return float(sum(means)), float(np.sqrt((np.bincount(place, sums) ** 2).sum()))
