"""Fitted models as ensembles of plain files and tables, and the predictions they make together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.feature_contract import FeatureContract, FeatureMismatch, Matrix
from training.btyd.history import History
from training.calibration import Calibration
from training.forecast import Forecast, history_of
from training.glm import Objective, Vector
from training.hazard import Hazard
from training.intervals import IntervalTable
from training.members import Member
from training.typical import Typical

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


@dataclass(frozen=True)
class ChurnModel:
    """Log odds from an ensemble, made propensities by `calibration`."""

    ensemble: Ensemble
    calibration: Calibration

    def predict(self, X: Matrix, history: History | None = None) -> Vector:
        """Propensity of each row."""
        return self.calibration.apply(self.ensemble.predict(X, history))


@dataclass(frozen=True)
class OrdersModel:
    """Expected purchase days within the churn horizon."""

    ensemble: Ensemble
    level: float
    """Factor that sets the total."""

    def predict(self, X: Matrix, history: History | None = None) -> Vector:
        """Expected purchase days of each row."""
        return self.ensemble.predict(X, history) * self.level


@dataclass(frozen=True)
class ValueModel:
    """CLV: net contribution within the value horizon, with its interval."""

    ensemble: Ensemble
    level: float
    """Factor that sets the total."""
    intervals: IntervalTable

    def predict(self, X: Matrix, history: History | None = None) -> Vector:
        """CLV of each row, in the bundle's currency."""
        return self.ensemble.predict(X, history) * self.level


@dataclass(frozen=True)
class Prediction:
    """One array per quantity, rows as asked; NaN where the bundle has no model for it."""

    propensity: Vector
    expected_orders: Vector
    clv: Vector
    clv_low: Vector
    clv_high: Vector


@dataclass(frozen=True)
class Models:
    """Fitted models under one feature contract; orders and value are absent without the data."""

    contract: FeatureContract
    churn: ChurnModel
    orders: OrdersModel | None
    value: ValueModel | None
    hazard: Hazard | None = None
    """When churn comes; None for labels that have no time."""
    typical: Typical | None = None
    """What is usual, for the words of the reasons."""

    def predict(self, X: Matrix) -> Prediction:
        """Predictions for each row of `X`, alone or in a batch alike to the last bit.

        Raises FeatureMismatch when `X` has another number of columns than the contract.
        """
        X = self._checked(X)
        history = self._history(X)
        unknown = np.full(len(X), np.nan)
        clv = self.value.predict(X, history) if self.value else unknown
        low, high = self.value.intervals.apply(clv) if self.value else (unknown, unknown)
        orders = self.orders.predict(X, history) if self.orders else unknown
        return Prediction(self.churn.predict(X, history), orders, clv, low, high)

    def contributions(self, X: Matrix) -> Matrix:
        """What each feature adds to the churn log odds before calibration, rows x features.

        Exact for every member: SHAP values of the trees, terms of the linear model, Shapley
        values of the BTYD forecast against a typical customer. The constant is left out.
        """
        return self.churn.ensemble.contributions(self._checked(X))

    def _history(self, X: Matrix) -> History | None:
        """The rows' history of orders, read once for all forecasts; None where there are none."""
        return history_of(X, self.contract.names) if self.churn.ensemble.forecast else None

    def _checked(self, X: Matrix) -> Matrix:
        width = len(self.contract.columns)
        if X.ndim != 2 or X.shape[1] != width:
            raise FeatureMismatch(
                f"the model takes rows of {width} features, got an array of shape {X.shape}; "
                "encode the feature table with the bundle's contract"
            )
        return np.ascontiguousarray(X, dtype=np.float64)
