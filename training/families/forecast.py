"""What BTYD forecasts of each feature row, on the link scale on which other members build."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from features.feature_contract import Matrix
from training.btyd.composite import Btyd
from training.btyd.history import History
from training.families.glm import Objective, Vector
from training.one_or_many import Number, bounded

INPUTS = ("orders_frequency", "orders_recency", "orders_T", "orders_value_mean")
"""The features that hold a customer's history: x, t_x, T and the mean value of an order day."""

_EXPLAINED = ("orders_days_since_last", "orders_frequency", "orders_T")
_SURE = 1e-6
_LEAST_ORDERS = 1e-6
_LEAST_SHARE = 1e-4


class Forecast(BaseModel):
    """A fitted BTYD model, asked for one quantity over the horizon learned from and the one wanted.

    The two horizons differ only where the history is too short for labels of the wanted one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    btyd: Btyd
    objective: Objective
    learned_days: int
    horizon_days: int
    unit: float = 1.0
    """Currency per unit of value; net contribution per gross amount is in it."""
    typical: tuple[float, float, float]
    """Days since last, frequency and T of a typical customer, against whom it is explained."""

    def offsets(self, X: Matrix, names: Sequence[str]) -> tuple[Vector, Vector]:
        """Log odds or log mean of each row over the learned and over the wanted horizon."""
        return self.offsets_of(history_of(X, names))

    def offsets_of(self, history: History[Number]) -> tuple[Number, Number]:
        """The same of histories that are read already."""
        learned = self._link(history, self.learned_days)
        if self.learned_days == self.horizon_days:
            return learned, learned
        return learned, self._link(history, self.horizon_days)

    def explained(self, X: Matrix, names: Sequence[str]) -> tuple[Matrix, Matrix]:
        """What recency, frequency and T add to both offsets against a typical customer.

        Exact Shapley values of three players (Shapley 1953), rows x features each.
        """
        learned = self._explained(X, names, self.learned_days)
        if self.learned_days == self.horizon_days:
            return learned, learned
        return learned, self._explained(X, names, self.horizon_days)

    def _explained(self, X: Matrix, names: Sequence[str], days: int) -> Matrix:
        history = history_of(X, names)
        own = (history.T - history.recency, history.frequency, history.T)
        value = {who: self._mixed(own, who, days) for who in range(8)}
        added = np.zeros(X.shape)
        for player, name in enumerate(_EXPLAINED):
            if name in names:
                added[:, names.index(name)] = _shapley(value, player)
        return added

    def _mixed(self, own: tuple[Vector, Vector, Vector], who: int, days: int) -> Vector:
        """The link of customers who are themselves in the players of `who`, else typical."""
        since, frequency, T = (
            own[player] if who >> player & 1 else np.full(len(own[0]), self.typical[player])
            for player in range(3)
        )
        T = np.maximum(T, since)
        recency = np.where(frequency > 0, T - since, 0.0)
        one = np.ones(len(T))
        return self._link(History(frequency, recency, T, one, one), days)

    def _link(self, history: History[Number], days: int) -> Number:
        link: Number
        if self.objective == "binary":
            silent: Number = self.btyd.orders.probability_no_order(history, days)
            silent = bounded(silent, _SURE, 1.0 - _SURE)
            link = np.log(silent) - np.log1p(-silent)
            return link
        mean = bounded(self.btyd.orders.expected_orders(history, days), _LEAST_ORDERS)
        if self.objective == "tweedie":
            spend = mean * self.btyd.value.expected_value(history) / self.unit
            mean = bounded(spend, _LEAST_SHARE)
        link = np.log(mean)
        return link


@dataclass(frozen=True)
class Standpoint:
    """Everything known at one cutoff without labels: who is asked about, and how all order."""

    X: Matrix
    """Features of the customers asked about, rows x features."""
    btyd: Btyd
    """Fitted to every customer who had ordered by then."""
    net_share: float
    """Net contribution per gross amount so far; above 0."""


def can_forecast(names: Sequence[str]) -> bool:
    """Whether the features hold the history of orders."""
    return all(name in names for name in INPUTS)


def history_of(X: Matrix, names: Sequence[str]) -> History:
    """The histories that feature rows hold; a customer without orders counts as new today.

    As in the papers, a history ends with the day before the cutoff, so T is a day less than the
    days since the first order.
    """
    known = X[:, [names.index(name) for name in INPUTS]].T
    return history_from(*np.where(np.isfinite(known), known, 0.0))


def history_from(
    frequency: Number, recency: Number, since_first: Number, mean_value: Number
) -> History[Number]:
    """The history of what INPUTS are, where they are known; else 0."""
    T = bounded(since_first - 1.0, recency)
    return History(frequency, recency, T, frequency + 1.0, mean_value)


def typical_customer(X: Matrix, names: Sequence[str]) -> tuple[float, float, float]:
    """Median days since last, frequency and T of the rows."""
    history = history_of(X, names)
    columns = (history.T - history.recency, history.frequency, history.T)
    since, frequency, T = (float(np.median(column)) for column in columns)
    return since, frequency, T


def _shapley(value: dict[int, Vector], player: int) -> Vector:
    """The mean of what `player` adds, over the orders in which three players may come in."""
    bit, first, second = 1 << player, *(1 << other for other in range(3) if other != player)
    alone = value[bit] - value[0]
    after_one = value[bit | first] - value[first] + value[bit | second] - value[second]
    last = value[7] - value[first | second]
    return np.asarray((2.0 * alone + after_one + 2.0 * last) / 6.0)
