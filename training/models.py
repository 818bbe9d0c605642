"""Fitted models as plain LightGBM boosters and tables, and the predictions they make together."""

import re
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from features.feature_contract import FeatureContract, FeatureMismatch, Matrix
from training.calibration import Calibration
from training.hazard import Hazard
from training.intervals import IntervalTable
from training.typical import Typical

Vector = npt.NDArray[np.float64]


class Level(BaseModel):
    """Factor that brings predicted totals to those seen out of fold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factor: float = 1.0


@dataclass(frozen=True)
class ChurnModel:
    """Raw churn scores from `booster`, made propensities by `calibration`."""

    booster: lgb.Booster
    calibration: Calibration

    def predict(self, X: Matrix) -> Vector:
        """Propensity of each row."""
        return self.calibration.apply(_predict(self.booster, X, raw_score=True))


@dataclass(frozen=True)
class OrdersModel:
    """Expected purchase days within the churn horizon."""

    booster: lgb.Booster
    level: Level

    def predict(self, X: Matrix) -> Vector:
        """Expected purchase days of each row."""
        return _predict(self.booster, X) * self.level.factor


@dataclass(frozen=True)
class ValueModel:
    """CLV in two parts: whether there is any value, and how much when there is."""

    any_value: lgb.Booster
    amount: lgb.Booster
    level: Level
    intervals: IntervalTable

    def predict(self, X: Matrix) -> Vector:
        """CLV of each row, in the bundle's currency."""
        return _predict(self.any_value, X) * _predict(self.amount, X) * self.level.factor


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
        unknown = np.full(len(X), np.nan)
        clv = self.value.predict(X) if self.value else unknown
        low, high = self.value.intervals.apply(clv) if self.value else (unknown, unknown)
        orders = self.orders.predict(X) if self.orders else unknown
        return Prediction(self.churn.predict(X), orders, clv, low, high)

    def contributions(self, X: Matrix) -> Matrix:
        """SHAP values of the churn logit before calibration, rows x features, without the bias."""
        X = self._checked(X)
        if not len(X):
            return np.empty(X.shape)
        with_bias = self.churn.booster.predict(X, pred_contrib=True, num_threads=1)
        return np.asarray(with_bias, dtype=np.float64)[:, :-1]

    def _checked(self, X: Matrix) -> Matrix:
        width = len(self.contract.columns)
        if X.ndim != 2 or X.shape[1] != width:
            raise FeatureMismatch(
                f"the model takes rows of {width} features, got an array of shape {X.shape}; "
                "encode the feature table with the bundle's contract"
            )
        return np.ascontiguousarray(X, dtype=np.float64)


def booster_names(contract: FeatureContract) -> list[str]:
    """The contract's names as LightGBM accepts them: ASCII word characters, each name once."""
    names: list[str] = []
    for place, name in enumerate(contract.names):
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        names.append(f"{plain}__{place}" if plain in names else plain)
    return names


def _predict(booster: lgb.Booster, X: Matrix, *, raw_score: bool = False) -> Vector:
    if not len(X):
        return np.empty(0)
    return np.asarray(booster.predict(X, raw_score=raw_score, num_threads=1), dtype=np.float64)
