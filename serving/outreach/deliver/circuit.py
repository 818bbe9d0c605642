"""Whether an endpoint is spoken to: its failures in a row, its pauses, and its end by a 410."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from serving.outreach.deliver.retries import asked_wait
from serving.outreach.message import Receipt

BREAKS_AT = 5
"""Failures in a row that break the circuit."""

_SHORTEST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """How an endpoint fares, over all workers."""

    failures: int = 0
    """In a row, since its last answer that was none."""
    failing_since: datetime | None = None
    closed_until: datetime | None = None
    """Nothing is sent before; then one message is, to see."""
    disabled_at: datetime | None = None
    """Set by a 410; nothing is sent until somebody enables the endpoint."""
    detail: str | None = None

    def admits(self, most: int, now: datetime) -> int:
        """How many of `most` messages may be sent now: all, one to see, or none."""
        if self.disabled_at or (self.closed_until and now < self.closed_until):
            return 0
        return 1 if self.closed_until else most

    @property
    def is_broken(self) -> bool:
        """Whether so many attempts failed in a row that the others would too."""
        return self.failures >= BREAKS_AT

    def after(self, receipts: Iterable[Receipt], now: datetime) -> "Circuit":
        """The circuit once these answers have come, in order, the last of them at `now`."""
        circuit = self
        for receipt in receipts:
            circuit = circuit._after_one(receipt, now)
        return circuit

    def _after_one(self, receipt: Receipt, now: datetime) -> "Circuit":
        if receipt.verdict in ("delivered", "refused"):
            # A pause that the endpoint asked for holds; answers sent before it may still come in.
            paused = self.closed_until if self.closed_until and now < self.closed_until else None
            return replace(Circuit(), closed_until=paused, disabled_at=self.disabled_at)
        failing = replace(
            self,
            failures=self.failures + 1,
            failing_since=self.failing_since or now,
            detail=receipt.detail,
        )
        if receipt.verdict == "gone":
            return replace(failing, disabled_at=self.disabled_at or now)
        if receipt.verdict == "throttled":
            failing = failing._paused(asked_wait(receipt) or _SHORTEST_PAUSE, now)
        return failing._paused(failing._pause(now), now) if failing.is_broken else failing

    def _pause(self, now: datetime) -> timedelta:
        """As long as it has been failing: each pause about doubles the last."""
        failing = now - (self.failing_since or now)
        return min(max(failing, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def _paused(self, pause: timedelta, now: datetime) -> "Circuit":
        return replace(self, closed_until=max(self.closed_until or now, now + pause))
