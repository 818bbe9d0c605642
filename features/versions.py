"""Tables whose rows are states of a thing, each known for a while: what stood at a cutoff."""

import re
from datetime import datetime

KNOWN_FROM, KNOWN_UNTIL = "known_from", "known_until"
"""A state is known at the cutoffs in (known_from, known_until]; the last has no end (NULL)."""

_STATEMENT_WORDS = re.compile(r"'[^']*'|\w+")


def versions_of(table: str) -> str:
    """The relation that holds every state of the rows of `table`."""
    return f"{table}_versions"


def rows_as_of(table: str, cutoff: datetime | None) -> str:
    """SQL for the rows of a versioned `table` as they stood at `cutoff`; None is the end.

    History is what was known before the cutoff, so a change at the cutoff itself is not in it.
    """
    versions = f"SELECT * EXCLUDE ({KNOWN_FROM}, {KNOWN_UNTIL}) FROM {versions_of(table)} WHERE "
    if cutoff is None:
        return f"{versions}{KNOWN_UNTIL} IS NULL"
    instant = f"TIMESTAMPTZ '{cutoff.isoformat(sep=' ')}'"
    return (
        f"{versions}{KNOWN_FROM} < {instant} "
        f"AND ({KNOWN_UNTIL} IS NULL OR {KNOWN_UNTIL} >= {instant})"
    )


def is_read_by(table: str, query: str) -> bool:
    """Whether `query` may read `table`: its name is one of the words of the statement."""
    return table in _STATEMENT_WORDS.findall(query)
