"""What lies behind a metric, for tables and pictures: reliability, gains, deciles, coverage."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.metrics import BINS, TOP_SHARE, Vector, bins

Mask = npt.NDArray[np.bool_]

_NORMAL = 1.959964


@dataclass(frozen=True)
class Bin:
    """Rows with neighbouring predictions: what was said and what happened, on average."""

    rows: int
    predicted: float
    actual: float
    low: float
    """Lower end of the 95 % interval of `actual`, from chance in these rows alone."""
    high: float

    @property
    def surprising(self) -> bool:
        """Whether what was said lies outside the interval of what happened."""
        return not self.low <= self.predicted <= self.high


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
    deciles: tuple[Bin, ...] = ()
    """By predicted value, lowest first: mean prediction, and share covered with its interval."""


def reliability(churned: Vector, propensity: Vector) -> list[Bin]:
    """Ten bins of equally many rows, lowest propensity first; equal propensities share a bin.

    The interval of a bin's churn rate is Wilson's.
    """
    return [share_bin(churned[mask], propensity[mask]) for mask in _deciles(propensity)]


def value_deciles(value: Vector, predicted: Vector) -> list[Bin]:
    """Ten bins of equally many rows, lowest prediction first; the interval is a mean's normal."""
    return [_mean_bin(value[mask], predicted[mask]) for mask in _deciles(predicted)]


def share_bin(happened: Vector | Mask, predicted: Vector) -> Bin:
    """One bin of rows of which a share happened, with Wilson's 95 % interval of that share."""
    rows, share = len(happened), float(np.mean(happened))
    spread = _NORMAL**2 / rows
    centre = (share + spread / 2) / (1 + spread)
    half = _NORMAL / (1 + spread) * np.sqrt(share * (1 - share) / rows + spread / (4 * rows))
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Bin(rows, float(predicted.mean()), share, float(low), float(high))


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
        deciles=tuple(share_bin(inside[mask], predicted[mask]) for mask in _deciles(predicted)),
    )


def _deciles(predicted: Vector) -> list[Mask]:
    """The rows of each bin that holds any, lowest prediction first."""
    place = bins(predicted)
    return [mask for mask in (place == number for number in range(BINS)) if mask.any()]


def _mean_bin(actual: Vector, predicted: Vector) -> Bin:
    rows, mean = len(actual), float(actual.mean())
    half = _NORMAL * float(actual.std(ddof=1)) / np.sqrt(rows) if rows > 1 else float("inf")
    return Bin(rows, float(predicted.mean()), mean, mean - half, mean + half)


def _share(inside: Mask, among: Mask) -> float:
    return float(inside[among].mean()) if among.any() else float("nan")
