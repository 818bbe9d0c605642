"""Orders and order value together: what each customer will spend within a horizon."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.history import History, Vector


@dataclass(frozen=True)
class BtydPrediction:
    """One value a customer, within the horizon."""

    probability_no_order: Vector
    expected_orders: Vector
    """Order days."""
    expected_value: Vector
    """Of one order day, in the currency of the history."""

    @property
    def expected_spend(self) -> Vector:
        """Undiscounted, in the currency of the history."""
        return np.asarray(self.expected_orders * self.expected_value)


class Btyd(BaseModel):
    """A model of orders in days and one of their value, as bundles store them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    orders: BetaGeometricNbd
    value: GammaGamma

    @classmethod
    def fit(cls, history: History) -> "Btyd":
        """MBG/NBD and Gamma-Gamma on all orders of `history`.

        Raises CannotFit as the two do.
        """
        return cls(orders=BetaGeometricNbd.fit(history), value=GammaGamma.fit(history))

    def predict(self, history: History, horizon_days: float) -> BtydPrediction:
        """Predictions for the `horizon_days` after each customer's T."""
        return BtydPrediction(
            self.orders.probability_no_order(history, horizon_days),
            self.orders.expected_orders(history, horizon_days),
            self.value.expected_value(history),
        )
