"""Fitted models as ensembles with their tables, and the predictions they make together."""

from dataclasses import dataclass

import numpy as np

from features.feature_contract import FeatureContract, FeatureMismatch, Matrix
from training.btyd.history import History
from training.calibration import Calibration
from training.families.ensemble import Ensemble
from training.families.forecast import history_of
from training.families.glm import Vector
from training.intervals import IntervalTable
from training.timing.hazard import Hazard
from training.typical import Typical
from training.uplift_model import Uplift


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
    uplift: Uplift | None = None
    """What contact changes; None without a randomised trial to learn from."""

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
