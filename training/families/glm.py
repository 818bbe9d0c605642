"""A generalised linear model on a few screened features, with the BTYD forecast as its offset."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from features.feature_contract import FeatureContract, Matrix
from training.calibration import sigmoid

Vector = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Objective = Literal["binary", "poisson", "tweedie"]
"""Log odds of churning; log of expected order days; log of expected value."""

TWEEDIE_POWER = 1.5
_TERMS = 24
_SCREENED_ROWS = 60_000
# The forecast holds these; on their own they mean something else when history grows longer.
_IN_THE_OFFSET = ("orders_frequency", "orders_recency", "orders_T")
_RIDGE = 0.003
_MOST_CORRELATED = 0.9
_FARTHEST = 5.0
_STEPS = 25
_FAR_SCORE = 30.0


class Glm(BaseModel):
    """Coefficients of standardised, log-scaled features; missing values count as the mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    offset_weight: float = 0.0
    """How much of the offset is in the score; 0 without one."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        lengths = [len(part) for part in (self.centre, self.spread, self.coefficients)]
        if set(lengths) != {len(self.names)}:
            raise ValueError(f"{len(self.names)} names need as many numbers each, got {lengths}")
        return self

    def raw(self, X: Matrix, places: Places, offset: Vector) -> Vector:
        """Score of each row on the link scale, its offset in it.

        `places` are the columns of `X` that hold `names`.
        """
        start = self.intercept + self.offset_weight * offset
        terms = np.concatenate((start[:, None], self._terms(X, places)), axis=1)
        # Summed term by term: a row alone and in a batch must agree to the last bit.
        return np.asarray(np.add.accumulate(terms, axis=1)[:, -1])

    def contributions(self, X: Matrix, places: Places) -> Matrix:
        """What each feature adds to the score against its mean, rows x columns of `X`."""
        added = np.zeros(X.shape)
        added[:, places] = self._terms(X, places)
        return added

    def _terms(self, X: Matrix, places: Places) -> Matrix:
        centre, spread, coefficients = self._arrays
        return np.asarray(_standardised(_logs(X[:, places]), centre, spread) * coefficients)

    @cached_property
    def _arrays(self) -> tuple[Vector, Vector, Vector]:
        return np.array(self.centre), np.array(self.spread), np.array(self.coefficients)


def fit_glm(
    X: Matrix,
    target: Vector,
    contract: FeatureContract,
    objective: Objective,
    offset: Vector | None,
) -> Glm:
    """Fit at most 24 features by iteratively reweighted least squares with a small ridge.

    `offset` is on the link scale; its weight is fitted too, shrunk towards 1.
    Features are screened by their correlation with what the offset leaves unexplained, each
    not too close to one already in, on about 60,000 rows evenly spread over all.
    Source: McCullagh and Nelder (1989), chapter 2.
    """
    numeric = np.array(
        [
            place
            for place, column in enumerate(contract.columns)
            if column.kind == "numeric" and (offset is None or column.name not in _IN_THE_OFFSET)
        ],
        dtype=np.int64,
    )
    start = np.zeros(len(target)) if offset is None else offset
    mean, _ = _moments_of_target(objective, start + _level(objective, start, target))
    some = slice(None, None, -(-len(target) // _SCREENED_ROWS))
    sample = _logs(X[some, numeric])
    centre, spread = _moments(sample)
    chosen = _screened(_standardised(sample, centre, spread), (target - mean)[some], spread)
    centre, spread, places = centre[chosen], spread[chosen], numeric[chosen]
    blocks = [np.ones(len(target)), _standardised(_logs(X[:, places]), centre, spread)]
    if offset is not None:
        blocks.append(start - start.mean())
    solved = _solve(np.column_stack(blocks), target, objective, start)
    slope = 0.0 if offset is None else float(solved[-1])
    return Glm(
        names=tuple(contract.names[place] for place in places),
        centre=tuple(centre.tolist()),
        spread=tuple(spread.tolist()),
        coefficients=tuple(solved[1 : 1 + len(chosen)].tolist()),
        intercept=float(solved[0] - slope * start.mean()),
        offset_weight=0.0 if offset is None else 1.0 + slope,
    )


def _solve(design: Matrix, target: Vector, objective: Objective, offset: Vector) -> Vector:
    """Penalised maximum quasi-likelihood by Newton steps, halved until the loss falls."""
    rows, width = design.shape
    penalty = _RIDGE * np.ones(width)
    penalty[0] = 0.0
    solved = np.zeros(width)
    solved[0] = _level(objective, offset, target)

    def loss(at: Vector) -> float:
        return _loss(objective, target, design @ at + offset) + float(penalty @ at**2) / 2

    lowest = loss(solved)
    for _ in range(_STEPS):
        mean, weight = _moments_of_target(objective, design @ solved + offset)
        gradient = design.T @ _residual(objective, target, mean) / rows - penalty * solved
        curvature = (design * weight[:, None]).T @ design / rows + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        tried = next(
            (solved + step / 2**k for k in range(20) if loss(solved + step / 2**k) < lowest), None
        )
        if tried is None:
            break
        before, solved, lowest = lowest, tried, loss(tried)
        if before - lowest < 1e-9:
            break
    return solved


def _moments_of_target(objective: Objective, score: Vector) -> tuple[Vector, Vector]:
    """The mean at each score, and its weight in the curvature."""
    score = np.clip(score, -_FAR_SCORE, _FAR_SCORE)
    if objective == "binary":
        mean = sigmoid(score)
        return mean, mean * (1.0 - mean)
    mean = np.exp(score)
    return mean, mean if objective == "poisson" else mean ** (2.0 - TWEEDIE_POWER)


def _residual(objective: Objective, target: Vector, mean: Vector) -> Vector:
    """The gradient of the log quasi-likelihood by score."""
    if objective == "tweedie":
        return (target - mean) * mean ** (1.0 - TWEEDIE_POWER)
    return target - mean


def _loss(objective: Objective, target: Vector, score: Vector) -> float:
    score = np.clip(score, -_FAR_SCORE, _FAR_SCORE)
    if objective == "binary":
        return float(np.mean(np.logaddexp(0.0, score) - target * score))
    if objective == "poisson":
        return float(np.mean(np.exp(score) - target * score))
    one, two = 1.0 - TWEEDIE_POWER, 2.0 - TWEEDIE_POWER
    return float(np.mean(np.exp(two * score) / two - target * np.exp(one * score) / one))


def _level(objective: Objective, offset: Vector, target: Vector) -> float:
    """The shift of the offsets at which predicted and actual totals agree."""
    if objective != "binary":
        return float(np.log(max(target.sum(), 1e-12) / np.exp(offset).sum()))
    shift = 0.0
    for _ in range(_STEPS):
        mean, weight = _moments_of_target(objective, offset + shift)
        shift += float(np.clip((target - mean).sum() / (weight.sum() + 1e-12), -2.0, 2.0))
    return shift


def _screened(design: Matrix, unexplained: Vector, spread: Vector) -> list[int]:
    """Columns most correlated with `unexplained`, in that order, none close to a stronger one."""
    strength = np.abs(design.T @ (unexplained - unexplained.mean()))
    chosen: list[int] = []
    for place in np.argsort(-strength, kind="stable"):
        if len(chosen) == _TERMS or spread[place] == 0:
            break
        column = design[:, place]
        if all(abs(column @ design[:, other]) < _MOST_CORRELATED * len(column) for other in chosen):
            chosen.append(int(place))
    return chosen


def _moments(logs: Matrix) -> tuple[Vector, Vector]:
    """Mean and standard deviation of each column, gaps left out."""
    known = np.isfinite(logs)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, logs, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, logs - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre, np.where(spread > 1e-9, spread, 0.0)


def _standardised(logs: Matrix, centre: Vector, spread: Vector) -> Matrix:
    """Deviations from the mean, 0 where there is a gap or nothing varies."""
    varies = spread > 0
    scaled = (logs - centre) / np.where(varies, spread, 1.0)
    scaled = np.minimum(np.maximum(scaled, -_FARTHEST), _FARTHEST)
    return np.asarray(np.where(np.isfinite(scaled) & varies, scaled, 0.0))


def _logs(values: Matrix) -> Matrix:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
