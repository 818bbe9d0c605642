"""Texts of a source read into numbers while its rows are staged; the words go no further."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
from duckdb.func import ARROW

from features.contracts import TEXT_COLUMNS
from features.ingest.mapping import Binding
from features.text.reading import read_text

_FUNCTION = "text_numbers"
_TYPES = {
    "whole": ("BIGINT", pa.int64()),
    "text": ("VARCHAR", pa.string()),
    "number": ("DOUBLE", pa.float64()),
    "boolean": ("BOOLEAN", pa.bool_()),
}
_SQL = ", ".join(f"{column.name} {_TYPES[column.kind][0]}" for column in TEXT_COLUMNS)
_ARROW = pa.struct([(column.name, _TYPES[column.kind][1]) for column in TEXT_COLUMNS])


def kept_of_text(bindings: Sequence[Binding]) -> list[str]:
    """The columns that stand for the text in a snapshot; none when no text is mapped."""
    has_text = any(binding.column.name == "text" for binding in bindings)
    return [column.name for column in TEXT_COLUMNS] if has_text else []


def text_notes(bindings: Sequence[Binding]) -> dict[str, str]:
    """What could not be made of a text, to the condition on the rows that hold its numbers."""
    unknown = "text_language IS NOT DISTINCT FROM 'unknown'"
    said = "text not known as Indonesian or English, so without a sentiment"
    return {said: unknown} if kept_of_text(bindings) else {}


def text_numbers(connection: duckdb.DuckDBPyConnection, bindings: Sequence[Binding]) -> list[str]:
    """SQL select items that give those columns from the column `text`."""
    if not kept_of_text(bindings):
        return []
    query = f"SELECT 1 FROM duckdb_functions() WHERE function_name = '{_FUNCTION}'"
    if connection.execute(query).fetchone() is None:
        connection.create_function(
            _FUNCTION,
            _read,
            ["VARCHAR"],
            f"STRUCT({_SQL})",
            type=ARROW,
        )
    return [f"unnest({_FUNCTION}(text))"]


def _read(texts: pa.Array) -> pa.Array:
    return pa.array([read_text(text) for text in texts.to_pylist()], _ARROW)
