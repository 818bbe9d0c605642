"""Calibration: raw churn scores, in logits, become propensities that mean what they say."""

from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict

from training.one_or_many import Number, Vector, bounded

Kind: TypeAlias = Literal["none", "platt", "isotonic", "anchored"]

_NEWTON_STEPS = 50


class Calibration(BaseModel):
    """From raw score to propensity: a straight line in logits, or a rising step-free curve."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "none"
    slope: float = 1.0
    intercept: float = 0.0
    scores: tuple[float, ...] = ()
    """For `isotonic`: rising raw scores."""
    propensities: tuple[float, ...] = ()
    """For `isotonic`: the propensity at each of them; linear between, flat beyond."""

    def apply(self, raw_score: Number) -> Number:
        """Propensities, one for each raw score (log odds)."""
        if self.kind == "isotonic":
            propensity: Number = np.interp(raw_score, *self._knots)
            return propensity
        return sigmoid(self.slope * raw_score + self.intercept)

    def shifted(self, log_odds: float) -> "Calibration":
        """The calibration with so much added to the log odds of every propensity."""
        if not log_odds:
            return self
        if self.kind != "isotonic":
            return self.model_copy(update={"intercept": self.intercept + log_odds})
        propensity = np.array(self.propensities)
        moved = sigmoid(np.log(propensity) - np.log1p(-propensity) + log_odds)
        # Built anew, as a copy would keep the knots.
        return Calibration(kind=self.kind, scores=self.scores, propensities=tuple(moved.tolist()))

    @cached_property
    def _knots(self) -> tuple[Vector, Vector]:
        return np.array(self.scores), np.array(self.propensities)


def sigmoid(logit: Number) -> Number:
    """Probability whose log odds are `logit`; far logits saturate without a warning."""
    odds: Number = np.exp(-bounded(logit, -500.0, 500.0))
    return 1.0 / (1.0 + odds)


def shift_to_mean(raw_score: Vector, mean: float) -> float:
    """What to add to all log odds so that the mean propensity is `mean`, by Newton's method."""
    shift = 0.0
    for _ in range(_NEWTON_STEPS):
        propensity = sigmoid(raw_score + shift)
        slope = float(np.mean(propensity * (1.0 - propensity)))
        step = float(np.clip((mean - float(propensity.mean())) / max(slope, 1e-9), -1.0, 1.0))
        shift += step
        if abs(step) < 1e-12:
            break
    return shift
