"""Platt calibration: raw churn scores, in logits, become propensities that mean what they say."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Vector = npt.NDArray[np.float64]

_NEWTON_STEPS = 50
_RIDGE = 1e-6


class Calibration(BaseModel):
    """The straight line, in logits, from raw score to propensity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["platt", "none"] = "none"
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, raw_score: Vector) -> Vector:
        """Propensities, one for each raw score (log odds)."""
        return sigmoid(self.slope * raw_score + self.intercept)


def sigmoid(logit: Vector) -> Vector:
    """Probability whose log odds are `logit`; far logits saturate without a warning."""
    odds: Vector = np.exp(-np.clip(logit, -500.0, 500.0))
    return 1.0 / (1.0 + odds)


def fit_platt(raw_score: Vector, churned: Vector, fold: npt.NDArray[np.int64]) -> Calibration:
    """Platt's line when it lowers log loss on folds it has not seen, otherwise no change.

    `raw_score` are out-of-fold logits; `fold` says in which fold each row was predicted, so a
    customer never judges a line fitted on that customer. A line that would turn the ranking
    round is refused too. Source: Platt (1999), without the target smoothing, which needs
    fewer positives than we accept.
    """
    loss = 0.0
    for place in np.unique(fold):
        inside = fold == place
        slope, intercept = _line(raw_score[~inside], churned[~inside])
        loss += _loss(slope * raw_score[inside] + intercept, churned[inside])
    slope, intercept = _line(raw_score, churned)
    if slope <= 0 or loss >= _loss(raw_score, churned):
        return Calibration()
    return Calibration(kind="platt", slope=slope, intercept=intercept)


def _line(raw_score: Vector, churned: Vector) -> tuple[float, float]:
    """Maximum-likelihood slope and intercept by Newton's method, from the identity line."""
    design = np.column_stack([raw_score, np.ones_like(raw_score)])
    line = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        propensity = sigmoid(design @ line)
        weight = propensity * (1.0 - propensity)
        curvature = (design * weight[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (churned - propensity))
        line = line + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return float(line[0]), float(line[1])


def _loss(logit: Vector, churned: Vector) -> float:
    return float(np.sum(np.logaddexp(0.0, logit) - churned * logit))
