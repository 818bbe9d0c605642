"""Calibration: raw churn scores, in logits, become propensities that mean what they say."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Vector = npt.NDArray[np.float64]
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

    def apply(self, raw_score: Vector) -> Vector:
        """Propensities, one for each raw score (log odds)."""
        if self.kind == "isotonic":
            return np.asarray(np.interp(raw_score, self.scores, self.propensities))
        return sigmoid(self.slope * raw_score + self.intercept)

    def shifted(self, log_odds: float) -> "Calibration":
        """The calibration with so much added to the log odds of every propensity."""
        if not log_odds:
            return self
        if self.kind != "isotonic":
            return self.model_copy(update={"intercept": self.intercept + log_odds})
        propensity = np.array(self.propensities)
        moved = sigmoid(np.log(propensity) - np.log1p(-propensity) + log_odds)
        return self.model_copy(update={"propensities": tuple(moved.tolist())})


def sigmoid(logit: Vector) -> Vector:
    """Probability whose log odds are `logit`; far logits saturate without a warning."""
    odds: Vector = np.exp(-np.minimum(np.maximum(logit, -500.0), 500.0))
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
