"""BG/NBD and MBG/NBD: orders at a gamma rate, until a customer drops out after one of them.

BG/NBD: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science
24(2). MBG/NBD, where the first order can already be the last: Batislam, Denizel and Filiztekin
(2007), IJRM 24(3), and Hoppe and Wagner (2007), Marketing - Journal of Research and Management
3(2). The two differ only in how often a customer has had the chance to drop out: x times in
BG/NBD, x + 1 times in MBG/NBD.
"""

import functools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy as sp  # which imports `special`, a slow one, when first used
from pydantic import BaseModel, ConfigDict, PositiveFloat

from training.btyd.history import History, Vector
from training.btyd.likelihood import Objective, distinct, maximise, require_repeaters
from training.one_or_many import Number, choose

Kind = Literal["bg_nbd", "mbg_nbd"]

_STARTS = ((0.5, 0.3, 0.8, 2.5), (1.0, 1.0, 1.0, 1.0), (2.0, 0.1, 0.1, 2.0))
_NODES = 48
_BLOCK_ROWS = 20_000


class BetaGeometricNbd(BaseModel):
    """Order rates are gamma(r, alpha), dropout chances per order are beta(a, b).

    `alpha` is a time, in the unit of the history that was fitted; the others have no unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    r: PositiveFloat
    alpha: PositiveFloat
    a: PositiveFloat
    b: PositiveFloat

    @classmethod
    def fit(cls, history: History, kind: Kind = "mbg_nbd") -> "BetaGeometricNbd":
        """The maximum-likelihood model of `history`.

        Raises CannotFit with fewer than 50 customers, or 10 who have ordered again.
        """
        require_repeaters(history, kind)
        unit = float(history.T.mean())
        r, alpha, a, b = maximise(lambda few: _objective(few, kind, unit), history, _STARTS, kind)
        return cls(kind=kind, r=r, alpha=alpha * unit, a=a, b=b)

    def log_likelihood(self, history: History) -> Vector:
        """Log-likelihood of each customer's order times (FHL 2005, eq. 6)."""
        x = history.frequency
        alive = (
            sp.special.gammaln(self.r + x)
            - sp.special.gammaln(self.r)
            + self.r * np.log(self.alpha)
            - (self.r + x) * np.log(self.alpha + history.T)
            + sp.special.betaln(self.a, self.b + _chances(self.kind, x))
            - sp.special.betaln(self.a, self.b)
        )
        return np.asarray(alive + np.logaddexp(0, self._log_odds_dead(history)))

    def probability_alive(self, history: History[Number]) -> Number:
        """Chance that the last order was not the last for good; never a churn score by itself."""
        alive: Number = sp.special.expit(-self._log_odds_dead(history))
        return alive

    def probability_no_order(self, history: History[Number], horizon: float) -> Number:
        """Chance of no order within `horizon` after T.

        The likelihood of the same orders seen until T + horizon over that until T. For the dead
        it does not change; for the living the gamma rate sees `horizon` more time.
        """
        alive = self.probability_alive(history)
        r, T = self.r + history.frequency, self.alpha + history.T
        silent: Number = 1 + alive * np.expm1(-r * np.log1p(horizon / T))
        return silent

    def expected_orders(self, history: History[Number], horizon: float) -> Number:
        """Expected order days within `horizon` after T (FHL 2005, eq. 10).

        Given rate and chance p, a living customer places (1 - exp(-rate p horizon)) / p orders.
        Its mean over the rate is in closed form, that over p by Gauss-Jacobi quadrature: unlike
        the paper's 2F1 it holds at a = 1 and for large x; relative error is below 1e-6 while
        x horizon / T is below 5,000, which order days can only pass over years.
        """
        chances = _chances(self.kind, history.frequency)
        r, z = self.r + history.frequency, horizon / (self.alpha + history.T)
        living: Any
        if isinstance(chances, float):
            living = float(_placed(*_orders_rule(self.a, self.b + chances), r, z))
        else:
            living = self._placed_by_many(chances, r, z)
        expected: Number = self.probability_alive(history) * living
        return expected

    def _placed_by_many(self, chances: Vector, r: Vector, z: Vector) -> Vector:
        """`_placed` of each customer."""
        different, level = np.unique(chances, return_inverse=True)
        rules = [_orders_rule(self.a, self.b + chance) for chance in different.tolist()]
        nodes, weights = np.array(rules).reshape(-1, 2, _NODES).swapaxes(0, 1)
        placed = np.empty(len(chances))
        for rows in _blocks(len(chances)):
            some = level[rows]
            placed[rows] = _placed(nodes[some], weights[some], r[rows, None], z[rows, None])
        return placed

    def draw_orders(
        self, rng: np.random.Generator, living: int, x: float, T: float, horizon: float
    ) -> Vector:
        """`living` draws of the order days within `horizon` of a customer alive at T.

        Exact: given that, rate and dropout chance are independent, gamma and beta; orders stop
        at the first that drops the customer out, or with the horizon.
        """
        rate = rng.gamma(self.r + x, size=living) / (self.alpha + T)
        # A chance below the smallest number is drawn as 0, which has no geometric.
        chance = np.maximum(rng.beta(self.a, self.b + _chances(self.kind, x), living), 1e-300)
        placed = np.minimum(rng.poisson(rate * horizon), rng.geometric(chance))
        return placed.astype(np.float64)

    def _log_odds_dead(self, history: History[Number]) -> Number:
        x = history.frequency
        stretch: Number = np.log((self.alpha + history.T) / (self.alpha + history.recency))
        parameters = (self.r, self.alpha, self.a, self.b)
        return _log_odds_dead(parameters, x, _chances(self.kind, x), stretch)


def _chances(kind: Kind, frequency: Number) -> Number:
    """Orders after which the customer could have dropped out."""
    return frequency + 1 if kind == "mbg_nbd" else frequency


def _placed(nodes: Vector, weights: Vector, r: Vector | float, z: Vector | float) -> Vector:
    """Order days placed by the living, the mean over the chance p (the last axis).

    `nodes` and `weights` are an `_orders_rule`, `z` is the horizon over alpha + T, `r` that of
    the rate's gamma.
    """
    placed: Vector = np.vecdot(np.expm1(-r * np.log1p(nodes * z)), weights)
    return placed


def _log_odds_dead(
    parameters: tuple[float, float, float, float], x: Number, chances: Number, stretch: Number
) -> Number:
    """Log odds that the last order was the last; -inf where there was no chance to drop out.

    `stretch` is ln((alpha + T) / (alpha + t_x)).
    """
    r, _, a, b = parameters
    could = chances > 0
    odds: Number = np.log(a / choose(could, b + chances - 1, 1.0)) + (r + x) * stretch
    return choose(could, odds, -np.inf)


class _Rows(NamedTuple):
    """The different histories of a fit, and the different frequencies among them."""

    x: Vector
    recency: Vector
    T: Vector
    share: Vector
    chances: Vector
    values: Vector
    share_of_value: Vector
    chances_of_value: Vector


def _objective(history: History, kind: Kind, unit: float) -> Objective:
    """Mean log-likelihood in logs of (r, alpha, a, b), times in `unit`, and its gradient."""
    columns = (history.frequency, history.recency / unit, history.T / unit)
    (x, recency, T), share = distinct(*columns)
    values, level = np.unique(x, return_inverse=True)
    by_value = np.bincount(level, weights=share).astype(np.float64)
    rows = _Rows(x, recency, T, share, _chances(kind, x), values, by_value, _chances(kind, values))
    return lambda logs: (_mean(rows, logs), _slope(rows, logs))


def _mean(rows: _Rows, logs: Vector) -> float:
    r, alpha, a, b = np.exp(logs)
    seen = alpha + rows.T
    stretch = np.log(seen / (alpha + rows.recency))
    odds = _log_odds_dead((r, alpha, a, b), rows.x, rows.chances, stretch)
    counted = sp.special.gammaln(r + rows.values) + sp.special.betaln(a, b + rows.chances_of_value)
    timed = np.logaddexp(0, odds) - (r + rows.x) * np.log(seen)
    # Plain sums: a threaded dot product spins on a busy machine and rounds by its threads.
    return float(
        (rows.share_of_value * counted).sum()
        + (rows.share * timed).sum()
        + r * logs[1]
        - sp.special.gammaln(r)
        - sp.special.betaln(a, b)
    )


def _slope(rows: _Rows, logs: Vector) -> Vector:
    r, alpha, a, b = np.exp(logs)
    seen, last = alpha + rows.T, alpha + rows.recency
    stretch = np.log(seen / last)
    dead = sp.special.expit(_log_odds_dead((r, alpha, a, b), rows.x, rows.chances, stretch))
    chances = rows.chances_of_value
    by_rate = sp.special.psi(r + rows.values) - sp.special.psi(r)
    either = (rows.share_of_value * (sp.special.psi(a + b) - sp.special.psi(a + b + chances))).sum()
    stayed = (rows.share_of_value * (sp.special.psi(b + chances) - sp.special.psi(b))).sum()
    left = dead / np.where(rows.chances > 0, b + rows.chances - 1, 1)
    waited = (r + rows.x) * (dead * (1 / seen - 1 / last) - 1 / seen)
    slope = [
        (rows.share_of_value * by_rate).sum()
        + (rows.share * (dead * stretch - np.log(seen))).sum()
        + logs[1],
        r / alpha + (rows.share * waited).sum(),
        either + (rows.share * dead).sum() / a,
        either + stayed - (rows.share * left).sum(),
    ]
    return np.asarray(np.array(slope) * [r, alpha, a, b])


@functools.lru_cache(maxsize=4096)
def _orders_rule(a: float, b: float) -> tuple[Vector, Vector]:
    """The chances p of `beta_quadrature`, and their weights over -p.

    Kept, as customers share few numbers of orders and one request holds a single one.
    """
    nodes, weights = beta_quadrature(a, b)
    return nodes, -weights / nodes


def beta_quadrature(a: float, b: float) -> tuple[Vector, Vector]:
    """Nodes and weights of the mean of a function of beta(a, b): 48 of each.

    Gauss-Jacobi by the eigenvalues of the recurrence matrix (Golub and Welsch 1969).
    """
    k = np.arange(1, _NODES)
    total = a + b - 2
    middle = np.empty(_NODES)
    middle[0] = (a - b) / (a + b)
    middle[1:] = (a - b) * total / ((2 * k + total) * (2 * k + total + 2))
    beside = np.empty(_NODES - 1)
    beside[0] = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    k = k[1:]
    beside[1:] = (4 * k * (k + b - 1) * (k + a - 1) * (k + total)) / (
        (2 * k + total) ** 2 * ((2 * k + total) ** 2 - 1)
    )
    matrix = np.diag((1 + middle) / 2) + np.diag(np.sqrt(beside) / 2, -1)
    nodes, vectors = np.linalg.eigh(matrix)
    return np.clip(nodes, 1e-300, 1.0), vectors[0] ** 2


def _blocks(rows: int) -> Iterator[slice]:
    """Slices that keep rows x nodes within the cache's reach."""
    return (slice(start, start + _BLOCK_ROWS) for start in range(0, rows, _BLOCK_ROWS))
