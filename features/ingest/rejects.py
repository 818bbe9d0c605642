"""Rejected rows: the reason, what to do about it, and the file that keeps them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from features.contracts import SURVEY_SCALES
from features.ingest.date_formats import fitting_formats, time_advice
from features.ingest.normalise import literal, number_value, quoted
from features.ingest.report import Rejection, share
from features.ingest.rules import SET_ASIDE
from features.ingest.staging import Staged

_SENTENCES: Mapping[str, str] = {
    "broken_line": "do not parse: {column}",
    "missing_customer_id": "have no customer_id",
    "missing_value": "have no {column}",
    "unreadable_time": "have an unreadable {column}",
    "unreadable_number": "have {a_column} that is no number",
    "unreadable_boolean": "have {a_column} that is neither yes nor no",
    "unknown_value": "have {a_column} that is not one of the known values",
    "unknown_key": "name an id that is in no accepted row of the table looked up",
    "other_currency": "have {a_column} in another currency",
    "absurd_number": "have {a_column} beyond belief",
    "off_scale": "have {a_column} off its scale",
    "implausible_time": "have {a_column} that stands for an empty date",
    "future_time": "have {a_column} in the future",
    "beyond_span": "have {a_column} far past the end of all the others",
    "out_of_order": "have {a_column} before the time it must follow",
    "duplicate_id": "repeat the {column} of an earlier row",
    "duplicate_row": "repeat an earlier row in full",
    "stale_change": "come later than a change that follows them by their {column}",
}
_ADVISED_VALUES = 1000


def rejections(connection: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[Rejection, ...]:
    """Why rows of `staged` were rejected, commonest first, with an example and advice each."""
    kept = ", ".join(literal(code) for code in SET_ASIDE)
    found = connection.execute(
        f'SELECT verdict.code, verdict."column", count(*), '
        "arg_min(verdict.value, (source_file, source_row)) "
        f"FROM {staged.relation} WHERE verdict.code NOT IN ({kept}) GROUP BY ALL "
        "UNION ALL SELECT 'broken_line', problem, count(*), "
        f"arg_min(line, (source_file, source_row)) FROM {staged.raw.broken} GROUP BY ALL "
        "ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    judged = _accepted(connection, staged) + sum(row[2] for row in found)
    return tuple(
        Rejection(
            staged.table.name,
            code,
            "" if code == "broken_line" else column,
            rows,
            rows / judged,
            example,
            _sentence(code, column, rows, judged, example),
            _advice(connection, staged, code, column),
        )
        for code, column, rows, example in found
    )


def set_aside(connection: duckdb.DuckDBPyConnection, staged: Staged) -> dict[str, int]:
    """Rows left out by wish: why, to how many."""
    return {
        said: rows
        for code, said in SET_ASIDE.items()
        if (rows := _count(connection, f"{staged.relation} WHERE verdict.code = '{code}'"))
    }


def write_rejects(connection: duckdb.DuckDBPyConnection, staged: Staged, folder: Path) -> None:
    """Write the rejected rows to `folder`/<table>.parquet, with reason and raw values as JSON.

    Nothing is written when no row was rejected.
    """
    kept = ", ".join(literal(code) for code in SET_ASIDE)
    raw = staged.raw
    values = ", ".join(f"{quoted(name)} := raw.{quoted(name)}" for name in raw.columns)
    rows = (
        "SELECT source_file, source_row, verdict.code AS reason, "
        f'verdict."column" AS "column", verdict.value AS value, '
        f"to_json(struct_pack({values})) AS raw "
        f"FROM {staged.relation} JOIN {raw.relation} AS raw USING (source_file, source_row) "
        f"WHERE verdict.code NOT IN ({kept}) "
        "UNION ALL SELECT source_file, source_row, 'broken_line', problem, NULL, "
        f"to_json(line) FROM {raw.broken} ORDER BY 1, 2"
    )
    file = literal(str(folder / f"{staged.table.name}.parquet"))
    if _count(connection, f"({rows})"):
        connection.execute(f"COPY ({rows}) TO {file} (FORMAT parquet, COMPRESSION zstd)")


def _accepted(connection: duckdb.DuckDBPyConnection, staged: Staged) -> int:
    return _count(connection, f"{staged.relation} WHERE verdict IS NULL")


def _count(connection: duckdb.DuckDBPyConnection, what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0]) if row else 0


def _sentence(code: str, column: str, rows: int, judged: int, example: str | None) -> str:
    shown = f" (first: {example[:80]!r})" if example else ""
    article = "an" if column[:1] in tuple("aeio") else "a"
    sentence = _SENTENCES[code].format(column=column, a_column=f"{article} {column}")
    return f"{share(rows, judged)} {sentence}{shown}"


def _advice(connection: duckdb.DuckDBPyConnection, staged: Staged, code: str, column: str) -> str:
    section = f"sources.{staged.table.name}"
    if code == "unreadable_time":
        return _format_advice(connection, staged, column)
    if code == "unreadable_number":
        return _decimal_advice(connection, staged, column)
    return _ADVICE[code](section, column, staged)


def _format_advice(connection: duckdb.DuckDBPyConnection, staged: Staged, column: str) -> str:
    return time_advice(
        f"sources.{staged.table.name}.date_format",
        staged.source.date_format,
        fitting_formats(connection, _failed(connection, staged, column)),
        mixed=_count(
            connection, f"{staged.relation} WHERE verdict IS NULL AND {quoted(column)} IS NOT NULL"
        )
        > 0,
    )


def _decimal_advice(connection: duckdb.DuckDBPyConnection, staged: Staged, column: str) -> str:
    other = "," if staged.source.decimal == "." else "."
    row = connection.execute(
        f"SELECT count({number_value('v', other)}) FROM (SELECT unnest(?::VARCHAR[]) AS v)",
        [failed := _failed(connection, staged, column)],
    ).fetchone()
    if row and failed and row[0] == len(failed):
        setting = f"sources.{staged.table.name}.decimal"
        return f"they use {other!r} before the fraction; set {setting}: {other!r}"
    return f"correct them, or leave {column} unmapped"


def _failed(connection: duckdb.DuckDBPyConnection, staged: Staged, column: str) -> list[str]:
    rows = connection.execute(
        f"SELECT DISTINCT verdict.value FROM {staged.relation} "
        "WHERE starts_with(verdict.code, 'unreadable') AND verdict.\"column\" = ? "
        f"ORDER BY 1 LIMIT {_ADVISED_VALUES}",
        [column],
    ).fetchall()
    return [row[0] for row in rows]


def _known_values(_: str, column: str, staged: Staged) -> str:
    return f"write one of: {', '.join(staged.table.column(column).choices)}"


def _scale_advice(section: str, _: str, __: Staged) -> str:
    scales = ", ".join(f"{kind} {low:g}..{high:g}" for kind, (low, high) in SURVEY_SCALES.items())
    return (
        f"scores are read as {scales}; for another scale set {section}.scales, as in csat: [1, 10]"
    )


def _duplicate_advice(_: str, column: str, staged: Staged) -> str:
    return (
        f"the first row of each was kept; give one row per {staged.table.grain}, "
        f"or map another column to {column}"
    )


_ADVICE: Mapping[str, Callable[[str, str, Staged], str]] = {
    "broken_line": lambda section, _, __: (
        f"quote fields that hold the delimiter, or set {section}.delimiter"
    ),
    "missing_customer_id": lambda section, _, __: (
        f"if these are guest orders set {section}.guests: true"
    ),
    "missing_value": lambda section, column, _: f"fill it, or map {section}.columns.{column} anew",
    "unreadable_boolean": lambda *_: "write true or false",
    "unknown_value": _known_values,
    "unknown_key": lambda section, *_: f"check {section}.columns.customer_id and the other table",
    "other_currency": lambda section, *_: (
        f"convert them to the configured currency, or leave them out with {section}.exclude"
    ),
    "absurd_number": lambda section, *_: f"correct them; check {section}.decimal",
    "off_scale": _scale_advice,
    "implausible_time": lambda *_: "leave the field empty where there is no time",
    "future_time": lambda section, *_: f"correct them; check {section}.date_format and timezone",
    "beyond_span": lambda section, *_: f"correct them; check {section}.date_format",
    "out_of_order": lambda section, column, _: (
        f"check that {section}.{'trail' if column == 'changed_at' else 'columns'}.{column} "
        "is not swapped with another"
    ),
    "duplicate_id": _duplicate_advice,
    "duplicate_row": lambda *_: "if a file was delivered twice, remove one",
    "stale_change": lambda section, *_: (
        f"the later change stands; check {section}.trail.sequence and trail.changed_at"
    ),
}
