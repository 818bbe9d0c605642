"""One value of a call read as the contract has it: the twins of the readings of a source."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from features.contracts import Column
from features.ingest.normalise import choice_of, cleaned_text, id_of

Reading = Callable[[Any], Any]
"""A JSON value to what the snapshot would hold; None where that is nothing.

Raises ValueError, saying what would be right, for a value that cannot be read.
"""

TIME_PATTERN = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d"
    r"(:[0-5]\d([.]\d{1,6})?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?$"
)
_FIRST = datetime(1900, 1, 2, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reading_of(column: Column, zone: ZoneInfo) -> Reading:
    """How the values of `column` are read; a time without a zone is read in `zone`."""
    if column.kind == "time":
        return partial(_time, zone=zone)
    if column.kind == "choice":
        return partial(_choice, column=column)
    if column.kind == "id":
        return _id
    if column.kind == "text":
        return _text
    if column.kind == "boolean":
        return bool
    return _whole if column.kind == "whole" else _number


def instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant that ISO 8601 `text` writes, in UTC; a date is the start of that day in `zone`.

    Raises ValueError for other forms, and for the day zero that programs write for no date.
    """
    if not re.match(TIME_PATTERN, text):
        raise _not_a_time(text)
    try:
        written = datetime.fromisoformat(text)
        at = written.astimezone(UTC) if written.tzinfo else _in_zone(written, zone)
    except (ValueError, OverflowError):
        raise _not_a_time(text) from None
    if at < _FIRST or at == _EPOCH:
        raise ValueError(f"{text!r} stands for no date in many programs; write null for no time")
    return at


def _not_a_time(text: str) -> ValueError:
    return ValueError(
        f"{text[:40]!r} is not a time; write it as 2026-06-29T10:30:00+07:00 or 2026-06-29"
    )


def _in_zone(written: datetime, zone: ZoneInfo) -> datetime:
    """A wall time as the engine reads it: of the two an hour change allows, the later."""
    both = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return max(each.astimezone(UTC) for each in both)


def _time(text: str, zone: ZoneInfo) -> datetime | None:
    cleaned = cleaned_text(text, "time")
    return None if cleaned is None else instant(cleaned, zone)


def _choice(text: str, column: Column) -> str | None:
    cleaned = cleaned_text(text, "choice")
    if cleaned is None:
        return None
    chosen = choice_of(cleaned, column) or column.otherwise
    if chosen is None:
        raise ValueError(f"{cleaned[:40]!r} is none of: {', '.join(column.choices)}")
    return chosen


def _id(text: str) -> str | None:
    cleaned = cleaned_text(text, "id")
    return None if cleaned is None else id_of(cleaned)


def _text(text: str | float) -> str | None:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not text")
    return cleaned_text(text, "text")


def _number(number: str | float) -> float:
    if isinstance(number, str):
        raise ValueError(f"{number[:40]!r} is not a number")
    return number


def _whole(number: float) -> float:
    if number != int(number):
        raise ValueError(f"{number:g} is not a whole number")
    return number
