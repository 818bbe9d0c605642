"""Pareto/NBD: orders at a gamma rate, until a customer leaves at an unseen time of their own.

Schmittlein, Morrison and Colombo (1987), Counting Your Customers, Management Science 33(1);
expressions as in Fader and Hardie (2005), A Note on Deriving the Pareto/NBD Model
(brucehardie.com/notes/009).
"""

from typing import Literal

import numpy as np
import scipy as sp  # which imports `special`, a slow one, when first used
from pydantic import BaseModel, ConfigDict, PositiveFloat

from training.btyd.history import History, Vector
from training.btyd.likelihood import Objective, distinct, maximise, require_repeaters
from training.one_or_many import Number, choose

_STARTS = ((0.5, 0.3, 0.5, 0.3), (1.0, 1.0, 1.0, 1.0))
# Times beyond this many mean T change nothing but the levels of the continued fraction.
_MOST = 90
_STEP = 1e-7
_REACH = (0.5, 0.9, 0.99, 0.999, 0.9999)
_LEVELS = (24, 56, 176, 560, 1760)


class ParetoNbd(BaseModel):
    """Order rates are gamma(r, alpha), rates of leaving are gamma(s, beta).

    `alpha` and `beta` are times, in the unit of the history that was fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pareto_nbd"] = "pareto_nbd"
    r: PositiveFloat
    alpha: PositiveFloat
    s: PositiveFloat
    beta: PositiveFloat

    @classmethod
    def fit(cls, history: History) -> "ParetoNbd":
        """The maximum-likelihood model of `history`.

        Raises CannotFit with fewer than 50 customers, or 10 who have ordered again.
        """
        require_repeaters(history, "pareto_nbd")
        unit = float(history.T.mean())
        r, alpha, s, beta = maximise(
            lambda few: _objective(few, unit), history, _STARTS, "pareto_nbd", most=_MOST
        )
        return cls(r=r, alpha=alpha * unit, s=s, beta=beta * unit)

    def log_likelihood(self, history: History) -> Vector:
        """Log-likelihood of each customer's order times (note 009, eq. 17 and 18)."""
        x = history.frequency
        constant = (
            sp.special.gammaln(self.r + x)
            - sp.special.gammaln(self.r)
            + self.r * np.log(self.alpha)
            + self.s * np.log(self.beta)
        )
        alive, dead = self._log_parts(history)
        return np.asarray(constant + np.logaddexp(alive, dead))

    def probability_alive(self, history: History[Number]) -> Number:
        """Chance that the customer has not left by T; never a churn score by itself."""
        parts = self._log_parts(history)
        alive: Number = sp.special.expit(parts[0] - parts[1])
        return alive

    def probability_no_order(self, history: History[Number], horizon: float) -> Number:
        """Chance of no order within `horizon` after T.

        The likelihood of the same orders seen until T + horizon over that until T.
        """
        longer = History(
            history.frequency,
            history.recency,
            history.T + horizon,
            history.orders,
            history.mean_value,
        )
        seen = np.logaddexp(*self._log_parts(history))
        silent: Number = np.exp(np.logaddexp(*self._log_parts(longer)) - seen)
        return silent

    def expected_orders(self, history: History[Number], horizon: float) -> Number:
        """Expected order days within `horizon` after T (note 009, eq. 41), at s = 1 as well."""
        stretch = np.log1p(horizon / (self.beta + history.T))
        time = (self.beta + history.T) * stretch * sp.special.exprel((1 - self.s) * stretch)
        rate = (self.r + history.frequency) / (self.alpha + history.T)
        expected: Number = rate * time * self.probability_alive(history)
        return expected

    def draw_orders(
        self, rng: np.random.Generator, living: int, x: float, T: float, horizon: float
    ) -> Vector:
        """`living` draws of the order days within `horizon` of a customer alive at T.

        Exact: given that, the rates of ordering and of leaving are independent gammas.
        """
        rate = rng.gamma(self.r + x, size=living) / (self.alpha + T)
        # Left waiting for ever when the rate of leaving is drawn as 0.
        leaving = np.maximum(rng.gamma(self.s, size=living) / (self.beta + T), 1e-300)
        stays = np.minimum(rng.exponential(size=living) / leaving, horizon)
        return rng.poisson(rate * stays).astype(np.float64)

    def _log_parts(self, history: History[Number]) -> tuple[Number, Number]:
        return _log_parts(
            (self.r, self.alpha, self.s, self.beta),
            history.frequency,
            history.recency,
            history.T,
        )


def _log_parts(
    parameters: tuple[float, float, float, float], x: Number, recency: Number, T: Number
) -> tuple[Number, Number]:
    """Logs of the likelihood's two terms but for their common factor: alive at T, and left before.

    The second is the integral of s (alpha + t)^-(r + x) (beta + t)^-(s + 1) over t from recency
    to T, a difference of two antiderivatives.
    """
    r, alpha, s, beta = parameters
    alive: Number = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    later = _log_tail(parameters, x, recency)
    gap = np.minimum(_log_tail(parameters, x, T) - later, 0)
    with np.errstate(divide="ignore"):
        dead: Number = later + np.log(-np.expm1(gap))
    return alive, choose(recency < T, dead, -np.inf)


def _log_tail(parameters: tuple[float, float, float, float], x: Number, since: Number) -> Number:
    """Log of the integral from `since` on for ever (the terms of A0 in note 009, eq. 17 and 18).

    Euler's transformation takes the power out of the paper's 2F1 that overflows for large x.
    """
    r, alpha, s, beta = parameters
    total = r + s + x
    low, high = min(alpha, beta), max(alpha, beta)
    # The exponent left on `high`, the larger of the two times.
    rest = s + 1 if alpha <= beta else r + x
    tail: Number = (
        np.log(s / total)
        + (rest - total) * np.log(low + since)
        - rest * np.log(high + since)
        + np.log(gauss_fraction(rest, total, (high - low) / (high + since)))
    )
    return tail


def gauss_fraction(q: Vector | float, k: Vector | float, z: Vector | float) -> Vector:
    """2F1(1, q; k + 1; z) for 0 <= z < 1 and q <= k + 1, by Gauss's continued fraction.

    DLMF 15.7.1. Exact to the last digits up to z = 0.9999, where the two times differ ten
    thousandfold. Each row is cut by its own z: it has the same bits alone or among others.
    """
    q, k, z = np.broadcast_arrays(q, k, z)
    found = np.empty(z.shape)
    reach = np.minimum(np.searchsorted(_REACH, z), len(_REACH) - 1)
    for place in np.unique(reach):
        rows = reach == place
        found[rows] = _fraction(q[rows], k[rows], z[rows], _LEVELS[place])
    return found


def _fraction(q: Vector, k: Vector, z: Vector, levels: int) -> Vector:
    below = k + levels
    for level in range(levels, 0, -1):
        n, odd = divmod(level, 2)
        above = (q + n) * (k + n) if odd else n * (k - q + n)
        below = k + (level - 1) - above * z / below
    return k / below


def _objective(history: History, unit: float) -> Objective:
    """Mean log-likelihood in logs of (r, alpha, s, beta), times in `unit`, and its gradient.

    The gradient is by forward differences: 2F1 has no closed derivative in its parameters.
    """
    columns = (history.frequency, history.recency / unit, history.T / unit)
    (x, recency, T), share = distinct(*columns)
    values, level = np.unique(x, return_inverse=True)
    by_value = np.bincount(level, weights=share)

    def mean(logs: Vector) -> float:
        r, alpha, s, beta = (float(value) for value in np.exp(logs))
        counted = (by_value * sp.special.gammaln(r + values)).sum() - sp.special.gammaln(r)
        parts = _log_parts((r, alpha, s, beta), x, recency, T)
        timed = (share * np.logaddexp(*parts)).sum()
        return float(counted + r * logs[1] + s * logs[3] + timed)

    def objective(logs: Vector) -> tuple[float, Vector]:
        here = mean(logs)
        steps = _STEP * np.eye(len(logs))
        return here, np.array([(mean(logs + step) - here) / _STEP for step in steps])

    return objective
