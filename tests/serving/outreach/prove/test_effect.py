"""The effect is the difference by hand, and its intervals hold however often one looks."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from serving.outreach.prove.effect import Arm, Effect, EffectError, arm_of, measure_effect

Floats = npt.NDArray[np.float64]


def kept(customers: int, stayed: int) -> Arm:
    """An arm of which `stayed` stayed, with a covariate that is always 0."""
    return Arm(customers, stayed, stayed)


def alarms(effect: float, programmes: int, share: float, seed: int, corr: bool = False) -> Floats:
    """Programmes x days: whether the true effect is outside that day's interval.

    100 customers a day join for 60 days; the chance of staying is 0.8, or 0.8 + effect.
    """
    rng, days, each = np.random.default_rng(seed), 60, 100
    held = rng.random((programmes, days, each)) < share
    before = rng.normal(size=held.shape) if corr else np.zeros(held.shape)
    stayed = rng.random(held.shape) < 0.8 + 0.1 * np.tanh(before) + np.where(held, 0.0, effect)
    sums = []
    for arm in (~held, held):
        terms = (arm, stayed, stayed, before, before**2, stayed * before)
        sums.append(np.stack([np.cumsum((term * arm).sum(axis=2), axis=1) for term in terms], 2))
    found = np.zeros((programmes, days))
    for programme in range(programmes):
        for day in range(days):
            one = measure_effect(
                *(Arm(int(arm[programme, day, 0]), *arm[programme, day, 1:]) for arm in sums),
                share=share,
                planned=6_000,
            )
            found[programme, day] = not one.low <= effect <= one.high
    return found


def test_the_difference_is_that_of_the_arms() -> None:
    """By hand: 0.85 - 0.80; se = sqrt(.1275 / 1999 * 2000 / 2000 + ...) stretched at t = t*."""
    found = measure_effect(kept(2_000, 1_700), kept(2_000, 1_600), 0.5, 4_000)
    assert found.difference == pytest.approx(0.05)
    error = math.sqrt(0.85 * 0.15 / 1_999 + 0.8 * 0.2 / 1_999)
    tuned = -2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))
    stretch = math.sqrt(2 * (tuned + 1) / tuned * math.log(math.sqrt(tuned + 1) / 0.05))
    assert found.high - found.difference == pytest.approx(stretch * error)
    assert 2.5 < stretch < 3.1


def test_peeking_daily_at_programmes_without_effect_alarms_in_at_most_5_percent() -> None:
    raised = alarms(0.0, 1_000, 0.2, seed=1).any(axis=1)
    assert raised.mean() <= 0.05


def test_a_known_effect_stays_in_its_sequence() -> None:
    missed = alarms(0.05, 300, 0.5, seed=2, corr=True).any(axis=1)
    assert missed.mean() <= 0.05


def test_looking_back_takes_noise_away_and_leaves_the_effect() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(100, 30, 4_000)
    treated = rng.random(4_000) < 0.5
    value = before + rng.normal(0, 10, 4_000) + 5 * treated
    pairs = np.column_stack([value, before])
    plain = measure_effect(
        *(arm_of((y, 0.0) for y, _ in pairs[arm]) for arm in (treated, ~treated)), 0.5, 4_000
    )
    better = measure_effect(
        *(arm_of((y, x) for y, x in pairs[arm]) for arm in (treated, ~treated)), 0.5, 4_000
    )
    assert better.low < 5 < better.high
    assert better.high - better.low < 0.4 * (plain.high - plain.low)


def test_sums_of_two_days_add_up() -> None:
    rows = [(1.0, 2.0), (0.0, 3.0), (1.0, 5.0), (1.0, 1.0)]
    assert arm_of(rows[:1]) + arm_of(rows[1:]) == arm_of(rows)


def test_the_sample_ratio_check_finds_a_leak_and_spares_fair_draws() -> None:
    """Of 20,000 customers 4 % are held out where 6 % should be: a leak of 2 points."""
    assert measure_effect(kept(19_200, 1), kept(800, 1), 0.06, 1).is_ratio_odd
    rng = np.random.default_rng(5)
    held_out = np.cumsum(rng.random((300, 20_000)) < 0.05, axis=1)[:, 499::500]
    odd = [
        any(
            measure_effect(kept(500 * (day + 1) - held, 0), kept(held, 0), 0.05, 1).is_ratio_odd
            for day, held in enumerate(programme.tolist())
        )
        for programme in held_out
    ]
    assert sum(odd) <= 2


def test_the_sentence_says_what_was_kept_and_at_what_price() -> None:
    found = Effect(0.031, 0.012, 0.050, 10_000, 500, 1.0)
    assert found.sentence(6_200, "EUR") == (
        "Contact kept 31 of 1,000, 95 % interval 12 to 50; costs 20 EUR per kept customer."
    )


def test_the_sentence_says_when_contact_does_harm() -> None:
    found = Effect(-0.031, -0.050, -0.012, 10_000, 500, 1.0)
    assert found.sentence(1, "EUR") == (
        "Contact drove away 31 of 1,000, 95 % interval 12 to 50; stop it."
    )


def test_the_sentence_says_how_many_more_are_needed() -> None:
    """Half-width 0.02 at 10,000 for a difference of 0.01: four times as many, so 30,000 more."""
    found = Effect(0.01, -0.01, 0.03, 9_500, 500, 1.0)
    assert found.sentence(1, "EUR") == (
        "Nothing can be said yet; an effect of the size seen needs about 30,000 more customers."
    )


def test_nothing_is_said_of_few_customers_or_when_nobody_left() -> None:
    for arms in ((kept(500, 400), kept(29, 20)), (kept(500, 500), kept(50, 50)), (Arm(), Arm())):
        found = measure_effect(*arms, 0.1, 1_000)
        assert (found.low, found.high) == (-math.inf, math.inf)
        assert "at least 30 customers with varied outcomes" in found.sentence(1, "EUR")


def test_a_leak_silences_the_effect() -> None:
    found = measure_effect(kept(19_900, 19_000), kept(100, 50), 0.05, 20_000)
    assert found.sentence(1, "EUR").startswith("Nothing can be said: the arms are not of the sizes")


def test_a_share_or_plan_that_is_none_is_refused() -> None:
    with pytest.raises(EffectError, match=r"share 1\.0 must be in \(0, 1\)"):
        measure_effect(Arm(), Arm(), 1.0, 10)
    with pytest.raises(EffectError, match="planned 0 at least 1"):
        measure_effect(Arm(), Arm(), 0.5, 0)
