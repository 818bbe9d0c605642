"""Whom contact would drive away: the lowest predicted uplift, where a trial saw harm."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from training.metrics import Vector
from training.uplift.learners import Trial

_SLICES = 10
_ONE_SIDED_95 = 1.6449


class Disturbance(BaseModel):
    """The predicted uplift up to which a customer is not to be disturbed, if harm was shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: float | None
    """None when no harm was shown: then nobody is flagged."""
    slices: tuple[tuple[float, float, float], ...]
    """Highest predicted uplift, effect seen and its upper bound, of each tenth, lowest first."""

    def flags(self, uplift: Vector) -> npt.NDArray[np.bool_]:
        """True for each customer not to be disturbed, from the model's predicted uplift."""
        if self.up_to is None:
            return np.zeros(len(uplift), dtype=bool)
        return np.asarray(uplift <= self.up_to)


NOBODY = Disturbance(up_to=None, slices=())
"""For a ranking by uplift that is not shown to be better than chance."""


def fit_disturbance(trial: Trial, uplift: Vector, response: Vector) -> Disturbance:
    """Flag the lowest tenths of out-of-fold `uplift` in which contact surely did harm.

    Tenths are asked one after the other, the lowest first. One is flagged when the one-sided 95 %
    upper bound of the effect in it is below 0, and the first that is not ends the row: so the
    chance of flagging any tenth without harm is 5 % (a fixed-sequence test). The effect is the
    difference of the arms' outcomes less the out-of-fold `response`; errors are clustered by
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
    means, sums = [], np.zeros(len(trial))
    for sign, arm in ((1.0, trial.treated > 0), (-1.0, trial.treated == 0)):
        mean = outcome[arm].mean()
        means.append(sign * mean)
        sums[arm] = sign * (outcome[arm] - mean) / arm.sum()
    _, place = np.unique(trial.customer_id, return_inverse=True)
    return float(sum(means)), float(np.sqrt((np.bincount(place, sums) ** 2).sum()))
