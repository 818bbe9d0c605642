"""What lies behind a metric, for tables and pictures: reliability, gains, deciles, coverage."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.metrics import BINS, TOP_SHARE, Vector, bins


@dataclass(frozen=True)
class Bin:
    """Rows with neighbouring predictions: how many, what was said and what happened, on average."""

    rows: int
    predicted: float
    actual: float


@dataclass(frozen=True)
class Gains:
    """Share of churners found (`found`) among the riskiest share of customers (`contacted`)."""

    contacted: Vector
    found: Vector


@dataclass(frozen=True)
class Coverage:
    """Share of rows whose actual value lies inside the interval; NaN over no rows."""

    overall: float
    buyers: float
    """Among those whose actual value is above zero."""
    top_decile: float
    """Among the tenth with the highest predicted value."""
    median_width: float
    """Half of the intervals are narrower, in the currency."""


def reliability(actual: Vector, predicted: Vector) -> list[Bin]:
    """Ten bins of equally many rows, lowest prediction first; equal predictions share a bin.

    For propensities it shows calibration, for values the deciles of CLV.
    """
    place = bins(predicted)
    return [
        Bin(int(mask.sum()), float(predicted[mask].mean()), float(actual[mask].mean()))
        for mask in (place == number for number in range(BINS))
        if mask.any()
    ]


def gains(actual: Vector, predicted: Vector) -> Gains:
    """The gains curve, from (0, 0) to (1, 1), one point for each different prediction.

    Raises nothing: without a churner `found` is NaN after the first point.
    """
    order = np.argsort(-predicted, kind="stable")
    last_of_tie = np.append(np.diff(predicted[order]) != 0, True)
    found = np.cumsum(actual[order])
    total = found[-1] if found[-1] > 0 else np.nan
    contacted = np.arange(1, len(actual) + 1) / len(actual)
    return Gains(np.append(0.0, contacted[last_of_tie]), np.append(0.0, found[last_of_tie] / total))


def coverage(actual: Vector, predicted: Vector, low: Vector, high: Vector) -> Coverage:
    """How often `[low, high]` held the actual value; ends count as inside."""
    inside = (low <= actual) & (actual <= high)
    edge = np.quantile(predicted, 1 - TOP_SHARE)
    return Coverage(
        overall=_share(inside, np.ones(len(actual), dtype=bool)),
        buyers=_share(inside, actual > 0),
        top_decile=_share(inside, predicted >= edge),
        median_width=float(np.median(high - low)),
    )


def _share(inside: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    return float(inside[among].mean()) if among.any() else float("nan")
