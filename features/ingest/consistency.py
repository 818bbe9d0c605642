"""What accepted rows do not bear out: doubts within a table and between tables, with advice."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import duckdb

from features.config import TableName
from features.ingest.mapping import lookup_target
from features.ingest.normalise import quoted
from features.ingest.readings import FOUND_TIME
from features.ingest.report import share
from features.ingest.staging import Staged
from features.ingest.trail import trail_doubts
from features.sources.source import source_files

Tables = Mapping[TableName, Staged]

_APART_DAYS = 31
_FILES_SHOWN = 5
_AFTER_SIGNUP: Mapping[TableName, str] = {
    "subscriptions": "started_at",
    "tickets": "opened_at",
    "contacts": "contacted_at",
}
_NEEDS_TIME = (("orders", "refund_amount", "refunded_at"), ("surveys", "score", "answered_at"))
_GROUPED_THOUSANDS = r"\D*\d{1,3}\.\d{3}\D*"


def table_warnings(connection: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[str, ...]:
    """Doubts about one table, each a sentence with what to do."""
    name = staged.table.name
    if not _count(connection, f"SELECT count(*) FROM {name}"):
        return (f"no row was accepted; give it rows, or remove sources.{name}",)
    doubts = (_same_files, _copies, _never_known, _thousands, _overlaps, _trail)
    return tuple(warning for doubt in doubts for warning in doubt(connection, staged))


def cross_warnings(connection: duckdb.DuckDBPyConnection, tables: Tables) -> tuple[str, ...]:
    """What does not fit between tables, each a sentence with what to do."""
    doubts = (_strangers, _before_signup, _before_start, _unknown_tickets, _ends_apart)
    return tuple(warning for doubt in doubts for warning in doubt(connection, tables))


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _total(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return _count(connection, f"SELECT count(*) FROM {name}")


def _same_files(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    """Files of a folder or glob that hold the same rows, in whatever order and form."""
    if not staged.source.path or len(source_files(staged.source)) < 2:
        return
    columns = ", ".join(quoted(name) for name in staged.raw.columns)
    found = connection.execute(
        "SELECT list(source_file ORDER BY source_file), any_value(rows) FROM ("
        f"SELECT source_file, count(*) AS rows, sum(hash({columns})) AS content "
        f"FROM {staged.raw.relation} GROUP BY source_file) GROUP BY rows, content "
        "HAVING count(*) > 1 ORDER BY 1"
    ).fetchall()
    for files, rows in found:
        more = f" and {len(files) - _FILES_SHOWN:,} more" if len(files) > _FILES_SHOWN else ""
        yield (
            f"these files hold the same rows, {rows:,} each: {', '.join(files[:_FILES_SHOWN])}"
            f"{more}; if one was delivered twice, remove it"
        )


def _copies(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    if staged.table.unique is not None:
        return
    columns = ", ".join(quoted(name) for name in staged.raw.columns)
    total = _total(connection, staged.raw.relation)
    different = f"SELECT count(DISTINCT hash({columns})) FROM {staged.raw.relation}"
    copies = total - _count(connection, different)
    if copies:
        yield (
            f"{share(copies, total)} of the source are exact copies of another and were kept; "
            "if a file was delivered twice, remove one"
        )


def _never_known(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    for table, value, time in _NEEDS_TIME:
        if staged.table.name != table or value not in staged.mapped:
            continue
        rows = _count(
            connection,
            f"SELECT count(*) FROM {table} WHERE {value} IS NOT NULL AND {time} IS NULL "
            + ("AND refund_amount > 0" if table == "orders" else ""),
        )
        if rows:
            yield (
                f"{share(rows, _total(connection, table))} have a {value} but no {time}, so it is "
                f"never counted; map sources.{table}.columns.{time}"
            )


def _overlaps(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    if staged.table.name != "subscriptions":
        return
    rows = _count(
        connection,
        "SELECT count(*) FROM (SELECT started_at < max(coalesce(ended_at, TIMESTAMPTZ 'infinity')) "
        "OVER (PARTITION BY customer_id, plan ORDER BY started_at, subscription_id "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_beside FROM subscriptions) "
        "WHERE is_beside",
    )
    if rows:
        yield (
            f"{share(rows, _total(connection, 'subscriptions'))} start while another of the same "
            "customer and plan is running; both count, and so do both prices; if one replaced "
            "the other, end the first when the second starts"
        )


def _trail(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    if staged.source.trail:
        yield from trail_doubts(connection, staged.relation, staged.source.trail)


def _thousands(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Iterator[str]:
    for binding in staged.bindings:
        source = binding.parts[0]
        if binding.column.kind != "money" or binding.how != "copy" or source in staged.raw.typed:
            continue
        if staged.source.decimal == "." and _count(
            connection,
            f"SELECT CAST(bool_and(regexp_full_match({quoted(source)}, '{_GROUPED_THOUSANDS}')) "
            f"AS INTEGER) FROM {staged.raw.relation} WHERE {quoted(source)} <> '0'",
        ):
            yield (
                f"every {binding.column.name} has three digits after the point, as if 1.500 were "
                f"one and a half; if the point groups thousands set "
                f"sources.{staged.table.name}.decimal: ','"
            )


def _strangers(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[str]:
    if "customers" not in tables:
        return
    for name in (name for name in tables if name != "customers"):
        found = connection.execute(
            f"SELECT count(*), count(DISTINCT customer_id), min(customer_id) FROM {name} "
            f"ANTI JOIN customers USING (customer_id)"
        ).fetchone()
        if found and found[0]:
            yield (
                f"{name}: {share(found[0], _total(connection, name))} belong to {found[1]:,} "
                f"customers whom the customers table does not know (first: {found[2]!r}); "
                "complete sources.customers, or check that both write ids alike"
            )


def _before_signup(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[str]:
    if "customers" not in tables or "signed_up_at" not in tables["customers"].mapped:
        return
    for name, time in _AFTER_SIGNUP.items():
        if name not in tables:
            continue
        rows = _count(
            connection,
            f"SELECT count(*) FROM {name} JOIN (SELECT customer_id, "
            "min(signed_up_at) AS signup FROM customers GROUP BY customer_id) "
            f"USING (customer_id) WHERE {time} < signup - INTERVAL 1 DAY "
            f"OR ({time} < signup AND CAST({time} AS DATE) < CAST(signup AS DATE))",
        )
        if rows:
            yield (
                f"{name}: {share(rows, _total(connection, name))} are dated before their "
                f"customer's signup; check sources.customers.columns.signed_up_at and "
                f"sources.{name}.columns.{time}"
            )


def _before_start(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[str]:
    if "events" in tables and lookup_target(tables["events"].source) == "subscriptions":
        start, of = FOUND_TIME, "the subscription they name"
        rows = f"{tables['events'].relation} WHERE verdict IS NULL AND"
    elif "events" in tables and "subscriptions" in tables:
        start, of = "first_start", "their customer's first subscription"
        rows = (
            "events JOIN (SELECT customer_id, min(started_at) AS first_start "
            "FROM subscriptions GROUP BY customer_id) USING (customer_id) WHERE"
        )
    else:
        return
    early = _count(connection, f"SELECT count(*) FROM {rows} occurred_at < {start}")
    if early:
        yield (
            f"events: {share(early, _total(connection, 'events'))} happened before the start of "
            f"{of}; check sources.events.columns.occurred_at and "
            "sources.subscriptions.columns.started_at"
        )


def _unknown_tickets(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[str]:
    if not {"surveys", "tickets"} <= set(tables) or "ticket_id" not in tables["surveys"].mapped:
        return
    rows = _count(
        connection,
        "SELECT count(*) FROM surveys ANTI JOIN tickets USING (ticket_id) "
        "WHERE ticket_id IS NOT NULL",
    )
    if rows:
        yield (
            f"surveys: {share(rows, _total(connection, 'surveys'))} name a ticket that tickets "
            "does not have; complete sources.tickets, or check that both write ids alike"
        )


def _ends_apart(connection: duckdb.DuckDBPyConnection, tables: Tables) -> Iterator[str]:
    ends = {}
    for name in ("orders", "events"):
        if name in tables:
            ends[name] = _count(
                connection, f"SELECT epoch(max({tables[name].table.time}))::BIGINT FROM {name}"
            )
    for one, other in combinations(ends, 2):
        days = (ends[one] - ends[other]) // 86_400
        if abs(days) > _APART_DAYS:
            early, late = (one, other) if days < 0 else (other, one)
            yield (
                f"{early} end {abs(days)} days before {late} do, so {early} look like silence "
                f"there; export both up to the same day"
            )
