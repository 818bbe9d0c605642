"""Orders and order value together: what each customer will spend within a horizon."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.gamma_gamma import GammaGamma
from training.btyd.history import History, Vector
from training.btyd.pareto_nbd import ParetoNbd

Kind = Literal["mbg_nbd", "bg_nbd", "pareto_nbd"]


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

    orders: Annotated[BetaGeometricNbd | ParetoNbd, Field(discriminator="kind")]
    value: GammaGamma

    @classmethod
    def fit(cls, history: History, kind: Kind = "mbg_nbd") -> "Btyd":
        """Both maximum-likelihood models of `history`, times in days.

        Raises CannotFit as the two do.
        """
        value = GammaGamma.fit(history)
        if kind == "pareto_nbd":
            return cls(orders=ParetoNbd.fit(history), value=value)
        return cls(orders=BetaGeometricNbd.fit(history, kind), value=value)

    def predict(self, history: History, horizon_days: float) -> BtydPrediction:
        """Predictions for the `horizon_days` after each customer's T."""
        return BtydPrediction(
            self.orders.probability_no_order(history, horizon_days),
            self.orders.expected_orders(history, horizon_days),
            self.value.expected_value(history),
        )
