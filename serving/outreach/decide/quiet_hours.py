"""When a person may be written to: quiet hours on their own clock, summer time included."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True)
class SendWindow:
    """The half-open span `[opens, closes)` in which a message may leave, in UTC."""

    opens: datetime
    closes: datetime


@dataclass(frozen=True)
class QuietHours:
    """Nothing is sent from `start` to `end` on the person's clock; equal times mean never quiet."""

    start: time = time(21)
    end: time = time(8)

    def window(self, now: datetime, within: timedelta, zone: str) -> SendWindow | None:
        """The first window that opens at or after `now` and before `now + within`.

        It closes when quiet hours begin again, or with `now + within`. None when it is quiet all
        the while, and for a zone that nobody knows: what cannot be looked up is not sent.
        """
        try:
            quiet = self._quiet(now, within, ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None
        opens, latest = now.astimezone(UTC), now.astimezone(UTC) + within
        for begins, ends in quiet:
            if begins <= opens < ends:
                opens = ends
        closes = min((begins for begins, _ in quiet if begins > opens), default=latest)
        return SendWindow(opens, min(closes, latest)) if opens < latest else None

    def _quiet(
        self, now: datetime, within: timedelta, zone: ZoneInfo
    ) -> list[tuple[datetime, datetime]]:
        """The quiet spans around `now` in UTC, in order."""
        if self.start == self.end:
            return []
        first = now.astimezone(zone).date() - timedelta(days=1)
        overnight = timedelta(days=1 if self.start > self.end else 0)
        spans = []
        for days in range(within.days + 4):
            day = first + timedelta(days=days)
            begins = _instants(datetime.combine(day, self.start), zone)
            ends = _instants(datetime.combine(day + overnight, self.end), zone)
            spans.append((min(begins), max(ends)))
        return spans


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a wall clock: they differ when clocks change, and quiet takes the longer."""
    return (
        wall.replace(tzinfo=zone, fold=0).astimezone(UTC),
        wall.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )
