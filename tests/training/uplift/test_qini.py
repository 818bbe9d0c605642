"""The Qini coefficient is the area it says, whatever the ties, and 0 for a random order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import Metric, Vector, bootstrap, measure
from training.uplift.qini import gain_curve, qini_metric


def metric_of(treated: Vector) -> Metric:
    """The metric of a trial in which all had one chance; which one changes nothing."""
    return qini_metric(treated, np.full(len(treated), 0.3))


def qini(treated: Vector, outcome: Vector, score: Vector) -> float:
    return measure(metric_of(treated), outcome, score)


def by_hand(treated: Vector, outcome: Vector, score: Vector) -> float:
    """The definition, one threshold after the other."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(score), reverse=True):
        taken = score >= threshold
        contacted, held_out = taken & (treated == 1), taken & (treated == 0)
        gain = 0.0
        if contacted.any() and held_out.any():
            gain = taken.mean() * (outcome[contacted].mean() - outcome[held_out].mean())
        points.append((taken.mean(), gain))
    share, gain = (np.array(column) for column in zip(*points, strict=True))
    area = np.sum(np.diff(share) * (gain[1:] + gain[:-1]) / 2)
    return float(1_000 * (area - gain[-1] / 2))


def test_four_customers_on_paper() -> None:
    """Gains 0, 1/2, 3/4 * 1/2, 0 over the shares: (0 + .25 + .4375 + .1875) / 4 = .21875."""
    treated, outcome = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    score = np.array([4.0, 3, 2, 1])
    assert qini(treated, outcome, score) == pytest.approx(218.75)


rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)), min_size=2, max_size=40
).filter(lambda each: len({arm for arm, *_ in each}) == 2)


@given(rows)
def test_the_metric_equals_brute_force_also_with_ties(
    cells: list[tuple[bool, bool, int]],
) -> None:
    treated, outcome, score = (np.array(column, float) for column in zip(*cells, strict=True))
    assert qini(treated, outcome, score) == pytest.approx(
        by_hand(treated, outcome, score), abs=1e-9
    )


@given(rows)
def test_the_order_of_rows_changes_nothing(cells: list[tuple[bool, bool, int]]) -> None:
    treated, outcome, score = (np.array(column, float) for column in zip(*cells, strict=True))
    order = np.random.default_rng(3).permutation(len(score))
    assert qini(treated[order], outcome[order], score[order]) == pytest.approx(
        qini(treated, outcome, score)
    )


def test_equal_scores_have_a_qini_of_zero() -> None:
    treated, outcome = np.array([1.0, 1, 0, 0, 0]), np.array([1.0, 0, 1, 0, 0])
    assert qini(treated, outcome, np.ones(5)) == pytest.approx(0.0)


def test_a_row_drawn_twice_counts_as_two_rows() -> None:
    rng = np.random.default_rng(5)
    treated, outcome = (rng.integers(0, 2, 60).astype(float) for _ in range(2))
    score, counts = rng.integers(0, 9, 60).astype(float), rng.integers(1, 4, 60)
    drawn = metric_of(treated)(outcome, score, counts[None, :].astype(float))[0]
    twice = [np.repeat(column, counts) for column in (treated, outcome, score)]
    assert drawn == pytest.approx(qini(*twice))


def test_random_scores_have_a_qini_around_zero() -> None:
    rng = np.random.default_rng(8)
    treated = rng.integers(0, 2, 4_000).astype(float)
    outcome = (rng.random(4_000) < 0.2 + 0.1 * treated).astype(float)
    found = [qini(treated, outcome, rng.random(4_000)) for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5


def test_a_draw_without_one_arm_says_nothing() -> None:
    treated, outcome = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    drawn = metric_of(treated)(outcome, treated, np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(drawn[0])
    assert np.isfinite(drawn[1])


def test_it_is_a_metric_of_the_bootstrap() -> None:
    treated, outcome = np.tile([1.0, 0.0], 50), np.repeat([1.0, 0.0], 50)
    metric = {"qini": metric_of(treated)}
    names = np.arange(100).astype(str)
    drawn = bootstrap(metric, outcome, {"s": outcome}, names, draws=20, seed=1)
    assert drawn["s"]["qini"].shape == (20,)


def test_campaigns_with_other_shares_contacted_do_not_pass_for_an_effect() -> None:
    """Contact does nothing; one campaign contacts 90 % of loyal customers, one 20 % of others."""
    rng = np.random.default_rng(9)
    loyal = rng.random(20_000) < 0.5
    chance = np.where(loyal, 0.9, 0.2)
    treated = (rng.random(20_000) < chance).astype(float)
    outcome = (rng.random(20_000) < np.where(loyal, 0.9, 0.5)).astype(float)
    score = rng.random(20_000) + loyal
    _, gain = gain_curve(treated, chance, outcome, score)
    assert abs(gain[-1]) < 0.02
    assert abs(measure(qini_metric(treated, chance), outcome, score)) < 8
    assert gain_curve(treated, np.full(20_000, 0.5), outcome, score)[1][-1] > 0.2


def test_the_gain_curve_ends_in_everybody_and_the_whole_effect() -> None:
    treated, outcome = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    share, gain = gain_curve(treated, np.full(4, 0.5), outcome, np.array([4.0, 3, 2, 1]))
    assert share.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert gain.tolist() == pytest.approx([0.0, 0.5, 0.375, 0.0])
