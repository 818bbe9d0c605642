"""How a churn model does in each segment of customers, and where it harms one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from features.catalogue import feature_named
from training import metrics
from training.dataset import Dataset, Vector
from training.judging.comparison import CHAMPION, MODEL, Estimate, compare
from training.judging.curves import Bin, Mask, share_bin
from training.metrics import measure

FEWEST_JUDGED = 200
_FEWEST_SHOWN = 50
_FAMILY_LEVEL = 0.05
_JUDGED_BY = {"auc": metrics.roc_auc, "brier": metrics.brier}
_INTERVAL_WIDTH = 2 * float(norm.isf(0.025))
"""Of a normal 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Segment:
    """Test customers who share one value of a category of the customers table."""

    name: str
    """The category in words and its value: `Region: north`."""
    calibration: Bin
    auc: float
    """NaN when all of them churned or all stayed."""
    brier: float
    gains: tuple[Estimate, ...] = ()
    """How much better than the champion it is on AUC and on Brier, when that was asked."""
    harmed: bool = False
    """Whether it is significantly worse off than under the champion on either."""


def judge_segments(
    test: Dataset,
    churned: Vector,
    propensity: Vector,
    champion: Vector | None,
    *,
    draws: int,
    seed: int,
) -> tuple[Segment, ...]:
    """Every segment of at least 50 test rows, in the contract's order.

    Harm is asked of segments of at least 200 rows: the paired bootstrap difference from the
    champion, at 5 % over all segments and both metrics together (Bonferroni).
    """
    named = list(_segments(test))
    judged = sum(int(mask.sum()) >= FEWEST_JUDGED for _, mask in named)
    errors = float(norm.isf(_FAMILY_LEVEL / max(1, len(_JUDGED_BY) * judged)))
    found = []
    for name, mask in named:
        told = Segment(
            name,
            share_bin(churned[mask], propensity[mask]),
            measure(metrics.roc_auc, churned[mask], propensity[mask]),
            measure(metrics.brier, churned[mask], propensity[mask]),
        )
        if champion is not None and told.calibration.rows >= FEWEST_JUDGED:
            both = {MODEL: propensity[mask], CHAMPION: champion[mask]}
            gains = _gains(churned[mask], both, test.customer_id[mask], draws, seed)
            harmed = any(_surely_negative(gain, errors) for gain in gains)
            told = Segment(name, told.calibration, told.auc, told.brier, gains, harmed)
        found.append(told)
    return tuple(found)


def _segments(test: Dataset) -> Iterator[tuple[str, Mask]]:
    """Each value of each category of the customers table that holds neither few rows nor all."""
    for position, column in enumerate(test.contract.columns):
        if column.kind != "category" or feature_named(column.name).source != "customers":
            continue
        for code, category in enumerate(column.categories):
            mask = test.X[:, position] == code
            if _FEWEST_SHOWN <= mask.sum() < len(test):
                yield f"{feature_named(column.name).meaning}: {category}", mask


def _gains(
    churned: Vector,
    predictions: dict[str, Vector],
    customer_id: npt.NDArray[np.str_],
    draws: int,
    seed: int,
) -> tuple[Estimate, ...]:
    comparison = compare(_JUDGED_BY, churned, predictions, customer_id, draws=draws, seed=seed)
    return tuple(comparison.gain(CHAMPION, metric) for metric in _JUDGED_BY)


def _surely_negative(gain: Estimate, errors: float) -> bool:
    """Whether the gain lies more than `errors` standard errors below zero."""
    standard_error = (gain.high - gain.low) / _INTERVAL_WIDTH
    return bool(gain.point + errors * standard_error < 0)
