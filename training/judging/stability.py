"""Whether the reasons behind a score would be the same had the model been fitted by other luck."""

import numpy as np

from features.config import TrainingConfig
from features.feature_contract import Matrix
from training.churn import ChurnFit, refit_churn
from training.rows import Rows

_SHOWN = 3
_EXPLAINED_ROWS = 500


def reason_overlap(first: Matrix, second: Matrix, shown: int = _SHOWN) -> float:
    """Share of each row's `shown` largest contributions, by size, that both matrices name.

    Contributions are rows x features; the answer is the mean over rows, 1 when all agree.
    """
    return float((_largest(first, shown) & _largest(second, shown)).sum(axis=1).mean() / shown)


def reseeded_overlap(fitted: ChurnFit, churn: Rows, training: TrainingConfig) -> float:
    """Overlap of the reasons of `fitted` on test rows with those of a fit from another seed.

    The churn model is fitted again on the same training rows, with the same rounds and weights.
    """
    other = training.model_copy(update={"seed": training.seed + 1})
    again = refit_churn(fitted, churn.train, churn.basis, other)
    rows = churn.test.X[:: max(1, len(churn.test) // _EXPLAINED_ROWS)]
    return reason_overlap(
        fitted.model.ensemble.contributions(rows), again.ensemble.contributions(rows)
    )


def _largest(contributions: Matrix, shown: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which contributions of each row are among its `shown` largest."""
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :shown]
    named = np.zeros(contributions.shape, dtype=bool)
    np.put_along_axis(named, order, True, axis=1)
    return named
