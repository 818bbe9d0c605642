"""The rows of a live call as the API takes and documents them, from the data contract."""

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from features.config import TableName
from features.contracts import TABLES, Column
from features.live.readings import TIME_PATTERN

MOST_ROWS: dict[TableName, int] = {
    "customers": 1,
    "orders": 5_000,
    "events": 20_000,
    "subscriptions": 500,
    "tickets": 2_000,
    "surveys": 2_000,
}
"""Rows of each table that one call may bring: some ten times what a busy customer has."""
_LONGEST = {"id": 200, "time": 40, "text": 10_000}
_LONGEST_NAME = 200

_TIME_NOTE = "ISO 8601; without a zone it is read in the company's, a date as the day's start"


@dataclass(frozen=True)
class RowOf:
    """Marks a mapping as one row of a canonical table: typed, and closed to other columns.

    Customers may have further columns, the attributes that the company's configuration names.
    """

    table: TableName

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """How a row is checked, which is how it is documented."""
        table = TABLES[self.table]
        fields = {
            column.name: core_schema.typed_dict_field(
                _value(column), required=column.required and column.name != "customer_id"
            )
            for column in table.columns
        }
        if self.table != "customers":
            return core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)
        return core_schema.typed_dict_schema(
            fields, extra_behavior="allow", extras_schema=_attribute(), strict=True
        )


def _value(column: Column) -> CoreSchema:
    kind = _kind(column)
    return kind if column.required else core_schema.nullable_schema(kind)


def _kind(column: Column) -> CoreSchema:
    if column.kind in ("money", "number", "whole"):
        return core_schema.float_schema(
            allow_inf_nan=False, ge=column.minimum, le=column.maximum, strict=True
        )
    if column.kind == "boolean":
        return core_schema.bool_schema(strict=True)
    longest = _LONGEST["text"] if column.name == "text" else _LONGEST_NAME
    if column.kind == "time":
        documented = {"pattern": TIME_PATTERN, "description": _TIME_NOTE}
        return core_schema.str_schema(
            max_length=_LONGEST["time"],
            strict=True,
            metadata={"pydantic_js_updates": documented},
        )
    return core_schema.str_schema(
        min_length=1 if column.kind == "id" else None, max_length=longest, strict=True
    )


def _attribute() -> CoreSchema:
    number = core_schema.float_schema(allow_inf_nan=False, strict=True)
    text = core_schema.str_schema(max_length=_LONGEST_NAME, strict=True)
    return core_schema.nullable_schema(core_schema.union_schema([number, text]))
