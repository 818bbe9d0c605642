"""What the models know of each customer at a cutoff: how often, how lately, how long, how much."""

import math
from dataclasses import dataclass, fields
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from training.one_or_many import Number

Vector = npt.NDArray[np.float64]


class HistoryError(ValueError):
    """A history that cannot be; the message names the first customer and the value."""


@dataclass(frozen=True)
class History(Generic[Number]):
    """One row a customer with at least one order day; times in one unit, the day unless said.

    Arrays of as many customers, or floats for one; what is asked of it comes back alike.
    """

    frequency: Number
    """Order days after the first one (x)."""
    recency: Number
    """First to last order day (t_x); 0 where `frequency` is 0."""
    T: Number
    """First order day to the last day before the cutoff: the time in which to order again."""
    orders: Number
    """Order days that `mean_value` is the mean of."""
    mean_value: Number
    """Mean value of an order day, in one currency; 0 or less counts as unknown."""

    def __post_init__(self) -> None:
        if not isinstance(self.frequency, float):
            self._make_arrays()
        finite = abs(self.frequency + self.T + self.orders + self.mean_value) < math.inf
        possible = (self.recency >= 0) & (self.recency <= self.T)
        possible &= (self.recency == 0) | (self.frequency > 0)
        good = finite & possible & (self.frequency >= 0) & (self.orders >= 0)
        if not (good.all() if isinstance(good, np.ndarray) else good):
            self._refuse_first(possible)

    def _make_arrays(self) -> None:
        for name in _COLUMNS:
            values = np.atleast_1d(np.asarray(getattr(self, name), dtype=np.float64))
            object.__setattr__(self, name, values)
        shapes = {name: getattr(self, name).shape for name in _COLUMNS}
        if len(set(shapes.values())) > 1 or len(shapes["frequency"]) != 1:
            raise HistoryError(f"one value a customer is needed in each array, got {shapes}")

    def _refuse_first(self, possible: Any) -> None:
        for name in _COLUMNS:
            _refuse(name, getattr(self, name), np.isfinite(getattr(self, name)))
        _refuse("frequency", self.frequency, self.frequency >= 0)
        _refuse("orders", self.orders, self.orders >= 0)
        _refuse("recency", self.recency, possible)

    def __len__(self) -> int:
        return np.size(self.frequency)

    def rows(self: "History", mask: Any) -> "History":
        """The customers that `mask` (booleans, positions or a slice) picks, in its order."""
        return History(*(getattr(self, name)[mask] for name in _COLUMNS))


_COLUMNS = tuple(field.name for field in fields(History))


def _refuse(name: str, values: Any, good: Any) -> None:
    if np.all(good):
        return
    place = int(np.argmin(good))
    found = np.atleast_1d(values)[place]
    raise HistoryError(
        f"{name} of customer {place} (counted from 0) is {found:g}; a history has finite "
        "numbers, frequency >= 0, 0 <= recency <= T, and recency 0 after a single order"
    )


def order_history(
    customer_id: npt.NDArray[Any],
    day: npt.NDArray[Any],
    value: npt.NDArray[Any],
    cutoff: Any,
) -> tuple[npt.NDArray[Any], History]:
    """The customers who ordered before `cutoff`, sorted, and their histories in days.

    One row an order in any order; `day` and `cutoff` are datetime64[D] or whole numbers. Orders
    of one day are one order day, and those at or after the cutoff are not known. T ends with the
    last day before the cutoff, as in the papers: who first ordered that day has had no day yet.
    """
    known = day < cutoff
    who, place = np.unique(customer_id[known], return_inverse=True)
    days = (day[known] - cutoff) // _one(day)
    total = np.bincount(place, weights=value[known], minlength=len(who))
    order_days = np.unique(np.stack([place, days.astype(np.int64)]), axis=1)
    starts = np.flatnonzero(np.diff(order_days[0], prepend=-1))
    orders = np.diff(starts, append=order_days.shape[1])
    first, last = order_days[1][starts], order_days[1][starts + orders - 1]
    return who, History(orders - 1, last - first, -1 - first, orders, total / orders)


def _one(day: npt.NDArray[Any]) -> Any:
    return np.timedelta64(1, "D") if day.dtype.kind == "M" else 1
