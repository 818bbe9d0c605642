"""Seeded, reproducible gradient boosting: customer-grouped rounds, out-of-fold scores, one fit."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.config import TrainingConfig
from features.feature_contract import FeatureContract, Matrix
from training.dataset import CannotTrain
from training.families.boosting_settings import METRIC, boosting_settings
from training.families.glm import Objective, Vector
from training.families.members import booster_names

FOLDS = 5
_HASHES = 2**32
_CROSS_ROWS = 60_000
_MOST_ROUNDS = 400
_PATIENCE = 30


@dataclass(frozen=True)
class Examples:
    """Rows, what they are to predict, and where the prediction starts."""

    X: Matrix
    target: Vector
    contract: FeatureContract
    objective: Objective
    offset: Vector | None = None
    """Forecast of each row on the link scale, on which the trees are grown; None without one."""
    unit: float = 1.0
    """What a target of 1 is worth, in the currency where it is money."""

    def rows(self, mask: npt.NDArray[Any]) -> "Examples":
        """The rows that `mask` (booleans or positions) picks, in its order."""
        offset = None if self.offset is None else self.offset[mask]
        return replace(self, X=self.X[mask], target=self.target[mask], offset=offset)


@dataclass(frozen=True)
class CrossFit:
    """What cross-validation found: rounds to boost, and each row's score by models it is not in."""

    rounds: int
    raw_score: Vector
    """Log odds for `binary`, log mean otherwise, offset included; rows as given."""


def customer_folds(customer_id: Iterable[str]) -> npt.NDArray[np.int64]:
    """A fold in 0..4 for each row, by hash: all rows of a customer share it, in any row order."""
    return _hashes(customer_id) % FOLDS


def sample_customers(customer_id: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Which rows cross-validation looks at: all, or whole customers by hash, about 60,000 rows.

    Rounds, calibration and intervals are no better for more, and would take most of the time.
    """
    place = _hashes(customer_id)
    return place < _HASHES * min(1.0, _CROSS_ROWS / max(len(place), 1))


def cross_fit(
    examples: Examples, fold: npt.NDArray[np.int64], training: TrainingConfig
) -> CrossFit:
    """Choose rounds by mean validation loss over the folds, and score every row out of fold.

    Raises CannotTrain when some fold would leave nothing to learn from.
    """
    sides = [
        (np.flatnonzero(fold != place), np.flatnonzero(fold == place)) for place in range(FOLDS)
    ]
    if min(min(len(inside), len(outside)) for inside, outside in sides) == 0:
        raise CannotTrain(
            f"{len(fold)} rows cannot be split into {FOLDS} groups of customers; "
            "use more cutoffs (training.cutoffs) or a longer history"
        )
    result = lgb.cv(
        _settings(examples, training),
        _data(examples),
        num_boost_round=_MOST_ROUNDS,
        folds=sides,
        callbacks=[lgb.early_stopping(_PATIENCE, verbose=False)],
        return_cvbooster=True,
    )
    rounds = len(result[f"valid {METRIC[examples.objective]}-mean"])
    scores = _out_of_fold(result["cvbooster"].boosters, examples.X, fold, rounds)
    return CrossFit(rounds, scores if examples.offset is None else scores + examples.offset)


def fit_booster(examples: Examples, rounds: int, training: TrainingConfig) -> lgb.Booster:
    """Boost for `rounds`; the same rows and settings give the same model text."""
    return lgb.train(_settings(examples, training), _data(examples), num_boost_round=rounds)


def _hashes(customer_id: Iterable[str]) -> npt.NDArray[np.int64]:
    """A number in 0..2^32 for each row, the same for all rows of a customer.

    Not the bytes that split train from test customers, of which one side would be left.
    """
    digests = (hashlib.sha256(str(one).encode()).digest() for one in customer_id)
    return np.array([int.from_bytes(digest[4:8]) for digest in digests], dtype=np.int64)


def _out_of_fold(
    boosters: list[lgb.Booster], X: Matrix, fold: npt.NDArray[np.int64], rounds: int
) -> Vector:
    scores = np.empty(len(X))
    for place, booster in enumerate(boosters):
        inside = fold == place
        if inside.any():
            scores[inside] = booster.predict(
                X[inside], raw_score=True, num_iteration=rounds, num_threads=1
            )
    return scores


def _data(examples: Examples) -> lgb.Dataset:
    return lgb.Dataset(
        examples.X,
        examples.target,
        init_score=examples.offset,
        feature_name=booster_names(examples.contract),
        categorical_feature=examples.contract.categorical,
    )


def _settings(examples: Examples, training: TrainingConfig) -> dict[str, Any]:
    return boosting_settings(examples.objective, len(examples.target), training)
