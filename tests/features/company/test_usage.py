"""Generated usage fades before dropout, and subscriptions end for a reason."""

import numpy as np
import pytest

from features.company.usage import presence
from tests.features.planted_company import NOTHING, ask, planted


def test_usage_fades_before_dropout_and_only_then() -> None:
    last_weeks = """
        SELECT count(*) FILTER (d > gone - 15) / count(*) FILTER (d <= gone - 60 AND d > gone - 75)
        FROM (SELECT day(occurred_at) AS d, day(dropped_out_at) AS gone FROM events
              JOIN truth USING (customer_id) JOIN customers USING (customer_id)
              WHERE dropped_out_at IS NOT NULL AND day(signed_up_at) < day(dropped_out_at) - 80)
    """
    # Over the last 15 of 45 fading days, 0.7 * (1 - 7.5 / 45) of the usage is gone.
    assert ask(planted(), last_weeks)[0] == pytest.approx(1 - 0.7 * (1 - 7.5 / 45), abs=0.08)
    assert ask(planted(NOTHING), last_weeks)[0] == pytest.approx(1.0, abs=0.1)


def test_subscriptions_end_by_choice_only_after_dropout() -> None:
    wrong, unnamed = ask(
        planted(),
        """
        SELECT count(*) FILTER (end_reason = 'voluntary'
                                AND ended_at < coalesce(dropped_out_at, 'infinity')),
               count(*) FILTER ((ended_at IS NULL) <> (end_reason IS NULL))
        FROM subscriptions JOIN truth USING (customer_id)
        """,
    )
    assert (wrong, unnamed) == (0, 0)


def test_presence_falls_from_one_to_what_the_fade_leaves() -> None:
    times = np.array([0.0, 55.0, 77.5, 99.999, 100.0])
    left = presence(times, np.full(5, 100), 0.8)
    assert left == pytest.approx([1.0, 1.0, 0.6, 0.2, 0.0], abs=1e-4)
