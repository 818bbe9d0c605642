"""Time-aware folds for tuning: earlier cutoffs teach a later one that no teaching label reaches."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from features.windows import local_day, shift_days
from training.dataset import CannotTrain, Dataset
from training.families.boosting import FOLDS, customer_folds
from training.rows import cutoffs_of

_MOST_FOLDS = 3

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that teach and of those that judge."""

    teach: Positions
    judge: Positions


def time_folds(data: Dataset, horizon_days: int, zone: ZoneInfo) -> list[Fold]:
    """Up to three folds, oldest first: a cutoff judges what all cutoffs a horizon before it teach.

    The horizon between them is the purge: no label that teaches ends after its judges stand.

    Raises CannotTrain when no two cutoffs are a horizon apart.
    """
    cutoffs = cutoffs_of(data)
    place = np.searchsorted(np.unique(data.cutoff), data.cutoff)
    folds = []
    for judge, stand in enumerate(cutoffs):
        taught = sum(shift_days(cutoff, horizon_days, zone) <= stand for cutoff in cutoffs)
        if taught:
            folds.append(Fold(np.flatnonzero(place < taught), np.flatnonzero(place == judge)))
    if not folds:
        first, last = (local_day(cutoff, zone) for cutoff in (cutoffs[0], cutoffs[-1]))
        raise CannotTrain(
            f"tuning needs a cutoff whose labels end before a later cutoff, but the training "
            f"cutoffs lie between {first} and {last} and a label takes {horizon_days} days; "
            "raise training.cutoffs or training.cutoff_every_days, or train without --tune"
        )
    return folds[-_MOST_FOLDS:]


def customer_groups(data: Dataset) -> list[Fold]:
    """Five folds by customer, for labels without a time."""
    fold = customer_folds(data.customer_id)
    return [
        Fold(np.flatnonzero(fold != place), np.flatnonzero(fold == place)) for place in range(FOLDS)
    ]
