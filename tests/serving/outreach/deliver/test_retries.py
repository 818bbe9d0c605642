"""The retry schedule, by hand from Standard Webhooks 1.0.0."""

from datetime import UTC, datetime, timedelta

import pytest

from serving.outreach.deliver.retries import SCHEDULE, after_attempt
from serving.outreach.message import Receipt

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED = Receipt("retry", "503")


def wait(attempts: int, receipt: Receipt = FAILED, draw: float = 0.5) -> timedelta:
    state, next_at = after_attempt(attempts, receipt, NOW, None, draw)
    assert state == "pending"
    return next_at - NOW


def test_ten_attempts_are_made_over_75_hours_and_35_minutes() -> None:
    """Section "Retries" of the specification: 0, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h."""
    waits = [wait(attempts) for attempts in range(1, 10)]
    assert tuple(waits) == SCHEDULE[1:]
    assert sum(waits, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert after_attempt(10, FAILED, NOW, None, 0.5) == ("dead", NOW)


@pytest.mark.parametrize(("draw", "minutes"), [(0.0, 4), (0.25, 4.5), (0.5, 5), (1.0, 6)])
def test_the_draw_moves_the_wait_by_a_fifth_at_most(draw: float, minutes: float) -> None:
    assert wait(2, draw=draw) == timedelta(minutes=minutes)


def test_a_retry_after_only_lengthens_the_wait() -> None:
    asked = Receipt("throttled", "429", retry_after_seconds=3_600)
    assert wait(1, asked) == timedelta(hours=1)
    assert wait(5, asked) == timedelta(hours=5)
    assert wait(1, Receipt("retry", "503", retry_after_seconds=-9)) == timedelta(seconds=5)


def test_an_absurd_retry_after_is_cut_to_thirty_days() -> None:
    asked = Receipt("throttled", "429", retry_after_seconds=1e12)
    assert wait(1, asked) == timedelta(days=30)


def test_a_message_that_would_be_too_late_expires_at_once() -> None:
    soon = NOW + timedelta(minutes=5)
    assert after_attempt(1, FAILED, NOW, soon, 0.5)[0] == "pending"
    assert after_attempt(2, FAILED, NOW, soon, 0.5)[0] == "expired"


def test_answers_for_good_end_the_message_and_a_410_does_not() -> None:
    ends = {
        verdict: after_attempt(10, Receipt(verdict), NOW, None, 0.5)[0]
        for verdict in ("delivered", "refused", "unknown", "gone")
    }
    assert ends == {
        "delivered": "delivered",
        "refused": "dead",
        "unknown": "unknown",
        "gone": "pending",
    }
