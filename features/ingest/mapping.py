"""The column mapping: which source columns fill each canonical column, and how."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from features.config import SourceConfig, TableName
from features.contracts import Column, ContractError, Table

LOOKUP_KEYS: Mapping[TableName, str] = {
    "subscriptions": "subscription_id",
    "tickets": "ticket_id",
    "orders": "order_id",
}
"""Table through which a customer can be looked up, to the id that names its rows."""

_ARROW = re.compile(r"(.+?)\s*->\s*(\w+)")
_SUM = re.compile(r"(.+?) \+ (.+?) (seconds|minutes|hours|days)")
_NUMBERS = ("money", "number", "whole")

How = Literal["copy", "product", "duration", "lookup", "constant"]


@dataclass(frozen=True)
class Binding:
    """How one canonical column, or attribute of customers, is filled."""

    column: Column
    how: How
    parts: tuple[str, ...]
    """Source columns, in order; for a constant, its value."""
    via: str = ""
    """The unit of a duration, or the table of a lookup."""


def bind(table: Table, source: SourceConfig, present: Sequence[str]) -> list[Binding]:
    """How each mapped column of `table` is filled from the source's columns `present`.

    A canonical column that is not mapped is taken from the source column of the same name,
    if there is one.

    Raises ContractError for a name that neither side knows, with the nearest that it does, and
    for a required column that nothing fills.
    """
    _refuse_unknown(table, source)
    _refuse_absent(table, "exclude", source.exclude, present)
    bindings = [
        binding
        for column in table.columns
        if (binding := _bound(table, column, source, present)) is not None
    ]
    _require(table, {binding.column.name for binding in bindings}, present)
    return bindings + _attributes(table, source, present)


def lookup_target(source: SourceConfig) -> TableName | None:
    """The table through which `source` finds its customers, if it names one."""
    found = _ARROW.fullmatch(source.columns.get("customer_id", ""))
    return next((name for name in LOOKUP_KEYS if found and found[2] == name), None)


def _refuse_unknown(table: Table, source: SourceConfig) -> None:
    for key, given in (("columns", source.columns), ("constants", source.constants)):
        for name in given:
            if name not in table.names:
                raise ContractError(
                    f"sources.{table.name}.{key}: {table.name} has no column {name!r}; "
                    + nearest(name, table.names)
                )
    both = sorted(set(source.columns) & set(source.constants))
    if both:
        raise ContractError(
            f"sources.{table.name}: {both[0]!r} has both a column and a constant; keep one"
        )
    if source.attributes and table.name != "customers":
        raise ContractError(
            f"sources.{table.name}.attributes: only customers can have attributes; move them there"
        )


def _refuse_absent(table: Table, key: str, names: Iterable[str], present: Sequence[str]) -> None:
    for name in names:
        if name not in present:
            raise ContractError(
                f"sources.{table.name}.{key}: the source has no column {name!r}; "
                + nearest(name, present)
            )


def _bound(
    table: Table, column: Column, source: SourceConfig, present: Sequence[str]
) -> Binding | None:
    if column.name in source.constants:
        return Binding(column, "constant", (source.constants[column.name],))
    written = source.columns.get(column.name)
    if written is None:
        return Binding(column, "copy", (column.name,)) if column.name in present else None
    binding = (
        Binding(column, "copy", (written,)) if written in present else _parsed(column, written)
    )
    _refuse_absent(table, f"columns.{column.name}", binding.parts, present)
    if binding.how == "lookup" and binding.via not in LOOKUP_KEYS:
        raise ContractError(
            f"sources.{table.name}.columns.{column.name}: customers cannot be looked up in "
            f"{binding.via!r}; {nearest(binding.via, list(LOOKUP_KEYS))}"
        )
    return binding


def _parsed(column: Column, written: str) -> Binding:
    if column.kind in _NUMBERS and " * " in written:
        return Binding(column, "product", tuple(part.strip() for part in written.split(" * ")))
    if column.kind == "time" and (found := _SUM.fullmatch(written)):
        return Binding(column, "duration", (found[1], found[2]), found[3])
    if column.name == "customer_id" and (found := _ARROW.fullmatch(written)):
        return Binding(column, "lookup", (found[1],), found[2])
    return Binding(column, "copy", (written,))


def _require(table: Table, filled: set[str], present: Sequence[str]) -> None:
    either = (table.time, table.time_fallback)
    wanted = list(table.required)
    if table.time_fallback and not filled & set(either):
        wanted.append(table.time_fallback)
    missing = [name for name in wanted if name not in filled]
    if missing:
        raise ContractError(
            f"{table.name}: nothing fills the required column {missing[0]!r}; set "
            f"sources.{table.name}.columns.{missing[0]} to one of: {', '.join(present)}"
        )


def _attributes(table: Table, source: SourceConfig, present: Sequence[str]) -> list[Binding]:
    _refuse_absent(table, "attributes", source.attributes, present)
    clash = sorted(set(source.attributes) & set(table.names))
    if clash:
        raise ContractError(
            f"sources.{table.name}.attributes: {clash[0]!r} is a column of the contract already; "
            "leave it out"
        )
    return [
        Binding(Column(name, "number" if kind == "numeric" else "text"), "copy", (name,))
        for name, kind in source.attributes.items()
    ]


def nearest(name: str, valid: Sequence[str]) -> str:
    """A hint at the nearest of `valid`, or the list of them when none is near."""
    folded = {other.lower(): other for other in valid}
    close = difflib.get_close_matches(name.lower(), list(folded), 1, cutoff=0.5)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    return f"there are: {', '.join(valid)}"
