"""Recognising a log of ticket changes, and guessing which statuses mean what."""

from collections.abc import Mapping, Sequence

from features.config import TrailConfig
from features.guess.headers import name_score
from features.guess.matching import ColumnGuess, Sheet

FOLDED = ("first_response_at", "resolved_at", "reopened_at", "escalated_at")
"""Columns that a trail's statuses tell; in a log they were often filled in afterwards."""

_REPEATS = 1.1
_MOST_STATUSES = 25
_SURE_NAME = 0.6
_CHANGED_AT = ("updated at", "changed at", "modified at", "change time", "event time", "diubah")
_STATUS = ("status", "state", "ticket status", "incident state", "status tiket")
_SEQUENCE = ("mod count", "sequence", "version", "revision", "change number", "urutan")
_WAITING = ("new", "open", "opened", "submitted", "unassigned", "baru", "dibuka")
_RESOLVED = ("resolved", "closed", "solved", "done", "completed", "selesai", "ditutup")


def guess_trail(
    sheet: Sheet, chosen: Mapping[str, ColumnGuess], date_format: str | None
) -> TrailConfig | None:
    """How the sheet logs changes of tickets; None when it is not seen to be such a log."""
    ticket = chosen.get("ticket_id")
    if sheet.table != "tickets" or ticket is None:
        return None
    if sheet.profiles[ticket.source].repeats < _REPEATS:
        return None
    times = [name for name in sheet.profiles if _has_format(sheet, name, date_format)]
    changed_at = _best(times, _CHANGED_AT)
    few = [name for name, column in sheet.profiles.items() if column.distinct <= _MOST_STATUSES]
    status = _best(few, _STATUS)
    if changed_at is None or status is None:
        return None
    listed = sorted(set(sheet.profiles[status].values))
    resolved = [value for value in listed if value.lower() in _RESOLVED]
    if not resolved:
        return None
    return TrailConfig(
        changed_at=changed_at,
        sequence=_best(_whole(sheet), _SEQUENCE),
        status=status,
        waiting=_first_status(listed),
        resolved=resolved,
    )


def _first_status(listed: Sequence[str]) -> list[str]:
    """The status in which a ticket is born: `open` means that, unless there is a `new`."""
    born = [value for value in listed if value.lower() in _WAITING]
    return sorted(born, key=lambda value: _WAITING.index(value.lower()))[:1]


def _has_format(sheet: Sheet, name: str, date_format: str | None) -> bool:
    shape = sheet.profiles[name].time
    if shape is None:
        return False
    return shape.format(day_first=sheet.order.day_first) == date_format


def _whole(sheet: Sheet) -> list[str]:
    return [
        name
        for name, column in sheet.profiles.items()
        if column.values and all(value.isdecimal() for value in column.values)
    ]


def _best(names: Sequence[str], phrases: tuple[str, ...]) -> str | None:
    scores = {name: name_score(name, phrases) for name in names}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] >= _SURE_NAME else None
