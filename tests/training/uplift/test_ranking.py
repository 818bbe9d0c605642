"""Uplift is found where it was planted, abstains where it was not, and as published."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.uplift import hillstrom
from features.config import TrainingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from tests.shared_data import shared_data
from training.uplift.learners import LEARNERS
from training.uplift.ranking import (
    AT_RISK,
    RESPONSE,
    UpliftFit,
    fit_scale,
    fit_uplift,
    judge_uplift,
)
from training.uplift.scores import cross_scores
from training.uplift.trial import NoTrial, Trial, require_trial

TRAINING = TrainingConfig(bootstrap_draws=200)
CONTRACT = FeatureContract(columns=tuple(FeatureColumn(name=n, definition="") for n in "abcd"))


def generated(rows: int, effect: float, seed: int = 1, share: float = 0.5) -> tuple[Trial, Trial]:
    """Two trials from one world, and no more: contact adds `effect` where a > 1/3, takes it
    where a < -1/3, and b moves the outcome without changing what contact does.
    """
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (2 * rows, 4))
    treated = (rng.random(2 * rows) < share).astype(float)
    chance = 0.5 + 0.2 * X[:, 1] + treated * true_uplift(X, effect)
    trial = Trial(
        X=X,
        contract=CONTRACT,
        customer_id=np.arange(2 * rows).astype(np.str_),
        cutoff=np.full(2 * rows, np.datetime64("2025-01-01", "us")),
        treated=treated,
        chance=np.full(2 * rows, share),
        outcome=(rng.random(2 * rows) < chance).astype(float),
        value=np.ones(2 * rows),
    )
    return trial.rows(np.arange(rows)), trial.rows(np.arange(rows, 2 * rows))


def true_uplift(X: np.ndarray, effect: float) -> np.ndarray:
    return effect * ((X[:, 0] > 1 / 3).astype(float) - (X[:, 0] < -1 / 3))


@functools.cache
def planted() -> tuple[UpliftFit, Trial]:
    learned, judged = generated(6_000, 0.2)
    return fit_uplift(learned, 30, TRAINING), judged


@pytest.mark.parametrize("learner", sorted(LEARNERS))
@pytest.mark.parametrize("share", [0.5, 0.75])
def test_every_learner_recovers_the_planted_uplift(learner: str, share: float) -> None:
    learned, judged = generated(6_000, 0.2, share=share)
    found = LEARNERS[learner](learned, TRAINING).predict(judged.X)
    truth = true_uplift(judged.X, 0.2)
    assert np.corrcoef(found, truth)[0, 1] > 0.75
    assert found[truth > 0].mean() > 0.08
    assert found[truth < 0].mean() < -0.08
    assert abs(found.mean()) < 0.04


def test_planted_uplift_may_rank_and_the_best_learner_is_named() -> None:
    found, _ = planted()
    assert found.verdict.is_used
    assert found.uplift.model.learner == found.verdict.learner
    best = max(found.verdict.qini[name].point for name in LEARNERS)
    assert found.verdict.qini[found.verdict.learner].point == best
    assert str(found.verdict).startswith(f"Uplift ({found.verdict.learner}) may rank")


def test_customers_whom_contact_drives_away_are_flagged() -> None:
    found, judged = planted()
    flags = found.uplift.foreseen(judged.X).do_not_disturb
    harmed = true_uplift(judged.X, 0.2) < 0
    assert harmed[flags].mean() > 0.8
    assert flags[harmed].mean() > 0.5


def test_without_an_effect_it_abstains_and_flags_nobody() -> None:
    learned, judged = generated(3_000, 0.0, seed=4)
    found = fit_uplift(learned, 30, TRAINING)
    assert not found.verdict.is_used
    assert str(found.verdict).startswith("Uplift abstains: this trial shows nothing to exploit")
    assert not found.uplift.foreseen(judged.X).do_not_disturb.any()


def test_an_effect_that_the_response_model_knows_as_well_is_not_claimed() -> None:
    """Contact adds a fifth to everybody's chance, so the likeliest gain most."""
    learned, _ = generated(3_000, 0.0, seed=2)
    rng = np.random.default_rng(3)
    chance = (0.4 + 0.35 * learned.X[:, 1]) * (1 + 0.2 * learned.treated)
    outcome = (rng.random(len(learned)) < chance).astype(float)
    verdict = fit_uplift(replace(learned, outcome=outcome), 30, TRAINING).verdict
    assert not verdict.is_used
    assert verdict.gains[AT_RISK].point > verdict.gains[RESPONSE].point


def test_the_best_of_four_orders_by_chance_passes_in_at_most_one_trial_in_forty() -> None:
    """Contact changes nothing, and all rankings, the response model's among them, are chance."""
    passed = 0
    for seed in range(100):
        learned, _ = generated(400, 0.0, seed=seed)
        rng = np.random.default_rng(seed)
        scores = {name: rng.random(400) for name in (*LEARNERS, "response")}
        passed += judge_uplift(learned, scores, TRAINING).is_used
    assert passed <= 5


def test_gains_are_counted_in_value() -> None:
    learned, _ = generated(1_500, 0.2)
    one = fit_uplift(learned, 30, TRAINING).verdict
    ten = fit_uplift(replace(learned, value=10 * learned.value), 30, TRAINING).verdict
    for name in one.qini:
        assert ten.qini[name].point == pytest.approx(10 * one.qini[name].point)


def test_no_wave_of_a_customer_is_scored_by_a_model_that_saw_the_customer() -> None:
    learned, _ = generated(300, 0.2)
    twice = replace(learned, customer_id=np.tile(learned.customer_id[:150], 2))
    flipped = twice.outcome.copy()
    flipped[[0, 150]] = 1 - flipped[[0, 150]]
    before = cross_scores(twice, TRAINING)
    after = cross_scores(replace(twice, outcome=flipped), TRAINING)
    for name in (*LEARNERS, "response"):
        assert after[name][0] == before[name][0]
        assert after[name][150] == before[name][150]
        assert (after[name] != before[name]).any()


def test_rows_that_are_no_trial_are_refused() -> None:
    learned, _ = generated(200, 0.2)
    with pytest.raises(NoTrial, match="of 0 customers held out, 0 had the outcome"):
        fit_uplift(replace(learned, treated=np.ones(200)), 30, TRAINING)
    with pytest.raises(NoTrial, match=r"outcome must be 0 or 1, got 2\.0"):
        require_trial(replace(learned, outcome=np.full(200, 2.0)))
    with pytest.raises(NoTrial, match=r"value must be a number of at least 0, got -1\.0"):
        require_trial(replace(learned, value=np.full(200, -1.0)))


def test_womens_email_ranks_by_uplift_as_published_on_the_whole_trial() -> None:
    """Published on all rows: linear T-learner 7.26 [5.07, 9.07], response model 2.05."""
    verdict = fit_uplift(hillstrom(shared_data(), "Womens E-Mail"), 14, TRAINING).verdict
    assert verdict.is_used
    assert verdict.learner == "t_logistic"
    assert verdict.qini["t_logistic"].point == pytest.approx(7.26, abs=2)
    assert verdict.qini[RESPONSE].point == pytest.approx(2.05, abs=2)


def test_mens_email_leaves_nothing_to_exploit() -> None:
    verdict = fit_uplift(hillstrom(shared_data(), "Mens E-Mail"), 14, TRAINING).verdict
    assert not verdict.is_used
    assert "nothing to exploit" in str(verdict)


def test_the_scale_shrinks_what_was_overstated_and_never_stretches() -> None:
    """Predicted three times too large a change, or a third of it, or noise beside it."""
    trial, _ = generated(40_000, 0.2, seed=6)
    truth, response = true_uplift(trial.X, 0.2), 0.5 + 0.2 * trial.X[:, 1]
    for factor, slope in ((3.0, 1 / 3), (1 / 3, 1.0), (1.0, 1.0)):
        scale = fit_scale(trial, factor * truth, response)
        assert scale.slope == pytest.approx(slope, abs=0.12)
        assert scale.level == pytest.approx(0.0, abs=0.02)
    noise = np.random.default_rng(1).normal(0, 0.2, len(trial))
    assert fit_scale(trial, noise, response).slope < 0.1
    assert fit_scale(trial, np.zeros(len(trial)), response).slope == 0.0


def test_campaigns_with_other_shares_contacted_are_judged_together() -> None:
    """One campaign contacts half of its customers, the other 19 of 20: both teach the effect."""
    half, _ = generated(4_000, 0.2, seed=2)
    most, _ = generated(4_000, 0.2, seed=3, share=0.95)
    both = Trial(
        **{
            name: getattr(half, name)
            if name == "contract"
            else np.concatenate([getattr(half, name), getattr(most, name)])
            for name in Trial.__dataclass_fields__
        }
    )
    both = replace(both, customer_id=np.arange(len(both)).astype(np.str_))
    found = fit_uplift(both, 30, TRAINING)
    assert found.verdict.is_used
    changes = found.uplift.foreseen(half.X).changes
    assert changes is not None
    assert np.corrcoef(changes, true_uplift(half.X, 0.2))[0, 1] > 0.7
