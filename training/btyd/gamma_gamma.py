"""Gamma-Gamma: what an order of each customer is worth, between the customer's mean and all's.

Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value (brucehardie.com/notes/025).
"""

from typing import Any, NamedTuple

import numpy as np
import scipy as sp  # which imports `special`, a slow one, when first used
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

from training.btyd.history import History, Vector
from training.btyd.likelihood import FEWEST_CUSTOMERS, CannotFit, Objective, maximise
from training.one_or_many import Number, choose

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
        shape = self.p * n
        found[known] = (
            sp.special.gammaln(shape + self.q)
            - sp.special.gammaln(shape)
            - sp.special.gammaln(self.q)
            + self.q * np.log(self.gamma)
            + (shape - 1) * np.log(z)
            + shape * np.log(n)
            - (shape + self.q) * np.log(self.gamma + n * z)
        )
        return found

    def posterior(self, history: History[Number]) -> tuple[Number, Number]:
        """Shape and rate of the gamma that nu follows given the known values (eq. 4)."""
        n = choose(_known(history), history.orders, 0.0)
        return self.p * n + self.q, self.gamma + n * history.mean_value

    def expected_value(self, history: History[Number]) -> Number:
        """Expected value of one order of each customer (eq. 5); all's mean where not known."""
        shape, rate = self.posterior(history)
        return self.p * rate / (shape - 1)


def _known(history: History[Number]) -> Any:
    """Whether the customer's mean value is known."""
    return (history.orders > 0) & (history.mean_value > 0)


class _Rows(NamedTuple):
    """What the customers of a fit have spent, and the different numbers of orders among them."""

    n: Vector
    spent: Vector
    log_spent: Vector
    values: Vector
    share_of_value: Vector


def _objective(known: History, unit: float) -> Objective:
    """Mean log-likelihood in logs of (p, q - 1, gamma), values in `unit`, and its gradient."""
    spent = known.orders * known.mean_value / unit
    values, counts = np.unique(known.orders, return_counts=True)
    rows = _Rows(known.orders, spent, np.log(spent), values, counts / len(known))
    return lambda logs: (_mean(rows, logs), _slope(rows, logs))


def _mean(rows: _Rows, logs: Vector) -> float:
    """Eq. 1a in logs, its mean over customers, with gamma functions once a number of orders."""
    p, q_less_one, gamma = np.exp(logs)
    shape, q = p * rows.values, 1 + q_less_one
    counted = sp.special.gammaln(shape + q) - sp.special.gammaln(shape)
    total = np.log(gamma + rows.spent)
    spent = p * rows.n * (rows.log_spent - total) - q * total - rows.log_spent + np.log(rows.n)
    return float(
        (rows.share_of_value * counted).sum() - sp.special.gammaln(q) + q * logs[2] + spent.mean()
    )


def _slope(rows: _Rows, logs: Vector) -> Vector:
    p, q_less_one, gamma = np.exp(logs)
    shape, q = p * rows.values, 1 + q_less_one
    total, both = np.log(gamma + rows.spent), sp.special.psi(shape + q)
    counted = rows.values * (both - sp.special.psi(shape))
    slope = [
        (rows.share_of_value * counted).sum() + (rows.n * (rows.log_spent - total)).mean(),
        (rows.share_of_value * both).sum() - sp.special.psi(q) + logs[2] - total.mean(),
        q / gamma - ((p * rows.n + q) / (gamma + rows.spent)).mean(),
    ]
    return np.asarray(np.array(slope) * [p, q_less_one, gamma])
