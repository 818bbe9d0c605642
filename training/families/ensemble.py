"""Fitted members averaged by weight, each a plain file or table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.feature_contract import FeatureContract, Matrix
from training.btyd.history import History
from training.families.forecast import Forecast, history_of
from training.families.glm import Objective
from training.families.members import Member
from training.one_or_many import Number, Vector, bounded

_FARTHEST = 30.0


@dataclass(frozen=True)
class Ensemble:
    """Members' scores averaged by weight: log odds for churn, means for orders and value."""

    contract: FeatureContract
    objective: Objective
    members: Mapping[str, Member]
    """Family to member."""
    weights: Mapping[str, float]
    """Family to weight; they sum to 1."""
    forecast: Forecast | None
    """BTYD's, where there is a history of orders."""
    unit: float = 1.0
    """What a mean of 1 is worth, in the currency where it is money."""

    def predict(self, X: Matrix, history: History | None = None) -> Vector:
        """Log odds of each row for churn, otherwise its expected orders or value.

        `history` is that of the rows, where the caller has read it already.
        """
        if not len(X):
            return np.empty(0)
        none = np.zeros(len(X))
        if self.forecast is None:
            return self._mean(X, none, none, none)
        if history is None:
            history = history_of(X, self._names)
        return self._mean(X, none, *self.forecast.offsets_of(history))

    def predict_row(self, row: Vector, history: History[float] | None) -> float:
        """The same for one row of features alone, to the last bit; it must have its history."""
        if self.forecast is None or history is None:
            return self._mean(row, 0.0, 0.0, 0.0)
        return self._mean(row, 0.0, *self.forecast.offsets_of(history))

    def _mean(self, X: Matrix, none: Number, learned: Number, asked: Number) -> Number:
        """The members' mean; `learned` and `asked` are the offsets, `none` is 0 for each row."""
        total, stretch = none, asked - learned
        for family, member in self.members.items():
            score = member.raw(X, learned) + stretch
            if self.objective != "binary":
                score = np.exp(bounded(score, -np.inf, _FARTHEST))
            total = total + self.weights[family] * score
        return total * self.unit

    def contributions(self, X: Matrix) -> Matrix:
        """What each feature adds to the log odds, rows x features, without the constant."""
        if not len(X):
            return np.empty(X.shape)
        learned = stretch = np.zeros(X.shape)
        if self.forecast:
            learned, asked = self.forecast.explained(X, self._names)
            stretch = asked - learned
        added = np.zeros(X.shape)
        for family, member in self.members.items():
            own = member.contributions(X, learned) + stretch
            added = added + self.weights[family] * own
        return added

    @cached_property
    def _names(self) -> list[str]:
        return self.contract.names
