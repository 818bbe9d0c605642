"""Later rows are scored by what was known before them; a single wave by other customers."""

from dataclasses import replace

import numpy as np

from features.config import TrainingConfig
from tests.training.uplift.test_ranking import generated
from training.uplift.scores import RESPONSE_SCORE, cross_scores, judged_scores
from training.uplift.trial import Trial

TRAINING = TrainingConfig(bootstrap_draws=20)
DAY = np.timedelta64(1, "D")


def waves(rows: int, every_days: int, count: int = 3) -> Trial:
    trial, _ = generated(rows, 0.2)
    wave = np.arange(rows) % count
    return replace(trial, cutoff=trial.cutoff + wave * every_days * DAY)


def test_the_first_wave_judges_nobody_and_no_outcome_reaches_back() -> None:
    trial = waves(900, 30)
    judged = judged_scores(trial, 30, TRAINING)
    assert judged.is_later
    assert judged.trial.cutoff.min() == trial.cutoff.min() + 30 * DAY
    last = trial.cutoff == trial.cutoff.max()
    flipped = replace(trial, outcome=np.where(last, 1 - trial.outcome, trial.outcome))
    again = judged_scores(flipped, 30, TRAINING)
    for name, scores in judged.scores.items():
        np.testing.assert_array_equal(scores, again.scores[name])


def test_outcomes_that_were_not_over_yet_teach_nothing() -> None:
    """Waves ten days apart, outcomes after 15: the third knows the first alone."""
    trial = waves(900, 10)
    judged = judged_scores(trial, 15, TRAINING)
    assert set(judged.trial.cutoff) == {trial.cutoff.min() + 20 * DAY}
    second = trial.cutoff == trial.cutoff.min() + 10 * DAY
    flipped = replace(trial, outcome=np.where(second, 1 - trial.outcome, trial.outcome))
    again = judged_scores(flipped, 15, TRAINING)
    np.testing.assert_array_equal(judged.scores[RESPONSE_SCORE], again.scores[RESPONSE_SCORE])


def test_a_single_wave_is_judged_on_other_customers() -> None:
    trial, _ = generated(300, 0.2)
    judged = judged_scores(trial, 30, TRAINING)
    assert not judged.is_later
    assert len(judged.trial) == 300
    crossed = cross_scores(trial, TRAINING)
    for name, scores in judged.scores.items():
        np.testing.assert_array_equal(scores, crossed[name])


def test_daily_plans_are_judged_in_a_few_spans_of_whole_days() -> None:
    """Six spans of 20 days; when the second begins one day alone is over, too little to learn."""
    trial = waves(1_200, 1, count=120)
    judged = judged_scores(trial, 20, TRAINING)
    days = ((judged.trial.cutoff - trial.cutoff.min()) / DAY).astype(int)
    assert days.min() == 40
    assert days.max() == 119
    assert len(judged.trial) == 800
