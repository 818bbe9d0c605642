"""Reasons: what is said of contributions worked out by hand."""

import math

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from serving.reasons import Explanation, Narrator
from training.typical import Typical

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


SUPPORT = FeatureContract(
    columns=tuple(
        FeatureColumn(name=name, definition="d")
        for name in (
            "orders_days_since_last",
            "tickets_count_90d",
            "tickets_first_response_hours_mean_90d",
            "tickets_late_answer_count_90d",
            "tickets_reopened_count_90d",
            "surveys_csat_last",
            "surveys_last_unanswered",
        )
    )
)
QUARTILES = Typical(
    low=(10.0, 0.0, 2.0, 0.0, 0.0, 3.0, 0.0), high=(90.0, 1.0, 20.0, 0.0, 0.0, 5.0, 1.0)
)


def explain(
    contributions: tuple[float, ...],
    row: tuple[float, ...] = ROW,
    *,
    at_risk: bool = True,
    language: str = "en",
    contract: FeatureContract = CONTRACT,
    typical: Typical | None = None,
) -> Explanation:
    narrator = Narrator(contract, language, "EUR", typical)
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
    told = explain((0.3, 0.0, 0.0, 0.0, 0.09, 0.9), (143.0, 4.0, 50.0, 900.0, 2.0, 1.0))
    assert themes(told)[0] == "customers_segment"
    assert told.next_step == "Send a win-back message"


def test_a_problem_that_never_happened_raises_no_risk() -> None:
    """The model may add for no refunds, but nobody leaves because there were none."""
    told = explain((0.0, 0.0, 0.0, 0.0, 0.4, 0.0))
    assert told.reasons == ()
    assert told.next_step == "Call to ask how things are going"


def test_a_problem_that_never_happened_asks_for_no_step() -> None:
    told = explain((0.0, 0.0, 0.0, 0.0, -0.4, 0.0), at_risk=False)
    assert themes(told) == ["refunds"]
    assert not told.reasons[0].actionable


@pytest.mark.parametrize(
    ("name", "absence", "sensible"),
    [
        ("orders_refund_count", "Has never had a refund", "lowers"),
        ("tickets_first_response_hours_last", "No ticket answered yet", "lowers"),
        ("subscriptions_days_since_price_rise", "Has never had a price rise", "lowers"),
        ("orders_days_since_last", "Has never ordered", "raises"),
        ("events_count_30d", "Has never used the service", "raises"),
    ],
)
def test_what_never_happened_speaks_only_where_that_makes_sense(
    name: str, absence: str, sensible: str
) -> None:
    contract = FeatureContract(columns=(FeatureColumn(name=name, definition="d"),))
    told = [
        reason.text
        for pull in (0.4, -0.4)
        for reason in explain((pull,), (math.nan,), contract=contract).reasons
    ]
    assert told == [f"{absence} ({sensible} risk)"]


def test_an_experience_that_raises_the_odds_by_a_tenth_comes_before_what_shows_it() -> None:
    """Silence since the last order is a sign; that a problem came back tells why."""
    row = (143.0, 1.0, 5.0, 0.0, 1.0, 3.0, 0.0)
    told = explain((0.9, 0.2, 0.0, 0.0, 0.1, 0.0, 0.0), row, contract=SUPPORT)
    assert themes(told) == ["unsolved", "recency", "support"]
    step = "Make sure the problem is solved for good before making any offer"
    assert told.next_step == step
    faint = explain((0.9, 0.2, 0.0, 0.0, 0.09, 0.0, 0.0), row, contract=SUPPORT)
    assert themes(faint) == ["recency", "support", "unsolved"]


def test_what_went_wrong_in_support_is_told_apart_from_how_much_there_was() -> None:
    row = (143.0, 1.0, 50.0, 1.0, 1.0, 3.0, 1.0)
    told = explain((0.0, 0.0, 0.2, 0.2, 0.3, 0.0, 0.0), row, contract=SUPPORT)
    assert themes(told) == ["waiting", "unsolved"]
    assert told.reasons[0].log_odds == pytest.approx(0.4)


def test_silence_towards_surveys_is_a_sign_and_a_low_score_an_experience() -> None:
    row = (143.0, 1.0, 5.0, 0.0, 0.0, 1.0, 1.0)
    told = explain((0.3, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5), row, contract=SUPPORT)
    assert themes(told) == ["satisfaction", "silence", "recency"]


def test_a_short_wait_does_not_speak_for_a_risk_that_waiting_raises() -> None:
    """1 hour is in the lowest quarter; that an answer came late speaks, though it weighs less."""
    row = (50.0, 1.0, 1.0, 2.0, 0.0, 4.0, 0.0)
    parts = (0.0, 0.0, 0.3, 0.1, 0.0, 0.0, 0.0)
    told = explain(parts, row, contract=SUPPORT, typical=QUARTILES)
    assert [reason.text for reason in told.reasons] == [
        "2 tickets answered late in the last 90 days (raises risk)"
    ]
    assert told.reasons[0].log_odds == pytest.approx(0.4)


def test_a_theme_in_which_nothing_agrees_with_its_effect_is_not_told() -> None:
    """A score of 5 is among the best and cannot raise the risk, nor can a long silence lower it."""
    row = (300.0, 1.0, 5.0, 0.0, 0.0, 5.0, 0.0)
    parts = (-0.4, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0)
    assert explain(parts, row, contract=SUPPORT, typical=QUARTILES).reasons == ()
    assert themes(explain(parts, row, contract=SUPPORT)) == ["satisfaction", "recency"]


def test_a_customer_not_at_risk_needs_no_step() -> None:
    told = explain((0.5, 0.0, 0.0, 0.0, 0.0, 0.0), at_risk=False)
    assert told.next_step == "Watch; the risk is still low"


def test_no_reason_names_a_feature_or_a_column() -> None:
    told = explain((0.5, 0.4, 0.3, 0.2, 0.1, 0.6))
    assert all("_" not in reason.text for reason in told.reasons)
