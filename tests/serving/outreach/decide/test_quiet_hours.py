"""Nobody is written to at night, on their own clock, also when clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.outreach.decide.quiet_hours import QuietHours, SendWindow

NIGHT = QuietHours(time(21), time(8))
DAY = timedelta(hours=24)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "now", "opens", "closes"),
    [
        # Jakarta is UTC+7 all year: 20:59 is open for a minute, 21:00 waits for 08:00.
        ("Asia/Jakarta", "2026-03-01T13:59", "2026-03-01T13:59", "2026-03-01T14:00"),
        ("Asia/Jakarta", "2026-03-01T14:00", "2026-03-02T01:00", "2026-03-02T14:00"),
        # New York springs forward on 2026-03-08 at 02:00: that morning's 08:00 is 12:00 UTC.
        ("America/New_York", "2026-03-07T12:30", "2026-03-07T13:00", "2026-03-08T02:00"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T12:00", "2026-03-09T01:00"),
        # It falls back on 2026-11-01: 08:00 is 12:00 UTC the day before, 13:00 that day.
        ("America/New_York", "2026-10-31T11:00", "2026-10-31T12:00", "2026-11-01T01:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T13:00", "2026-11-02T01:30"),
        # Lord Howe moves by half an hour (UTC+10:30 to +11) on 2026-10-04.
        ("Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T21:00", "2026-10-04T10:00"),
    ],
)
def test_the_window_opens_and_closes_by_the_persons_clock(
    zone: str, now: str, opens: str, closes: str
) -> None:
    assert NIGHT.window(utc(now), DAY, zone) == SendWindow(utc(opens), utc(closes))


def test_an_end_that_the_clock_shows_twice_is_taken_at_its_second_showing() -> None:
    """New York shows 01:30 at 05:30 and at 06:30 UTC on 2026-11-01."""
    until_half_past_one = QuietHours(time(22), time(1, 30))
    window = until_half_past_one.window(utc("2026-11-01T05:45"), DAY, "America/New_York")
    assert window is not None
    assert window.opens == utc("2026-11-01T06:30")


def test_a_start_that_the_clock_skips_is_taken_at_its_earlier_reading() -> None:
    """02:30 does not exist in New York on 2026-03-08; quiet begins by 06:30 UTC, 01:30 there."""
    early = QuietHours(time(2, 30), time(9))
    window = early.window(utc("2026-03-08T06:00"), DAY, "America/New_York")
    assert window == SendWindow(utc("2026-03-08T06:00"), utc("2026-03-08T06:30"))


def test_a_message_that_may_wait_only_an_hour_finds_no_window_at_night() -> None:
    assert NIGHT.window(utc("2026-03-01T14:00"), timedelta(hours=1), "Asia/Jakarta") is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "Asia"])
def test_a_zone_that_nobody_knows_is_always_quiet(zone: str) -> None:
    assert NIGHT.window(utc("2026-03-01T03:00"), DAY, zone) is None


def test_equal_times_mean_never_quiet() -> None:
    now = utc("2026-03-01T20:00")
    assert QuietHours(time(0), time(0)).window(now, DAY, "Asia/Jakarta") == SendWindow(
        now, now + DAY
    )


@given(
    st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Jakarta"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.times(),
    st.times(),
    st.integers(0, 999),
)
def test_no_instant_of_a_window_is_quiet_on_the_wall_clock(
    zone: str, now: datetime, start: time, end: time, part: int
) -> None:
    window = QuietHours(start, end).window(now.replace(tzinfo=UTC), DAY, zone)
    if window is None or start == end:
        return
    instant = window.opens + (window.closes - window.opens) * part // 1_000
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None).time()
    assert not (start <= shown < end if start < end else shown >= start or shown < end)
