"""CDNOW as the papers see it: all 23,570 customers, and the sample of 2,357 they publish on."""

import functools
import gzip
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.shared_data import shared_data
from training.btyd.history import History, order_history

AFTER_WEEK_39 = np.datetime64("1997-10-01")
# The sample follows no rule of the ids, so their gaps are kept here; no purchase is.
_SAMPLE_GAPS = Path(__file__).with_name("cdnow_sample_gaps.txt")


@dataclass(frozen=True)
class Purchases:
    customer: npt.NDArray[np.int64]
    day: npt.NDArray[np.datetime64]
    value: npt.NDArray[np.float64]

    def rows(self, mask: npt.NDArray[np.bool_]) -> "Purchases":
        return Purchases(self.customer[mask], self.day[mask], self.value[mask])

    def history(self, cutoff: np.datetime64) -> tuple[npt.NDArray[Any], History]:
        return order_history(self.customer, self.day, self.value, cutoff)


@functools.cache
def all_purchases() -> Purchases:
    packed = shared_data("cdnow/CDNOW_master.txt.gz").read_bytes()
    rows = [line.split() for line in gzip.decompress(packed).decode().splitlines()[1:]]
    days = [f"{row[1][:4]}-{row[1][4:6]}-{row[1][6:]}" for row in rows]
    return Purchases(
        np.array([int(row[0]) for row in rows]),
        np.array(days, dtype="datetime64[D]"),
        np.array([float(row[3]) for row in rows]),
    )


@functools.cache
def sample_purchases() -> Purchases:
    purchases = all_purchases()
    customers = np.cumsum([int(gap) for gap in _SAMPLE_GAPS.read_text().split()])
    return purchases.rows(np.isin(purchases.customer, customers))


def sample_weeks() -> History:
    """The papers' calibration: 39 weeks, until 30 September, in weeks."""
    customers, history = sample_purchases().history(AFTER_WEEK_39)
    assert len(customers) == 2357
    return replace(history, recency=history.recency / 7, T=history.T / 7)


def sample_repeat_values() -> History:
    """The sample with orders and mean value of the repeat order days only, as note 025 has them."""
    purchases = sample_purchases()
    customers, history = purchases.history(AFTER_WEEK_39)
    place = np.searchsorted(customers, purchases.customer)
    first_day = AFTER_WEEK_39 - (history.T[place] + 1).astype("timedelta64[D]")
    on_first = purchases.value * (purchases.day == first_day)
    first_value = np.bincount(place, weights=on_first)
    repeat = history.mean_value * history.orders - first_value
    return replace(
        history, orders=history.frequency, mean_value=repeat / np.maximum(history.frequency, 1)
    )
