"""Conformal intervals for value: by hand, and coverage found again on fresh customers."""

import numpy as np
import pytest

from training.intervals import IntervalTable, fit_intervals


def heavy_tailed(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted values and actual ones: gamma around them, noisier where small, none < 0."""
    rng = np.random.default_rng(seed)
    predicted = rng.lognormal(3.0, 1.0, rows)
    shape = np.clip(predicted / 20.0, 0.5, 5.0)
    return predicted, rng.gamma(shape, predicted / shape)


def test_nineteen_ratios_give_the_first_and_last_as_bounds() -> None:
    # (19 + 1) x 0.05 = 1 and (19 + 1) x 0.95 = 19: the smallest and largest of 19 ratios.
    actual = np.linspace(5.0, 95.0, 19) / 25.0
    table = fit_intervals(np.ones(19), actual)
    assert table.edges == ()
    assert table.lower == pytest.approx((0.2,))
    assert table.upper == pytest.approx((3.8,))


def test_a_prediction_takes_the_ratios_of_its_own_bin() -> None:
    table = IntervalTable(edges=(10.0,), lower=(0.0, 0.5), upper=(4.0, 1.5))
    low, high = table.apply(np.array([2.0, 10.0, 40.0]))
    assert low.tolist() == [0.0, 5.0, 20.0]
    assert high.tolist() == [8.0, 15.0, 60.0]


def test_fresh_customers_fall_inside_as_often_as_the_level_says_in_every_tenth() -> None:
    table = fit_intervals(*heavy_tailed(20_000, 1))
    predicted, actual = heavy_tailed(20_000, 2)
    low, high = table.apply(predicted)
    inside = (low <= actual) & (actual <= high)
    assert inside.mean() == pytest.approx(0.90, abs=0.01)
    tenths = np.array_split(np.argsort(predicted), 10)
    assert [inside[tenth].mean() for tenth in tenths] == pytest.approx([0.90] * 10, abs=0.03)


def test_neither_side_misses_more_than_its_share_when_many_are_worth_nothing() -> None:
    predicted, actual = heavy_tailed(10_000, 3)
    actual[np.random.default_rng(4).random(10_000) < 0.6] = 0.0
    low, high = fit_intervals(predicted, actual).apply(predicted)
    assert (actual < low).mean() <= 0.05
    assert (actual > high).mean() == pytest.approx(0.05, abs=0.005)


def test_the_prediction_is_always_inside_and_nothing_is_negative() -> None:
    predicted, _ = heavy_tailed(3_000, 5)
    for actual in (np.zeros(3_000), predicted * 100.0, -predicted):
        low, high = fit_intervals(predicted, actual).apply(predicted)
        assert (low >= 0.0).all()
        assert (low <= predicted).all()
        assert (predicted <= high).all()


def test_doubling_the_money_doubles_the_bounds() -> None:
    predicted, actual = heavy_tailed(2_000, 6)
    low, high = fit_intervals(predicted, actual).apply(predicted)
    twice = fit_intervals(2 * predicted, 2 * actual).apply(2 * predicted)
    assert twice[0] == pytest.approx(2 * low)
    assert twice[1] == pytest.approx(2 * high)


def test_the_order_of_the_rows_changes_nothing() -> None:
    predicted, actual = heavy_tailed(1_500, 7)
    turned = np.random.default_rng(8).permutation(1_500)
    assert fit_intervals(predicted, actual) == fit_intervals(predicted[turned], actual[turned])


def test_few_customers_share_one_bin() -> None:
    predicted, actual = heavy_tailed(30, 9)
    table = fit_intervals(predicted, actual)
    assert table.edges == ()
    assert table.upper[0] == pytest.approx((actual / predicted).max())
