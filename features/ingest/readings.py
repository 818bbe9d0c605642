"""SQL that reads the raw text of a source into typed values under canonical names."""

from features.config import SourceConfig, TableName
from features.contracts import TABLES, Table
from features.ingest.mapping import LOOKUP_KEYS, Binding, lookup_target
from features.ingest.normalise import (
    cleaned,
    id_value,
    literal,
    number_value,
    quoted,
    time_value,
    typed_value,
)
from features.ingest.rules import text_of
from features.sources.source import RawTable

FOUND_TIME = "found_time"
"""Column with the main time of the row through which the customer was looked up."""
LIFTED = '"~lifted"'
"""Column that says whether a bare date was read as the earlier time of its day."""

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


def readings(
    table: Table, source: SourceConfig, raw: RawTable, bindings: list[Binding], zone: str
) -> str:
    """SQL for the rows of `raw` with cleaned texts (`text_of`), typed values and `~excluded`."""
    return (
        f"WITH texts AS ({_texts(raw, source, bindings)}), "
        f"typed AS ({_typed(raw, source, bindings, zone)}) "
        f"{_aligned(table, bindings, zone)}"
    )


def _texts(raw: RawTable, source: SourceConfig, bindings: list[Binding]) -> str:
    cells = [
        f"{_cell(raw, binding, part)} AS {text_of(binding, place)}"
        for binding in bindings
        for place, part in enumerate(binding.parts)
    ]
    excluded = [
        f"coalesce(trim({quoted(name)}) IN ({', '.join(map(literal, values))}), false)"
        for name, values in source.exclude.items()
        if values
    ]
    condition = " OR ".join(excluded) or "false"
    return (
        f'SELECT source_file, source_row, {", ".join(cells)}, {condition} AS "~excluded" '
        f"FROM {raw.relation}"
    )


def _cell(raw: RawTable, binding: Binding, part: str) -> str:
    if part in raw.typed and binding.how != "constant":
        return f"nullif({quoted(part)}, 'nan')"
    return cleaned(
        literal(part) if binding.how == "constant" else quoted(part), binding.column.kind
    )


def _typed(raw: RawTable, source: SourceConfig, bindings: list[Binding], zone: str) -> str:
    values = [
        f"{_value(raw, source, binding, zone)} AS {quoted(binding.column.name)}"
        for binding in bindings
    ]
    target = lookup_target(source)
    joined = _lookup(target, bindings) if target else ""
    found = f", {FOUND_TIME}" if target else ""
    return f"SELECT texts.*, {', '.join(values)}{found} FROM texts{joined}"


def _lookup(target: TableName, bindings: list[Binding]) -> str:
    key, time = LOOKUP_KEYS[target], TABLES[target].time
    text = next(text_of(binding) for binding in bindings if binding.how == "lookup")
    return (
        f" LEFT JOIN (SELECT {key} AS found_key, min(customer_id) AS found_customer, "
        f"min({time}) AS {FOUND_TIME} FROM {target} GROUP BY {key}) "
        f"ON {id_value(text)} = found_key"
    )


def _value(raw: RawTable, source: SourceConfig, binding: Binding, zone: str) -> str:
    def number(part: int) -> str:
        text = text_of(binding, part)
        native = binding.parts[part] in raw.typed
        return f"TRY_CAST({text} AS DOUBLE)" if native else number_value(text, source.decimal)

    native = binding.how == "constant" or binding.parts[0] in raw.typed
    date_format = None if native else source.date_format
    if binding.how == "lookup":
        return "found_customer"
    if binding.how == "product":
        return " * ".join(number(part) for part in range(len(binding.parts)))
    if binding.how == "duration":
        microseconds = f"{number(1)} * {_SECONDS[binding.via]} * 1e6"
        start = time_value(text_of(binding), zone, date_format)
        return f"{start} + to_microseconds(TRY_CAST({microseconds} AS BIGINT))"
    column = binding.column
    value = typed_value(
        text_of(binding),
        column,
        zone=zone,
        decimal="." if native else source.decimal,
        date_format=date_format,
    )
    if column.otherwise is None:
        return value
    other = f"CASE WHEN {text_of(binding)} IS NOT NULL THEN {literal(column.otherwise)} END"
    return f"coalesce({value}, {other})"


def _aligned(table: Table, bindings: list[Binding], zone: str) -> str:
    """A bare date that is the day of the time it must not precede is read as that time."""
    names = {binding.column.name for binding in bindings}
    pairs = [pair for pair in table.order if names.issuperset(pair)]
    if not pairs:
        return f"SELECT *, false AS {LIFTED} FROM typed"
    conditions = {
        second: f"coalesce({second} < {first} AND "
        f"timezone('{zone}', {second}) = date_trunc('day', timezone('{zone}', {first})), false)"
        for first, second in pairs
    }
    replaced = ", ".join(
        f"CASE WHEN {conditions[second]} THEN {first} ELSE {second} END AS {second}"
        for first, second in pairs
    )
    lifted = " OR ".join(conditions.values())
    return f"SELECT * REPLACE ({replaced}), {lifted} AS {LIFTED} FROM typed"
