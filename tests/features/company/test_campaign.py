"""The generated campaign is randomised, and its effects are found again."""

import pytest

from tests.features.planted_company import NOTHING, ask, planted

CONTRAST = """
    WITH bought AS (
        SELECT DISTINCT customer_id, contacted_at FROM contacts JOIN orders USING (customer_id)
        WHERE amount > 0 AND ordered_at >= contacted_at
          AND ordered_at < contacted_at + INTERVAL 90 DAY),
    entries AS (
        SELECT arm, (bought.customer_id IS NULL)::INT AS lost
        FROM contacts JOIN truth_contacts USING (customer_id, contacted_at)
        LEFT JOIN bought USING (customer_id, contacted_at)
        WHERE contact_group = '{group}')
    SELECT avg(lost) FILTER (arm = 'treatment') - avg(lost) FILTER (arm = 'holdout'), count(*)
    FROM entries
"""


def test_contact_keeps_the_persuadable_and_loses_the_sleeping() -> None:
    """Churn within 90 days, treated against held out."""
    kept, entries = ask(planted(), CONTRAST.format(group="persuadable"))
    assert entries > 1_500
    assert kept < -0.05
    assert ask(planted(), CONTRAST.format(group="sleeping_dog"))[0] > 0.02
    assert ask(planted(), CONTRAST.format(group="unmoved"))[0] == pytest.approx(0.0, abs=0.025)


def test_without_effect_contact_changes_nothing() -> None:
    """Nobody is in debt then, so everyone is either unmoved or a content subscriber."""
    for group in ("sleeping_dog", "unmoved"):
        effect, _ = ask(planted(NOTHING), CONTRAST.format(group=group))
        assert effect == pytest.approx(0.0, abs=0.03)


def test_arms_are_balanced() -> None:
    """Half of the entries are treated, and both arms had bought alike before."""
    share, entries, rates = ask(
        planted(),
        """
        SELECT avg((arm = 'treatment')::INT), count(*),
               avg(CASE WHEN arm = 'treatment' THEN purchase_rate END)
               / avg(CASE WHEN arm = 'holdout' THEN purchase_rate END)
        FROM contacts JOIN truth USING (customer_id)
        """,
    )
    assert share == pytest.approx(0.5, abs=4 * 0.5 / entries**0.5)
    assert rates == pytest.approx(1.0, abs=0.04)
