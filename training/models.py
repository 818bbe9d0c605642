"""Fitted models as ensembles with their tables, and the predictions they make together."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.feature_contract import FeatureContract, FeatureMismatch, Matrix
from training.btyd.history import History
from training.calibration import Calibration
from training.families.ensemble import Ensemble
from training.families.forecast import INPUTS, history_from, history_of
from training.intervals import IntervalTable
from training.one_or_many import FEW, Number, Vector
from training.timing.hazard import Hazard
from training.typical import Typical
from training.uplift_model import Uplift


@dataclass(frozen=True)
class ChurnModel:
    """Log odds from an ensemble, made propensities by `calibration`."""

    ensemble: Ensemble
    calibration: Calibration

    def predict(self, X: Matrix) -> Vector:
        """Propensity of each row."""
        return self.calibration.apply(self.ensemble.predict(X))


@dataclass(frozen=True)
class OrdersModel:
    """Expected purchase days within the churn horizon."""

    ensemble: Ensemble
    level: float
    """Factor that sets the total."""

    def predict(self, X: Matrix) -> Vector:
        """Expected purchase days of each row."""
        return self.ensemble.predict(X) * self.level


@dataclass(frozen=True)
class ValueModel:
    """CLV: net contribution within the value horizon, with its interval."""

    ensemble: Ensemble
    level: float
    """Factor that sets the total."""
    intervals: IntervalTable

    def predict(self, X: Matrix) -> Vector:
        """CLV of each row, in the bundle's currency."""
        return self.ensemble.predict(X) * self.level


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
        if 0 < len(X) <= FEW:
            return Prediction(*np.array([self._predicted_alone(row) for row in X]).T)
        history = self._history(X)
        unknown = np.full(len(X), np.nan)
        return Prediction(*self._predicted(lambda model: model.predict(X, history), unknown))

    def _predicted_alone(self, row: Vector) -> tuple[float, ...]:
        history = self._history_alone(row)
        return self._predicted(lambda model: model.predict_row(row, history), math.nan)

    def _predicted(
        self, ask: Callable[[Ensemble], Number], unknown: Number
    ) -> tuple[Number, Number, Number, Number, Number]:
        """What a `Prediction` holds, of what `ask` has of each ensemble."""
        propensity = self.churn.calibration.apply(ask(self.churn.ensemble))
        orders = clv = low = high = unknown
        if self.orders:
            orders = ask(self.orders.ensemble) * self.orders.level
        if self.value:
            clv = ask(self.value.ensemble) * self.value.level
            low, high = self.value.intervals.apply(clv)
        return propensity, orders, clv, low, high

    def contributions(self, X: Matrix) -> Matrix:
        """What each feature adds to the churn log odds before calibration, rows x features.

        Exact for every member: SHAP values of the trees, terms of the linear model, Shapley
        values of the BTYD forecast against a typical customer. The constant is left out.
        """
        return self.churn.ensemble.contributions(self._checked(X))

    def _history(self, X: Matrix) -> History | None:
        """The rows' history of orders, read once for all forecasts; None where there are none."""
        return history_of(X, self.contract.names) if self.churn.ensemble.forecast else None

    def _history_alone(self, row: Vector) -> History[float] | None:
        """The same of one row."""
        if not self.churn.ensemble.forecast:
            return None
        known = row.take(self._history_places).tolist()
        return history_from(*[value if math.isfinite(value) else 0.0 for value in known])

    @cached_property
    def _history_places(self) -> npt.NDArray[np.intp]:
        return np.array([self.contract.places[name] for name in INPUTS])

    def _checked(self, X: Matrix) -> Matrix:
        width = len(self.contract.columns)
        if X.ndim != 2 or X.shape[1] != width:
            raise FeatureMismatch(
                f"the model takes rows of {width} features, got an array of shape {X.shape}; "
                "encode the feature table with the bundle's contract"
            )
        return np.ascontiguousarray(X, dtype=np.float64)
