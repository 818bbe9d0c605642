"""Fitting calibrations: Platt's line, the isotonic curve, anchoring, and another base rate."""

import numpy as np
import numpy.typing as npt

from training.calibration import Calibration, shift_to_mean, sigmoid

Vector = npt.NDArray[np.float64]

_NEWTON_STEPS = 50
_RIDGE = 1e-6
_SURE = 1e-4
_STRENGTH = 0.5


def log_loss(propensity: Vector, churned: Vector) -> float:
    """Mean log loss, propensities kept from 0 and 1."""
    return float(row_losses(propensity, churned).mean())


def row_losses(propensity: Vector, churned: Vector) -> Vector:
    """Log loss of each row, propensities kept from 0 and 1."""
    p = np.clip(propensity, _SURE, 1.0 - _SURE)
    return np.asarray(-(churned * np.log(p) + (1.0 - churned) * np.log1p(-p)))


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
    found = platt(raw_score, churned)
    if found.slope <= 0 or loss >= _loss(raw_score, churned):
        return Calibration()
    return found


def platt(raw_score: Vector, churned: Vector) -> Calibration:
    """The line in logits of highest likelihood (Platt 1999)."""
    slope, intercept = _line(raw_score, churned)
    return Calibration(kind="platt", slope=slope, intercept=intercept)


def isotonic(raw_score: Vector, churned: Vector) -> Calibration:
    """The rising curve of least squared error (Zadrozny and Elkan 2002)."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=_SURE, y_max=1.0 - _SURE).fit(raw_score, churned)
    return Calibration(
        kind="isotonic",
        scores=tuple(fitted.X_thresholds_.tolist()),
        propensities=tuple(fitted.y_thresholds_.tolist()),
    )


def anchored(raw_score: Vector, mean_propensity: float) -> Calibration:
    """The shift in logits that brings the mean half-way to `mean_propensity`.

    BTYD knows the level from every order so far, the other models from the label windows they
    learned from; where the two disagree either may be right, so half the way is gone.
    """
    shift = shift_to_mean(raw_score, mean_propensity)
    return Calibration(kind="anchored", intercept=_STRENGTH * shift)


def prior_shift(training_rate: float, population_rate: float) -> float:
    """What to add to log odds learned at one rate of churners to hold at another.

    Source: Saerens, Latinne and Decaestecker (2002); King and Zeng (2001).
    """
    odds = population_rate / (1.0 - population_rate)
    return float(np.log(odds) - np.log(training_rate / (1.0 - training_rate)))


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
