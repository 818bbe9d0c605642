"""Cutoffs and the half-open windows around them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


class CutoffError(ValueError):
    """A cutoff that cannot be used; the message says why and which one can."""


def cutoff_from(text: str, zone: ZoneInfo) -> datetime:
    """Read a cutoff: a date is the start of that day in `zone`. Returns aware UTC.

    Raises CutoffError for anything but an ISO date.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CutoffError(f"cutoff {text!r} is not a date; write it as 2024-06-30") from None
    return start_of_day(day, zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day` in `zone`, as aware UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar day in `zone` on which `instant` falls."""
    return instant.astimezone(zone).date()


def shift_days(cutoff: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The start of the local day `days` calendar days after that of `cutoff`."""
    return start_of_day(local_day(cutoff, zone) + timedelta(days=days), zone)


def is_matured(cutoff: datetime, horizon_days: int, watermark: datetime, zone: ZoneInfo) -> bool:
    """Whether the horizon after `cutoff` lies wholly before the data's `watermark`."""
    return shift_days(cutoff, horizon_days, zone) <= watermark


def day_number(instant: datetime, zone: ZoneInfo) -> int:
    """The local calendar day of `instant` as days since 1970-01-01, as the snapshot's `day`."""
    return (local_day(instant, zone) - date(1970, 1, 1)).days
