"""What each learner says of customers it has not seen: later ones, or those of another fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.config import TrainingConfig
from training.families.boosting import customer_folds
from training.families.glm import Vector
from training.uplift.learners import LEARNERS, fit_response
from training.uplift.trial import NoTrial, Trial, require_trial

RESPONSE_SCORE = "response"
_BLOCKS = 6
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Judged:
    """The part of a trial that judges, with what models said of it that had not seen it."""

    trial: Trial
    scores: Mapping[str, Vector]
    """Predicted uplift by learner, and the chance of the outcome as "response"."""
    is_later: bool
    """Whether every row came after the outcomes that its model had learned from."""


def judged_scores(trial: Trial, horizon_days: int, training: TrainingConfig) -> Judged:
    """Later rows scored by models of earlier ones; all rows out of fold where there is one wave.

    `horizon_days` is how long an outcome takes to be known.
    """
    later = _later_scores(trial, horizon_days, training)
    return later or Judged(trial, cross_scores(trial, training), is_later=False)


def cross_scores(trial: Trial, training: TrainingConfig) -> dict[str, Vector]:
    """Scores of every row by models that have not seen its customer.

    Folds are of customers, by hash: none is scored by a model that has seen it in any wave.
    """
    fold = customer_folds(trial.customer_id)
    scores = _blank(len(trial))
    for place in np.unique(fold):
        _score(scores, trial, fold != place, fold == place, training)
    return scores


def _later_scores(trial: Trial, horizon_days: int, training: TrainingConfig) -> Judged | None:
    """Each block of time scored by what had been learned when it began; None when none could be.

    A block whose past could not teach both arms is left out, as is the first.
    """
    scores, block = _blank(len(trial)), _blocks(trial.cutoff)
    judged = np.zeros(len(trial), dtype=bool)
    for place in np.unique(block)[1:]:
        inside = block == place
        # Rounded, as clocks that go forward or back make a local day shorter or longer.
        age = ((trial.cutoff[inside].min() - trial.cutoff) / _DAY).round()
        if _teaches(trial.rows(known := age >= horizon_days)):
            _score(scores, trial, known, inside, training)
            judged |= inside
    part = trial.rows(judged)
    if not _teaches(part):
        return None
    return Judged(part, {name: found[judged] for name, found in scores.items()}, is_later=True)


def _blocks(cutoff: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Up to six spans of time, each of whole days and as equal in rows as these allow."""
    days, place, rows = np.unique(cutoff, return_inverse=True, return_counts=True)
    before = np.cumsum(rows) - rows
    return np.asarray((_BLOCKS * before // len(cutoff))[place]) if len(days) else place


def _score(
    scores: Mapping[str, Vector],
    trial: Trial,
    known: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.bool_],
    training: TrainingConfig,
) -> None:
    """Fill in the scores of the rows asked about, by models of the known rows."""
    learned, X = trial.rows(known), trial.X[asked]
    for name, fit in LEARNERS.items():
        scores[name][asked] = fit(learned, training).predict(X)
    scores[RESPONSE_SCORE][asked] = fit_response(learned, training).predict(X)


def _blank(rows: int) -> dict[str, Vector]:
    return {name: np.zeros(rows) for name in (*LEARNERS, RESPONSE_SCORE)}


def _teaches(trial: Trial) -> bool:
    try:
        require_trial(trial)
    except NoTrial:
        return False
    return True
