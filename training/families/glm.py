"""A generalised linear model on a few screened terms, with the BTYD forecast as its offset."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from features.feature_contract import FeatureContract, Matrix
from training.calibration import shift_to_mean, sigmoid
from training.one_or_many import Number

Vector = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Objective = Literal["binary", "poisson", "tweedie"]
"""Log odds of churning; log of expected order days; log of expected value."""

TWEEDIE_POWER = 1.5
_TERMS = 24
_SCREENED_ROWS = 60_000
_ROWS_AT_ONCE = 65_536
# The forecast holds these; on their own they mean something else when history grows longer.
_IN_THE_OFFSET = ("orders_frequency", "orders_recency", "orders_T")
_RIDGE = 0.003
_MOST_CORRELATED = 0.9
_FARTHEST = 5.0
# As arrays: a number is made one in every call, which takes as long as bounding the terms of a row.
_LOWEST, _HIGHEST = np.array(-_FARTHEST), np.array(_FARTHEST)
_STEPS = 25
_FAR_SCORE = 30.0
_LEAST_SHARE = 0.01
_NUMBER = -1


class Glm(BaseModel):
    """Coefficients of standardised terms: log-scaled numbers, and categories being one value.

    What is missing counts as the mean, a category never seen in training among it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    """The feature of each term."""
    codes: tuple[int, ...]
    """The place of the category's value among its `categories`; -1 for a number."""
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    offset_weight: float = 0.0
    """How much of the offset is in the score; 0 without one."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = (self.codes, self.centre, self.spread, self.coefficients)
        lengths = [len(part) for part in parts]
        if set(lengths) != {len(self.names)}:
            raise ValueError(f"{len(self.names)} names need as many numbers each, got {lengths}")
        return self

    def raw(self, X: Matrix, places: Places, offset: Number) -> Number:
        """Score of each row on the link scale, its offset in it.

        `places` are the columns of `X` that hold `names`. With a float for `offset`, `X` is a row.
        """
        start = self.intercept + self.offset_weight * offset
        if not self.names:
            return start
        standard, coefficients = self._standard(X, places)
        # Not a matrix product: a row alone and in a batch must agree to the last bit.
        score: Number = start + np.vecdot(standard, coefficients)
        return score

    def contributions(self, X: Matrix, places: Places) -> Matrix:
        """What each feature adds to the score against its mean, rows x columns of `X`."""
        added = np.zeros(X.shape)
        standard, coefficients = self._standard(X, places)
        for place, term in zip(places, (standard * coefficients).T, strict=True):
            added[:, place] += term
        return added

    def _standard(self, X: Matrix, places: Places) -> tuple[Matrix, Vector]:
        """The terms standardised, and the coefficient of each."""
        codes, named, centre, divisor, coefficients = self._arrays
        values = _values(X.take(places, axis=-1), codes, named)
        return _standardised(values, centre, divisor), coefficients

    @cached_property
    def _arrays(self) -> tuple[Places, Places, Vector, Vector, Vector]:
        """What `_values` and `_standardised` take, then the coefficients."""
        codes = np.array(self.codes, dtype=np.int64)
        divisor = _divisor(np.array(self.spread))
        return codes, _named(codes), np.array(self.centre), divisor, np.array(self.coefficients)


def fit_glm(
    X: Matrix,
    target: Vector,
    contract: FeatureContract,
    objective: Objective,
    offset: Vector | None,
) -> Glm:
    """Fit at most 24 terms by iteratively reweighted least squares with a small ridge.

    `offset` is on the link scale; its weight is fitted too, shrunk towards 1.
    Terms are numbers, and values of categories that a hundredth of the rows have. They are
    screened by their correlation with what the offset leaves unexplained, each not too close to
    one already in, on about 60,000 rows evenly spread over all.
    Source: McCullagh and Nelder (1989), chapter 2.
    """
    start = np.zeros(len(target)) if offset is None else offset
    mean, _ = _moments_of_target(objective, start + _level(objective, start, target))
    some = slice(None, None, -(-len(target) // _SCREENED_ROWS))
    places, codes = _candidates(X[some], contract, () if offset is None else _IN_THE_OFFSET)
    sample = _values(X[some].take(places, axis=-1), codes, _named(codes))
    centre, spread = _moments(sample)
    standard = _standardised(sample, centre, _divisor(spread))
    chosen = _screened(standard, (target - mean)[some], spread)
    centre, spread, places, codes = centre[chosen], spread[chosen], places[chosen], codes[chosen]
    solved = _solve(_design(X, places, codes, centre, spread, offset), target, objective, start)
    slope = 0.0 if offset is None else float(solved[-1])
    return Glm(
        names=tuple(contract.names[place] for place in places),
        codes=tuple(codes.tolist()),
        centre=tuple(centre.tolist()),
        spread=tuple(spread.tolist()),
        coefficients=tuple(solved[1 : 1 + len(chosen)].tolist()),
        intercept=float(solved[0] - slope * start.mean()),
        offset_weight=0.0 if offset is None else 1.0 + slope,
    )


def _candidates(
    X: Matrix, contract: FeatureContract, without: Sequence[str]
) -> tuple[Places, Places]:
    """Column and code of each term there may be: numbers, then the values of each category."""
    terms = []
    for place, column in enumerate(contract.columns):
        if column.kind == "category":
            shares = [np.mean(X[:, place] == code) for code in range(len(column.categories))]
            terms += [(place, code) for code, share in enumerate(shares) if share >= _LEAST_SHARE]
        elif column.name not in without:
            terms.append((place, _NUMBER))
    places, codes = np.array(terms, dtype=np.int64).reshape(-1, 2).T
    return places, codes


def _named(codes: Places) -> Places:
    """The places of the terms that are values of categories."""
    return np.flatnonzero(codes != _NUMBER)


def _values(raw: Matrix, codes: Places, named: Places) -> Matrix:
    """Each term before it is standardised, of one row or rows x terms; NaN where it is missing.

    `raw` are the features of the terms, `named` is `_named(codes)`.
    """
    values = np.copysign(np.log1p(np.abs(raw)), raw)
    if len(named):
        own = raw[..., named]
        values[..., named] = np.where(np.isnan(own), np.nan, own == codes[named])
    return values


def _design(
    X: Matrix,
    places: Places,
    codes: Places,
    centre: Vector,
    spread: Vector,
    offset: Vector | None,
) -> Matrix:
    """Rows x (1, terms, deviation of the offset where there is one)."""
    width, named, divisor = 1 + len(places), _named(codes), _divisor(spread)
    design = np.ones((len(X), width if offset is None else width + 1), order="F")
    # In blocks: logarithms of all rows at once would take several times as much.
    for first in range(0, len(X), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        values = _values(X[rows].take(places, axis=-1), codes, named)
        design[rows, 1:width] = _standardised(values, centre, divisor)
    if offset is not None:
        design[:, -1] = offset - offset.mean()
    return design


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
    return shift_to_mean(offset, float(target.mean()))


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


def _divisor(spread: Vector) -> Vector:
    """What deviations are divided by: what does not vary does not count."""
    return np.where(spread > 0, spread, np.inf)


def _standardised(values: Matrix, centre: Vector, divisor: Vector) -> Matrix:
    """Deviations from the mean, 0 where there is a gap or nothing varies."""
    scaled = (values - centre) / divisor
    np.maximum(scaled, _LOWEST, out=scaled)
    np.minimum(scaled, _HIGHEST, out=scaled)
    scaled[np.isnan(scaled)] = 0.0
    return scaled
