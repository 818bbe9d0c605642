"""Raw rows made into typed, judged rows: one staged relation and one accepted view per table."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from features.config import PipelineConfig, SourceConfig, TrailConfig
from features.contracts import SURVEY_SCALES, TABLES, Column, Table
from features.forgotten import NOBODY, Forgotten
from features.ingest.mapping import Binding, bind, lookup_target
from features.ingest.normalise import choice_value, is_float_id, literal, quoted
from features.ingest.readings import FOUND_TIME, LIFTED, readings
from features.ingest.rules import row_rules, struct, survey_scale, text_of, verdict
from features.ingest.texts import kept_of_text, text_notes, text_numbers
from features.ingest.trail import (
    change_source,
    change_table,
    folded_columns,
    reject_changes,
    states,
)
from features.sources.source import RawTable
from features.versions import rows_as_of, versions_of

SQL_TYPES = {
    "time": "TIMESTAMPTZ",
    "money": "DOUBLE",
    "number": "DOUBLE",
    "whole": "DOUBLE",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Staged:
    """One table with every source row typed and judged.

    `relation` has source_file, source_row, the mapped columns, one boolean for each note, and
    `verdict` (NULL: accepted). A view named after the table holds the accepted rows in full; of
    a log of changes, the things changed as they stand at the end.
    """

    table: Table
    source: SourceConfig
    raw: RawTable
    bindings: list[Binding]
    relation: str
    notes: dict[str, str]
    """What was read differently from how it was written, to what is true of such rows."""

    @property
    def mapped(self) -> tuple[str, ...]:
        """Contract columns that the source fills, in order."""
        names = {binding.column.name for binding in self.bindings}
        if self.source.trail:
            names |= folded_columns(self.source.trail)
        return tuple(name for name in TABLES[self.table.name].names if name in names)

    @property
    def kept(self) -> str:
        """The relation that goes into the snapshot: every state of a versioned table."""
        return versions_of(self.table.name) if self.source.trail else self.table.name


def stage(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    raw: RawTable,
    config: PipelineConfig,
    now: datetime,
    forgotten: Forgotten = NOBODY,
) -> Staged:
    """Type and judge every row of `raw`; rows later than `now` are rejected.

    A table looked up for customers must be staged already.

    Raises ContractError when the column mapping does not fit the source.
    """
    staged = typed_rows(connection, table, raw, config, now, forgotten)
    admit(connection, staged, config.timezone, last_believable(connection, staged))
    return staged


def typed_rows(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    raw: RawTable,
    config: PipelineConfig,
    now: datetime,
    forgotten: Forgotten,
) -> Staged:
    """Type and judge the rows of `raw`, each by itself: any part of a source gives its own rows."""
    source = config.sources[table.name]
    if source.trail:
        table, source = change_table(table, source, raw.columns), change_source(source)
    bindings = bind(table, source, raw.columns)
    notes = _notes(table, source, bindings)
    marks = {what: f"note_{place}" for place, what in enumerate(notes)}
    noted = [f"coalesce({notes[what]}, false) AS {mark}" for what, mark in marks.items()]
    names = [quoted(binding.column.name) for binding in bindings]
    if lookup_target(source):
        names.append(FOUND_TIME)
    names += text_numbers(connection, bindings)
    rules = row_rules(table, source, bindings, config.currency, now, forgotten)
    connection.execute(
        f"CREATE OR REPLACE TABLE staged_{table.name} AS "
        f"SELECT {', '.join(['source_file', 'source_row', *names, *noted])}, "
        f"{verdict(rules)} AS verdict "
        f"FROM ({readings(table, source, raw, bindings, config.timezone)})"
    )
    marks |= text_notes(bindings)
    return Staged(table, source, raw, bindings, f"staged_{table.name}", marks)


def admit(
    connection: duckdb.DuckDBPyConnection, staged: Staged, zone: str, believable: int | None
) -> None:
    """Judge rows beside each other, and show those accepted under the table's name.

    Rows that share their table's unique columns must all be here; `believable` is
    `last_believable` of the whole table.
    """
    _reject_stragglers(connection, staged, believable)
    _reject_duplicates(connection, staged)
    if staged.source.trail:
        _fold(connection, staged, staged.source.trail)
    rows = rows_as_of(staged.table.name, None) if staged.source.trail else _accepted(staged, zone)
    connection.execute(f"CREATE OR REPLACE VIEW {staged.table.name} AS {rows}")


def _fold(connection: duckdb.DuckDBPyConnection, staged: Staged, trail: TrailConfig) -> None:
    """Make the versions of a table from the log of its changes."""
    reject_changes(connection, staged.relation, staged.raw.relation, staged.raw.columns)
    contract = TABLES[staged.table.name].kept
    types = [SQL_TYPES.get(column.kind, "VARCHAR") for column in contract]
    bound = [binding.column.name for binding in staged.bindings] + kept_of_text(staged.bindings)
    connection.execute(
        f"CREATE OR REPLACE TABLE {staged.kept} AS {states(staged.relation, trail, bound, types)}"
    )


def _notes(table: Table, source: SourceConfig, bindings: list[Binding]) -> dict[str, str]:
    """What is read differently from how it is written, to the condition on such rows."""
    notes = {"a bare date read as the earlier time of its day": LIFTED}
    for binding in bindings:
        column, text = binding.column, text_of(binding)
        if column.kind == "id" and binding.how == "copy":
            notes[f"{column.name} like 12345.0 read as 12345"] = is_float_id(text)
        if column.otherwise is not None:
            unlisted = f"{text} IS NOT NULL AND {choice_value(text, column)} IS NULL"
            notes[f"{column.name} outside the list read as {column.otherwise!r}"] = unlisted
    names = {binding.column.name for binding in bindings}
    if table.name == "orders":
        notes["negative amounts or quantities read as returns"] = _is_return(names)
    if source.scales:
        kinds = ", ".join(literal(kind) for kind in source.scales)
        notes["scores moved to the standard scale"] = f"kind IN ({kinds}) AND score IS NOT NULL"
    return notes


def _is_return(names: set[str]) -> str:
    return "amount < 0 OR coalesce(quantity < 0, false)" if "quantity" in names else "amount < 0"


def last_believable(connection: duckdb.DuckDBPyConnection, staged: Staged) -> int | None:
    """The last time that activity may have, in microseconds since 1970; None when any may.

    A few mistyped years would otherwise move the watermark and make everyone look inactive, so
    activity far past the end of all but a hundredth of the rows is not believed.
    """
    table = staged.table
    if not table.is_activity:
        return None
    row = connection.execute(
        f"SELECT epoch_us(last + greatest(last - first, INTERVAL 365 DAY)) FROM ("
        f"SELECT quantile_disc({table.time}, 0.01) AS first, "
        f"quantile_disc({table.time}, 0.99) AS last "
        f"FROM {staged.relation} WHERE verdict IS NULL)"
    ).fetchone()
    return row[0] if row else None


def _reject_stragglers(
    connection: duckdb.DuckDBPyConnection, staged: Staged, believable: int | None
) -> None:
    if believable is None:
        return
    time = str(staged.table.time)
    connection.execute(
        f"UPDATE {staged.relation} SET verdict = {struct('beyond_span', time, time)} "
        f"WHERE verdict IS NULL AND epoch_us({time}) > {believable}"
    )


def _reject_duplicates(connection: duckdb.DuckDBPyConnection, staged: Staged) -> None:
    """Reject all but the first row of each key, in the order of the source."""
    unique = [name for name in staged.table.unique or () if name in staged.mapped]
    if not unique:
        return
    connection.execute(
        f"UPDATE {staged.relation} SET verdict = {struct('duplicate_id', unique[0], unique[0])} "
        "WHERE (source_file, source_row) IN (SELECT (source_file, source_row) "
        f"FROM {staged.relation} WHERE verdict IS NULL "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(unique)} "
        "ORDER BY source_file, source_row) > 1)"
    )


def _accepted(staged: Staged, zone: str) -> str:
    table = staged.table
    shaped = _shaped_orders(staged) if table.name == "orders" else {}
    if table.name == "surveys" and "score" in staged.mapped:
        shaped = {"score": _standard_score(staged.source)}
    columns = [_accepted_column(staged, column, shaped) for column in table.kept]
    columns += [
        quoted(binding.column.name)
        for binding in staged.bindings
        if binding.column.name not in table.names
    ]
    if table.name in ("orders", "events"):
        local = f"CAST(timezone('{zone}', {table.time}) AS DATE)"
        columns.append(f"CAST(datediff('day', DATE '1970-01-01', {local}) AS INTEGER) AS day")
    if table.name == "orders":
        columns.append(f"{_is_return(set(staged.mapped))} AS is_return")
    return f"SELECT {', '.join(columns)} FROM {staged.relation} WHERE verdict IS NULL"


def _accepted_column(staged: Staged, column: Column, shaped: dict[str, str]) -> str:
    filled = (*staged.mapped, *kept_of_text(staged.bindings))
    value = column.name if column.name in filled else "NULL"
    kind = SQL_TYPES.get(column.kind, "VARCHAR")
    return f"CAST({shaped.get(column.name, value)} AS {kind}) AS {column.name}"


def _shaped_orders(staged: Staged) -> dict[str, str]:
    """A return keeps no amount: what went back is a refund, known when it was booked."""
    returned = _is_return(set(staged.mapped))
    held = {
        name: name if name in staged.mapped else "NULL" for name in ("refunded_at", "refund_amount")
    }
    shaped = {
        "amount": f"CASE WHEN {returned} THEN 0 ELSE amount END",
        "refunded_at": f"CASE WHEN {returned} THEN ordered_at ELSE {held['refunded_at']} END",
        "refund_amount": f"CASE WHEN {returned} THEN abs(amount) ELSE {held['refund_amount']} END",
    }
    if "margin" in staged.mapped:
        shaped["margin"] = f"CASE WHEN {returned} THEN least(margin, 0) ELSE margin END"
    return shaped


def _standard_score(source: SourceConfig) -> str:
    cases = []
    for kind, (lowest, highest) in SURVEY_SCALES.items():
        low, high = survey_scale(source.scales, kind)
        if (low, high) != (lowest, highest):
            factor = (highest - lowest) / (high - low)
            cases.append(
                f"WHEN kind = '{kind}' THEN {lowest} + (score - {low}) * {factor!r}::DOUBLE"
            )
    return f"CASE {' '.join(cases)} ELSE score END" if cases else "score"
