"""Which customer ids are one person: who was held out, or suppressed, under one is so under all."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_COLUMNS = ("customer_id", "merged_id")


class IdentityError(ValueError):
    """The file of merged customers cannot be used; the message says what to change."""


class Identities:
    """The ids of each person; who was never merged is alone under their own."""

    def __init__(self, merged: Iterable[tuple[str, str]] = ()) -> None:
        """Take pairs of the id that a person goes by and an id that was merged into it."""
        parent: dict[str, str] = {}
        for kept, gone in merged:
            parent.setdefault(kept, kept)
            parent.setdefault(gone, gone)
            parent[_root(parent, gone)] = _root(parent, kept)
        groups: dict[str, list[str]] = defaultdict(list)
        for one in parent:
            groups[_root(parent, one)].append(one)
        self._group = {one: tuple(sorted(group)) for group in groups.values() for one in group}

    def of(self, customer_id: str) -> tuple[str, ...]:
        """Every id of the person known as `customer_id`, that one first."""
        others = self._group.get(customer_id, ())
        return (customer_id, *(one for one in others if one != customer_id))

    def person(self, customer_id: str) -> str:
        """One id for the whole person, the same whichever of theirs is asked for."""
        return self._group.get(customer_id, (customer_id,))[0]


def read_identities(path: Path | None) -> Identities:
    """The merged customers of a CSV file with customer_id and merged_id; none without a file.

    Raises IdentityError when the file is missing or lacks one of the columns.
    """
    if path is None:
        return Identities()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            lacking = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if lacking:
                raise IdentityError(f"{path} has no column {lacking[0]}; give {_COLUMNS}")
            return Identities((row["customer_id"], row["merged_id"]) for row in rows)
    except OSError as error:
        raise IdentityError(
            f"outreach.merged: {path} cannot be read ({error.strerror}); nobody is contacted "
            "without it, because a held-out customer might be"
        ) from None


def _root(parent: dict[str, str], one: str) -> str:
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one
