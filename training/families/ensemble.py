"""Fitted members averaged by weight, each a plain file or table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.feature_contract import FeatureContract, Matrix
from training.btyd.history import History
from training.families.forecast import Forecast, history_of
from training.families.glm import Objective, Vector
from training.families.members import Member

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
        learned, asked = self._offsets(X, history)
        total = np.zeros(len(X))
        for family, member in self.members.items():
            score = member.raw(X, learned) + (asked - learned)
            if self.objective != "binary":
                score = np.exp(np.minimum(score, _FARTHEST))
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

    def _offsets(self, X: Matrix, history: History | None) -> tuple[Vector, Vector]:
        if self.forecast is None:
            return np.zeros(len(X)), np.zeros(len(X))
        return self.forecast.offsets_of(history_of(X, self._names) if history is None else history)

    @cached_property
    def _names(self) -> list[str]:
        return self.contract.names
