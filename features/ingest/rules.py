"""The rules a row must keep to be accepted, as SQL conditions with the code each one rejects by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from features.config import SourceConfig, SurveyKind
from features.contracts import SURVEY_SCALES, Table
from features.forgotten import Forgotten
from features.ingest.mapping import Binding
from features.ingest.normalise import currency_mark, literal, marks_of, quoted

SET_ASIDE: Mapping[str, str] = {
    "excluded": "excluded by the configuration",
    "guest": "guests, without a customer",
    "forgotten": "of customers who were erased",
}
"""Codes of rows that are left out by wish rather than rejected, and how to say so."""

_UNREADABLE = {
    "time": "unreadable_time",
    "money": "unreadable_number",
    "number": "unreadable_number",
    "whole": "unreadable_number",
    "boolean": "unreadable_boolean",
    "choice": "unknown_value",
}
Scale = tuple[float, float]
_NUMERIC = ("money", "number", "whole")
# Excel's day zero and the epoch are what an empty date turns into on its way through programs.
_IMPLAUSIBLE = "{time} < TIMESTAMPTZ '1900-01-02 00:00:00+00' OR epoch_us({time}) = 0"


@dataclass(frozen=True)
class Rule:
    """A condition under which a row is rejected, and the value to show for it."""

    code: str
    column: str
    condition: str
    value: str


def text_of(binding: Binding, part: int = 0) -> str:
    """The identifier under which staging holds the cleaned text of a binding's part."""
    return quoted(f"~{binding.column.name}~{part}")


def row_rules(
    table: Table,
    source: SourceConfig,
    bindings: list[Binding],
    currency: str,
    now: datetime,
    forgotten: Forgotten,
) -> list[Rule]:
    """The rules of `table` over one staged row, the first that holds deciding.

    They read the cleaned texts (`text_of`), the typed values under canonical names, and
    `~excluded`.
    """
    return [
        *_erased(forgotten),
        Rule("excluded", "", '"~excluded"', "NULL"),
        *_missing(table, source, bindings),
        *_unreadable(bindings),
        *_foreign(bindings, currency),
        *_absurd(bindings),
        *_off_scale(table, source, bindings),
        *_untimely(table, bindings, now),
        *_out_of_order(table, bindings),
    ]


def verdict(rules: list[Rule]) -> str:
    """SQL for the first rule a row breaks as a struct (code, column, value); NULL for none."""
    cases = " ".join(
        f"WHEN {rule.condition} THEN {struct(rule.code, rule.column, rule.value)}" for rule in rules
    )
    return f"CASE {cases} END"


def struct(code: str, column: str, value: str) -> str:
    """SQL for one verdict."""
    return (
        f"{{'code': {literal(code)}, 'column': {literal(column)}, "
        f"'value': CAST({value} AS VARCHAR)}}"
    )


def _erased(forgotten: Forgotten) -> Iterator[Rule]:
    if forgotten:
        yield Rule("forgotten", "", forgotten.condition("customer_id"), "NULL")


def _present(binding: Binding) -> str:
    texts = [text_of(binding, part) for part in range(len(binding.parts))]
    return "(" + " AND ".join(f"{text} IS NOT NULL" for text in texts) + ")"


def _shown(binding: Binding) -> str:
    texts = [text_of(binding, part) for part in range(len(binding.parts))]
    return f"concat_ws({literal(' * ' if binding.how == 'product' else ' + ')}, {', '.join(texts)})"


def _missing(table: Table, source: SourceConfig, bindings: list[Binding]) -> Iterator[Rule]:
    by_name = {binding.column.name: binding for binding in bindings}
    for name in table.required:
        code = "missing_value"
        if name == "customer_id":
            code = "guest" if source.guests else "missing_customer_id"
        yield Rule(code, name, f"NOT {_present(by_name[name])}", "NULL")
    times = [name for name in (table.time, table.time_fallback) if name in by_name]
    if table.time_fallback:
        absent = " AND ".join(f"NOT {_present(by_name[str(name)])}" for name in times)
        yield Rule("missing_value", str(times[0]), f"({absent})", "NULL")


def _unreadable(bindings: list[Binding]) -> Iterator[Rule]:
    for binding in bindings:
        name, kind = quoted(binding.column.name), binding.column.kind
        if binding.how == "lookup":
            yield Rule("unknown_key", binding.column.name, f"{name} IS NULL", text_of(binding))
        elif kind in _UNREADABLE and binding.column.otherwise is None:
            failed = f"{name} IS NULL"
            if kind in _NUMERIC:
                failed += f" OR NOT isfinite({name})"
            if kind == "whole":
                failed += f" OR {name} <> floor({name})"
            condition = f"{_present(binding)} AND ({failed})"
            yield Rule(_UNREADABLE[kind], binding.column.name, condition, _shown(binding))


def _foreign(bindings: list[Binding], currency: str) -> Iterator[Rule]:
    own = ", ".join(literal(mark) for mark in sorted(marks_of(currency) | {""}))
    for binding in bindings:
        if binding.column.kind != "money":
            continue
        for part in range(len(binding.parts)):
            text = text_of(binding, part)
            # Looking for marks costs a regular expression; a plain number cannot bear one.
            condition = (
                f"TRY_CAST({text} AS DOUBLE) IS NULL AND {currency_mark(text)} NOT IN ({own})"
            )
            yield Rule("other_currency", binding.column.name, condition, text)


def _absurd(bindings: list[Binding]) -> Iterator[Rule]:
    for binding in bindings:
        column, name = binding.column, quoted(binding.column.name)
        limits = [
            f"{name} {sign} {limit}"
            for sign, limit in (("<", column.minimum), (">", column.maximum))
            if limit is not None
        ]
        if limits:
            yield Rule("absurd_number", column.name, " OR ".join(limits), _shown(binding))


def survey_scale(scales: Mapping[SurveyKind, Scale], kind: str) -> Scale:
    """The lowest and highest score of a survey kind, where a source's own are `scales`."""
    given = (scale for name, scale in scales.items() if name == kind)
    return next(given, SURVEY_SCALES[kind])


def _off_scale(table: Table, source: SourceConfig, bindings: list[Binding]) -> Iterator[Rule]:
    scored = [binding for binding in bindings if binding.column.name == "score"]
    if table.name != "surveys" or not scored:
        return
    for kind in SURVEY_SCALES:
        lowest, highest = survey_scale(source.scales, kind)
        condition = f"kind = {literal(kind)} AND score NOT BETWEEN {lowest} AND {highest}"
        yield Rule("off_scale", "score", condition, f"kind || ' ' || {text_of(scored[0])}")


def _untimely(table: Table, bindings: list[Binding], now: datetime) -> Iterator[Rule]:
    for binding in bindings:
        if binding.column.kind != "time":
            continue
        name = quoted(binding.column.name)
        shown = _shown(binding)
        yield Rule("implausible_time", binding.column.name, _IMPLAUSIBLE.format(time=name), shown)
        if binding.column.name not in table.future:
            condition = f"{name} > TIMESTAMPTZ {literal(now.isoformat(' '))}"
            yield Rule("future_time", binding.column.name, condition, shown)


def _out_of_order(table: Table, bindings: list[Binding]) -> Iterator[Rule]:
    by_name = {binding.column.name: binding for binding in bindings}
    for first, second in table.order:
        if first in by_name and second in by_name:
            condition = f"{quoted(second)} < {quoted(first)}"
            shown = f"{_shown(by_name[second])} || ' before ' || {_shown(by_name[first])}"
            yield Rule("out_of_order", second, condition, shown)
