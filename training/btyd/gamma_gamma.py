"""Gamma-Gamma: what an order of each customer is worth, between the customer's mean and all's.

Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value (brucehardie.com/notes/025).
"""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat
from scipy.special import gammaln, psi

from training.btyd.history import History, Vector
from training.btyd.likelihood import FEWEST_CUSTOMERS, CannotFit, Objective, maximise

_STARTS = ((2.0, 2.0, 1.0), (6.0, 3.0, 0.5), (0.5, 1.0, 4.0))


class GammaGamma(BaseModel):
    """Order values are gamma(p, nu), and nu is gamma(q, gamma) over customers.

    `gamma` is money, in the currency of the history that was fitted. `q` is above 1, so that the
    mean order value over customers exists.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    p: PositiveFloat
    q: float = Field(gt=1)
    gamma: PositiveFloat

    @classmethod
    def fit(cls, history: History) -> "GammaGamma":
        """The maximum-likelihood model of the customers whose mean value is above 0.

        With `orders` and `mean_value` over all order days, first ones included, as
        `order_history` gives them, one-time buyers count too; the paper takes repeat orders only.

        Raises CannotFit with fewer than 50 customers of positive value.
        """
        known = history.rows(_known(history))
        if len(known) < FEWEST_CUSTOMERS:
            raise CannotFit(
                f"gamma_gamma: {len(known)} customers have a mean order value above 0; at least "
                f"{FEWEST_CUSTOMERS} are needed: check the order amounts"
            )
        unit = float(np.median(known.mean_value))
        p, q_less_one, gamma = maximise(
            lambda few: _objective(few, unit), known, _STARTS, "gamma_gamma"
        )
        return cls(p=p, q=1 + q_less_one, gamma=gamma * unit)

    def log_likelihood(self, history: History) -> Vector:
        """Log-density of each customer's mean value (eq. 1a); 0 where it is not known."""
        known = _known(history)
        found = np.zeros(len(history))
        n, z = history.orders[known], history.mean_value[known]
        found[known] = _log_density(self.p, self.q, self.gamma, n, z)
        return found

    def posterior(self, history: History) -> tuple[Vector, Vector]:
        """Shape and rate of the gamma that nu follows given the known values (eq. 4)."""
        n = np.where(_known(history), history.orders, 0)
        return self.p * n + self.q, self.gamma + n * history.mean_value

    def expected_value(self, history: History) -> Vector:
        """Expected value of one order of each customer (eq. 5); all's mean where not known."""
        shape, rate = self.posterior(history)
        return np.asarray(self.p * rate / (shape - 1))


def _known(history: History) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (history.orders > 0) & (history.mean_value > 0)


def _log_density(p: float, q: float, gamma: float, n: Vector, z: Vector) -> Vector:
    """Eq. 1a, in logs."""
    return np.asarray(
        gammaln(p * n + q)
        - gammaln(p * n)
        - gammaln(q)
        + q * np.log(gamma)
        + (p * n - 1) * np.log(z)
        + p * n * np.log(n)
        - (p * n + q) * np.log(gamma + n * z)
    )


def _objective(known: History, unit: float) -> Objective:
    """Mean log-likelihood in logs of (p, q - 1, gamma), values in `unit`, and its gradient."""
    n, z = known.orders, known.mean_value / unit

    def objective(logs: Vector) -> tuple[float, Vector]:
        p, q_less_one, gamma = np.exp(logs)
        q = 1 + q_less_one
        value = _log_density(p, q, gamma, n, z).mean()
        share, together = np.log(n * z / (gamma + n * z)), psi(p * n + q)
        gradient = [
            (n * (together - psi(p * n) + share)).mean(),
            (together - psi(q) + logs[2] - np.log(gamma + n * z)).mean(),
            (q / gamma - (p * n + q) / (gamma + n * z)).mean(),
        ]
        return float(value), np.array(gradient) * np.exp(logs)

    return objective
