"""When a message is tried again: the example schedule of Standard Webhooks 1.0.0, with jitter."""

from datetime import datetime, timedelta

from serving.outreach.message import Receipt, State

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long the n-th attempt waits after the one before it: ten attempts in 75 h 35 min."""

_JITTER = 0.2
_LONGEST = timedelta(days=30)
"""An endpoint that asks for more has not meant it."""


def after_attempt(
    attempts: int, receipt: Receipt, now: datetime, not_after: datetime | None, draw: float
) -> tuple[State, datetime]:
    """What becomes of a message by its attempt number `attempts`, and when it is next due.

    `draw` in [0, 1) moves the wait by up to 20 % either way; a Retry-After only lengthens it.
    """
    if receipt.verdict in ("delivered", "unknown"):
        return ("delivered" if receipt.verdict == "delivered" else "unknown"), now
    if receipt.verdict == "gone":  # Not the message's fault: it waits for the endpoint's return.
        return "pending", now
    if receipt.verdict == "refused" or attempts >= len(SCHEDULE):
        return "dead", now
    wait = SCHEDULE[attempts] * (1 - _JITTER + 2 * _JITTER * draw)
    next_at = now + max(wait, asked_wait(receipt))
    expired = not_after is not None and next_at >= not_after
    return ("expired" if expired else "pending"), next_at


def asked_wait(receipt: Receipt) -> timedelta:
    """The wait that the endpoint asked for; zero if it did not."""
    asked = min(receipt.retry_after_seconds or 0.0, _LONGEST.total_seconds())
    return timedelta(seconds=max(asked, 0.0))
