"""Date formats that would read the times a source failed on, for the advice beside a rejection."""

from collections.abc import Sequence
from itertools import product

import duckdb

_DATES = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%Y.%m.%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%Y-%m-%d",
)
_CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", ", %H:%M:%S", "T%H:%M:%S")
_CANDIDATES = (*(date + clock for date, clock in product(_DATES, _CLOCKS)), "%s")
_EPOCH = r"1\d{9}(\d{3})?"


def fitting_formats(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> list[str]:
    """The formats that read every one of `values`, likeliest first; empty when none does."""
    if not values:
        return []
    counts = ", ".join(
        f"bool_and(regexp_full_match(v, '{_EPOCH}'))"
        if each == "%s"
        else f"bool_and(try_strptime(v, '{each}') IS NOT NULL)"
        for each in _CANDIDATES
    )
    row = connection.execute(
        f"SELECT {counts} FROM (SELECT unnest(?::VARCHAR[]) AS v)", [list(values)]
    ).fetchone()
    return [each for each, fits in zip(_CANDIDATES, row or (), strict=False) if fits]


def time_advice(setting: str, current: str | None, fitting: Sequence[str], mixed: bool) -> str:
    """What to do about unreadable times, of which `fitting` formats would read all.

    `setting` is the configuration key; `mixed` says that other rows could be read.
    """
    if not fitting:
        wanted = "ISO times (2024-12-31 23:59)" if current is None else f"times like {current}"
        return f"they fit no common format; export {wanted}, or set {setting}"
    shown = " or ".join(repr(each) for each in fitting[:2])
    if mixed:
        return f"the column mixes formats ({shown} reads the rest); export it in one"
    if current is not None and fitting[0] == "%Y-%m-%d":
        return f"they are ISO times; leave {setting} out"
    if len(fitting) > 1:
        return f"day and month can be either way round; set {setting} to {shown}"
    return f"set {setting}: {shown}"
