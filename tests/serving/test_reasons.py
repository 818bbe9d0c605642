"""Reasons: what is said of contributions worked out by hand."""

import math

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from serving.reasons import Explanation, Narrator

NAMES = (
    "orders_days_since_last",
    "orders_frequency",
    "orders_spend_90d",
    "orders_spend_365d",
    "orders_refund_count_90d",
)
CONTRACT = FeatureContract(
    columns=(
        *(FeatureColumn(name=name, definition="d") for name in NAMES),
        FeatureColumn(
            name="customers_segment",
            kind="category",
            categories=("home", "office"),
            definition="d",
        ),
    )
)
ROW = (143.0, 4.0, 50.0, 900.0, 0.0, 1.0)


def explain(
    contributions: tuple[float, ...],
    row: tuple[float, ...] = ROW,
    *,
    at_risk: bool = True,
    language: str = "en",
) -> Explanation:
    narrator = Narrator(CONTRACT, language, "EUR")
    (explanation,) = narrator.explain(np.array([row]), np.array([contributions]), [at_risk])
    return explanation


def themes(explanation: Explanation) -> list[str]:
    return [reason.theme for reason in explanation.reasons]


def test_a_theme_weighs_the_sum_of_its_features() -> None:
    """Spending 0.3 + 0.3 comes before recency 0.5, though no single feature does."""
    told = explain((0.5, 0.1, 0.3, 0.3, 0.0, 0.0))
    assert themes(told) == ["spending", "recency", "frequency"]
    assert told.reasons[0].log_odds == pytest.approx(0.6)


def test_for_a_customer_at_risk_what_raises_risk_comes_first() -> None:
    contributions = (0.2, -0.9, 0.1, 0.0, 0.0, 0.0)
    assert themes(explain(contributions)) == ["recency", "spending", "frequency"]
    assert themes(explain(contributions, at_risk=False)) == ["frequency", "recency", "spending"]


def test_the_strongest_feature_of_a_theme_speaks_for_it_with_its_value() -> None:
    told = explain((0.0, 0.0, 0.1, 0.4, 0.0, 0.0))
    assert told.reasons[0].text == "Spent 900 EUR in the last 365 days (raises risk)"


def test_a_feature_that_pulls_against_its_theme_does_not_speak_for_it() -> None:
    """-0.4 is the largest in size, but spending lowers risk by 0.3 - 0.4 only through it."""
    told = explain((0.0, 0.0, 0.3, -0.4, 0.0, 0.0))
    assert told.reasons[0].text == "Spent 900 EUR in the last 365 days (lowers risk)"


def test_reasons_are_told_in_indonesian() -> None:
    told = explain((0.5, 0.0, 0.0, -0.2, 0.0, 0.0), language="id")
    assert [reason.text for reason in told.reasons] == [
        "Pesanan terakhir 143 hari lalu (menaikkan risiko)",
        "Belanja 900 EUR dalam 365 hari terakhir (menurunkan risiko)",
    ]
    assert told.next_step == "Kirim pesan ajakan kembali"


def test_a_category_is_told_by_its_name() -> None:
    told = explain((0.0, 0.0, 0.0, 0.0, 0.0, 0.7))
    assert told.reasons[0].text == "Segment: office (raises risk)"


def test_a_missing_value_is_told_in_words() -> None:
    told = explain((0.4, 0.0, 0.0, 0.0, 0.0, 0.0), (math.nan, *ROW[1:]))
    assert told.reasons[0].text == "Has never ordered (raises risk)"


def test_the_next_step_follows_the_strongest_theme_a_team_can_act_on() -> None:
    """Segment weighs most but nobody can act on it; recency is next."""
    told = explain((0.3, 0.0, 0.0, 0.0, 0.1, 0.9), (143.0, 4.0, 50.0, 900.0, 2.0, 1.0))
    assert themes(told)[0] == "customers_segment"
    assert told.next_step == "Send a win-back message"


def test_a_problem_that_never_happened_asks_for_no_step() -> None:
    """No refunds may raise the model's risk, but there are no returned orders to ask about."""
    told = explain((0.0, 0.0, 0.0, 0.0, 0.4, 0.0))
    assert themes(told) == ["refunds"]
    assert told.next_step == "Call to ask how things are going"


def test_a_customer_not_at_risk_needs_no_step() -> None:
    told = explain((0.5, 0.0, 0.0, 0.0, 0.0, 0.0), at_risk=False)
    assert told.next_step == "Watch; the risk is still low"


def test_no_reason_names_a_feature_or_a_column() -> None:
    told = explain((0.5, 0.4, 0.3, 0.2, 0.1, 0.6))
    assert all("_" not in reason.text for reason in told.reasons)
