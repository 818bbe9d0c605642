"""Vendors' grades by hand, from their published sentences."""

from datetime import datetime

import numpy as np
import pytest

from features.config import ChurnConfig
from features.feature_contract import FeatureColumn, FeatureContract
from training.dataset import Dataset
from training.judging.grades import braze_quality, churn_grades, dynamics_churn, dynamics_value


def rows(column: str, values: np.ndarray, **labels: np.ndarray) -> Dataset:
    contract = FeatureContract(
        columns=(FeatureColumn(name=column, kind="numeric", definition="made"),)
    )
    ids = np.arange(len(values)).astype(str)
    cutoffs = np.full(len(values), datetime(2024, 1, 1), dtype="datetime64[us]")
    return Dataset(values[:, None].astype(float), ids, cutoffs, contract, **labels)


CHURNED = np.array([1.0] * 4 + [0.0] * 6)


@pytest.mark.parametrize(
    ("flagged", "rate", "grade"),
    [
        # Three of four churners and one stayer flagged: recall and precision 75 %, 80 % right.
        ([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], 0.68, "A"),
        ([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], 0.70, "B"),
        ([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], 0.76, "C"),
        # Everybody flagged: recall 100 %, but only 40 % right.
        ([1] * 10, 0.10, "C"),
        # All churners and two stayers: recall 100 %, precision 67 %.
        ([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], 0.70, "A by recall / C by precision"),
    ],
)
def test_dynamics_grades_churn_by_accuracy_and_the_share_right_among_churners(
    flagged: list[int], rate: float, grade: str
) -> None:
    propensity = np.where(np.array(flagged) == 1, 0.5, 0.49)
    assert dynamics_churn(CHURNED, propensity, rate).grade == grade


def test_nobody_flagged_is_a_c() -> None:
    assert dynamics_churn(CHURNED, np.full(10, 0.4), 0.1).grade == "C"


def test_the_transaction_baseline_is_the_best_silence_by_halves_of_the_horizon() -> None:
    """Halves of 90 days are 45 and 22.5; silence over 22.5 days flags churners 1 to 4 exactly."""
    silent = np.array([30.0, 40, 44, 60, 1, 2, 3, 4, 5, 20])
    test = rows("orders_days_since_last", silent, churned=CHURNED)
    propensity = np.where(CHURNED == 1, 0.9, 0.1)
    dynamics, braze = churn_grades(test, test, propensity, ChurnConfig(horizon_days=90))
    assert dynamics.grade == "B"
    assert "recall 100.0% against 100.0%" in dynamics.because
    assert (braze.grade, braze.because) == ("excellent", "lift quality 100.0%")


def test_subscriptions_are_held_against_the_historical_churn_rate() -> None:
    test = rows("subscriptions_count", np.zeros(10), churned=CHURNED)
    grades = churn_grades(
        test, test, np.where(CHURNED == 1, 0.9, 0.1), ChurnConfig(label="subscription")
    )
    assert "recall 100.0% against 40.0%" in grades[0].because
    assert grades[0].grade == "A"


def test_events_without_orders_have_no_transaction_grade() -> None:
    test = rows("events_days_since_last", np.zeros(10), churned=CHURNED)
    grades = churn_grades(test, test, np.linspace(1, 0, 10), ChurnConfig(activity="events"))
    assert [grade.rule for grade in grades] == ["Braze, prediction quality"]


@pytest.mark.parametrize(
    ("below", "word"),
    [(21, "excellent"), (20, "excellent"), (18, "good"), (15, "fair"), (13, "poor")],
)
def test_braze_words_follow_the_published_bands(below: int, word: str) -> None:
    """One churner above so many of 25 stayers: lift quality 2 x below / 25 - 1, 20 % at 15."""
    propensity = np.append(np.arange(25.0), below - 0.5)
    quality = braze_quality(np.append(np.zeros(25), 1.0), propensity)
    assert quality.because == f"lift quality {2 * below / 25 - 1:.1%}"
    assert quality.grade == word


def test_dynamics_grades_value_by_the_customers_of_high_value_found() -> None:
    """Past spending of 50, 30 and little else: two hold 80 %, so two are of high value."""
    spent = np.array([50.0, 30, 5, 5, 5, 5])
    value = np.array([9.0, 0, 8, 1, 0, 0])
    test = rows("orders_spend_365d", spent, value=value)
    found_both = dynamics_value(test, value)
    as_before = dynamics_value(test, spent)
    neither = dynamics_value(test, -value)
    assert found_both is not None
    assert as_before is not None
    assert neither is not None
    assert (found_both.grade, as_before.grade, neither.grade) == ("A", "B", "C")
    assert found_both.because == (
        "found 100.0% of the 2 customers of high value, past spending 50.0%"
    )


def test_value_is_not_graded_without_spending_or_value() -> None:
    assert dynamics_value(rows("orders_T", np.ones(3), value=np.ones(3)), np.ones(3)) is None
    nothing = rows("orders_spend_365d", np.zeros(3), value=np.ones(3))
    assert dynamics_value(nothing, np.ones(3)) is None
