"""Metrics against answers worked out by hand and against scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from training import metrics
from training.metrics import Metric, bootstrap, measure

ALL: list[Metric] = [
    metrics.roc_auc,
    metrics.average_precision,
    metrics.brier,
    metrics.log_loss,
    metrics.top_capture,
    metrics.top_lift,
    metrics.rmse,
    metrics.mae,
    metrics.total_ratio,
    metrics.spearman,
    metrics.normalised_gini,
]


def churn_rows(rows: int = 400, ties: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    predicted = rng.random(rows)
    if ties:
        predicted = np.round(predicted, 1)
    return (rng.random(rows) < predicted).astype(float), predicted


def test_auc_counts_pairs_by_hand() -> None:
    """Churners at 0.8 and 0.4, stayers at 0.4 and 0.1: 1 + 1 + 1/2 + 1 of 4 pairs."""
    actual, predicted = np.array([1.0, 1, 0, 0]), np.array([0.8, 0.4, 0.4, 0.1])
    assert measure(metrics.roc_auc, actual, predicted) == 3.5 / 4


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.roc_auc, reference.roc_auc_score),
        (metrics.average_precision, reference.average_precision_score),
        (metrics.brier, reference.brier_score_loss),
        (metrics.log_loss, reference.log_loss),
        (metrics.rmse, reference.root_mean_squared_error),
        (metrics.mae, reference.mean_absolute_error),
        (metrics.spearman, lambda actual, predicted: stats.spearmanr(actual, predicted)[0]),
    ],
)
def test_metrics_equal_the_reference_with_ties(
    ours: Metric, theirs: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    actual, predicted = churn_rows()
    predicted = np.clip(predicted, 0.01, 0.99)
    assert measure(ours, actual, predicted) == pytest.approx(theirs(actual, predicted), abs=1e-12)


@pytest.mark.parametrize("metric", ALL)
def test_a_row_drawn_three_times_counts_as_three_equal_rows(metric: Metric) -> None:
    actual, predicted = churn_rows(60)
    counts = np.random.default_rng(1).integers(0, 4, (5, 60)).astype(float)
    by_counts = metric(actual, predicted, counts)
    repeated = [
        measure(metric, np.repeat(actual, row.astype(int)), np.repeat(predicted, row.astype(int)))
        for row in counts
    ]
    assert by_counts == pytest.approx(repeated, abs=1e-12)


@pytest.mark.parametrize("metric", [*ALL, metrics.expected_calibration_error, metrics.decile_error])
def test_row_order_changes_nothing(metric: Metric) -> None:
    actual, predicted = churn_rows()
    shuffled = np.random.default_rng(3).permutation(len(actual))
    assert measure(metric, actual[shuffled], predicted[shuffled]) == pytest.approx(
        measure(metric, actual, predicted), abs=1e-12
    )


def test_calibration_error_by_hand() -> None:
    """Twenty rows, two a bin: half say 0.2 and none churn, half say 0.9 and all churn."""
    predicted = np.repeat([0.2, 0.9], 10)
    actual = np.repeat([0.0, 1.0], 10)
    error = measure(metrics.expected_calibration_error, actual, predicted)
    assert error == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)


def test_exact_propensities_stay_within_the_calibration_error_of_chance() -> None:
    """Nineteen times of twenty; and four times the rows halve it."""
    rng = np.random.default_rng(8)
    risk = rng.random(500)
    limit = metrics.chance_calibration_error(risk, draws=400, seed=1)
    errors = [
        measure(metrics.expected_calibration_error, (rng.random(500) < risk).astype(float), risk)
        for _ in range(400)
    ]
    assert np.mean(np.array(errors) <= limit) == pytest.approx(0.95, abs=0.035)
    larger = metrics.chance_calibration_error(np.tile(risk, 4), draws=400, seed=1)
    assert larger == pytest.approx(limit / 2, rel=0.1)


def test_a_constant_propensity_at_the_base_rate_is_calibrated() -> None:
    actual, _ = churn_rows()
    constant = np.full(len(actual), actual.mean())
    assert measure(metrics.expected_calibration_error, actual, constant) == pytest.approx(0)
    assert measure(metrics.roc_auc, actual, constant) == 0.5
    assert measure(metrics.top_lift, actual, constant) == pytest.approx(1)


def test_bins_hold_equally_many_rows_and_ties_stay_together() -> None:
    assert np.bincount(metrics.bins(np.arange(40.0))).tolist() == [4] * 10
    assert len(set(metrics.bins(np.array([1.0, 1, 1, 1, 1, 2, 2, 2, 2, 2])))) == 2


def test_top_decile_lift_by_hand() -> None:
    """20 customers, 4 churn; both of the top two do: rate 1 over base rate 0.2 is 5."""
    actual = np.zeros(20)
    actual[[0, 1, 10, 15]] = 1
    predicted = np.linspace(1, 0, 20)
    assert measure(metrics.top_lift, actual, predicted) == pytest.approx(5)
    assert measure(metrics.top_capture, actual, predicted) == pytest.approx(0.5)


def test_top_capture_takes_part_of_a_tie() -> None:
    """20 rows, the top 4 tied: the top two are half of the tie and hold half of its value."""
    actual = np.array([10.0, 0, 0, 0] + [0.0] * 15 + [10.0])
    predicted = np.array([9.0] * 4 + list(range(8, -8, -1)), dtype=float)
    assert measure(metrics.top_capture, actual, predicted) == pytest.approx(0.25)


def test_gini_by_hand() -> None:
    """Values 0, 0, 1, 3: perfectly ranked Gini is 5/8; swapping the last two gives 3/8."""
    actual = np.array([0.0, 0, 1, 3])
    ones = np.ones((1, 4))
    assert metrics._gini(actual, actual, ones)[0] == pytest.approx(5 / 8)
    swapped = np.array([1.0, 2, 4, 3])
    assert measure(metrics.normalised_gini, actual, swapped) == pytest.approx(3 / 5)
    assert measure(metrics.normalised_gini, actual, -actual) == pytest.approx(-1)


def test_decile_error_by_hand_leaves_out_deciles_without_value() -> None:
    """Ten rows, one a decile: off by a half in one, right in eight, nothing bought in the last."""
    actual = np.array([0.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    predicted = np.array([0.5, 2, 3, 4, 5, 6, 7, 8, 9, 15])
    assert measure(metrics.decile_error, actual, predicted) == pytest.approx(0.5 / 9)


def test_total_ratio_and_doubling() -> None:
    actual, predicted = np.array([1.0, 0, 3]), np.array([2.0, 1, 3])
    assert measure(metrics.total_ratio, actual, predicted) == 1.5
    for metric in (metrics.rmse, metrics.mae):
        once = measure(metric, actual, predicted)
        assert measure(metric, 2 * actual, 2 * predicted) == pytest.approx(2 * once)


def test_one_class_gives_nan_and_no_warning() -> None:
    stayed, predicted = np.zeros(30), np.linspace(0, 1, 30)
    for metric in (metrics.roc_auc, metrics.average_precision, metrics.top_lift):
        assert np.isnan(measure(metric, stayed, predicted))
    assert np.isnan(measure(metrics.normalised_gini, stayed, predicted))


def test_bootstrap_spread_matches_the_standard_error_of_a_mean() -> None:
    """The Brier score of a constant 0 is the churn rate: sd sqrt(p (1-p) / n)."""
    actual = (np.arange(2000) % 4 == 0).astype(float)
    drawn = bootstrap(
        {"brier": metrics.brier},
        actual,
        {"never": np.zeros(2000)},
        np.arange(2000).astype(str),
        draws=800,
        seed=1,
    )["never"]["brier"]
    assert drawn.mean() == pytest.approx(0.25, abs=0.002)
    assert drawn.std() == pytest.approx(np.sqrt(0.25 * 0.75 / 2000), rel=0.1)


def test_bootstrap_draws_are_shared_between_methods_and_repeat_with_the_seed() -> None:
    actual, predicted = churn_rows()
    ids = np.arange(len(actual)).astype(str)
    two = {"a": predicted, "b": predicted / 2}
    once = bootstrap({"auc": metrics.roc_auc}, actual, two, ids, draws=40, seed=9)
    again = bootstrap({"auc": metrics.roc_auc}, actual, two, ids, draws=40, seed=9)
    other = bootstrap({"auc": metrics.roc_auc}, actual, two, ids, draws=40, seed=8)
    assert np.array_equal(once["a"]["auc"], once["b"]["auc"])
    assert np.array_equal(once["a"]["auc"], again["a"]["auc"])
    assert not np.array_equal(once["a"]["auc"], other["a"]["auc"])


def test_bootstrap_draws_all_rows_of_a_customer_together() -> None:
    """Each customer's two errors cancel, so every draw of customers has total ratio exactly 1."""
    actual = np.tile([1.0, 3.0], 50)
    predicted = np.tile([3.0, 1.0], 50)
    drawn = bootstrap(
        {"ratio": metrics.total_ratio},
        actual,
        {"m": predicted},
        np.repeat(np.arange(50), 2).astype(str),
        draws=30,
        seed=2,
    )
    assert drawn["m"]["ratio"] == pytest.approx(np.ones(30))
