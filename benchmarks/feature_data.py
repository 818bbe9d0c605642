"""The generated snapshot that `benchmarks.features` measures on: three years, skewed customers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from features.contracts import TABLES, Column
from features.snapshot import Manifest, TableEntry

DAYS = 1_096
FIRST = datetime(2022, 1, 1, tzinfo=UTC)
WATERMARK = FIRST + timedelta(days=DAYS)

_KINDS = {"time": "TIMESTAMPTZ", "money": "DOUBLE", "number": "DOUBLE", "whole": "DOUBLE"}
_MACROS = """
    SET TimeZone = 'UTC';
    CREATE MACRO u(salt, a, b) AS (hash(salt, a, b) % 1000003 + 0.5) / 1000003.0;
    CREATE MACRO several(mean, salt, a) AS CAST(floor(-ln(u(salt, a, 0)) * mean) AS INT);
    CREATE MACRO among(n, salt, a, b) AS CAST(floor(u(salt, a, b) * n) AS INT);
    CREATE MACRO moment(salt, a, b) AS
      TIMESTAMPTZ '2022-01-01 00:00:00+00' + to_seconds(floor(u(salt, a, b) * {seconds}));
    CREATE MACRO later(start, days, salt, a, b) AS CASE
      WHEN start + to_seconds(floor(-ln(u(salt, a, b)) * days * 86400)) < '{end}'
      THEN start + to_seconds(floor(-ln(u(salt, a, b)) * days * 86400)) END;
    CREATE MACRO sometimes(share, value, salt, a, b) AS
      CASE WHEN u(salt, a, b) < share THEN value END;
    CREATE TABLE people AS
      SELECT range AS c, format('c{{:08d}}', range) AS customer_id FROM range({customers});
"""
_ROWS = {
    "customers": """
        SELECT customer_id, moment('signed', c, 0) AS signed_up_at,
          ['home', 'office', 'school'][1 + among(3, 'seg', c, 0)] AS segment,
          ['north', 'south', 'east', 'west'][1 + among(4, 'reg', c, 0)] AS region,
          u('mail', c, 0) < 0.7 AS email_consent
        FROM people""",
    # 8 orders of 2.5 lines.
    "orders": """
        SELECT customer_id, moment('ordered', c, o) AS ordered_at,
          round(5 + 90 * u('amount', o, l * 100003 + c), 2) AS amount,
          format('{}-{}', c, o) AS order_id,
          format('p{}', among(2000, 'product', o, l * 100003 + c)) AS product_id,
          format('k{}', among(40, 'kind', o, l * 100003 + c)) AS category,
          ['web', 'app', 'shop'][1 + among(3, 'through', c, o)] AS channel,
          1.0 + among(3, 'quantity', o, c + l) AS quantity,
          round(amount * 0.3, 2) AS margin,
          sometimes(0.3, round(amount * 0.1, 2), 'discount', c, o) AS discount,
          sometimes(0.05, later(ordered_at, 10, 'refunded', c, o), 'returns', c, o) AS refunded_at,
          CASE WHEN refunded_at IS NOT NULL THEN amount END AS refund_amount,
          CAST(floor(epoch(ordered_at) / 86400) AS INT) AS day, FALSE AS is_return
        FROM people, unnest(range(1 + several(7.5, 'orders', c))) AS t(o),
          unnest(range(1 + among(4, 'lines', c, o))) AS s(l)""",
    # 10 sessions of 3 events.
    "events": """
        SELECT customer_id, moment('session', c, s) + to_seconds(60 * e) AS occurred_at,
          ['view', 'search', 'login', 'export', 'share', 'help_search', 'error', 'checkout_failed']
            [1 + CAST(floor(8 * pow(u('event', s, e * 100003 + c), 2)) AS INT)] AS event,
          round(30 * u('minutes', s, e * 100003 + c), 2) AS value,
          format('{}-{}', c, s) AS session_id,
          ['web', 'app'][1 + among(2, 'by', c, s)] AS channel,
          CAST(floor(epoch(occurred_at) / 86400) AS INT) AS day
        FROM people, unnest(range(several(10.5, 'sessions', c))) AS t(s),
          unnest(range(1 + among(5, 'events', c, s))) AS v(e)
        WHERE occurred_at < '{end}'""",
    "subscriptions": """
        SELECT customer_id, format('s{}-{}', c, s) AS subscription_id,
          moment('started', c, s) AS started_at,
          sometimes(0.6, later(started_at, 300, 'ended', c, s), 'ends', c, s) AS ended_at,
          ['basic', 'plus', 'pro'][1 + among(3, 'plan', c, s)] AS plan,
          10.0 * (1 + among(5, 'price', c, s)) AS monthly_price,
          u('renews', c, s) < 0.8 AS auto_renew,
          CASE WHEN ended_at IS NOT NULL
            THEN ['voluntary', 'payment_failure'][1 + among(2, 'why', c, s)] END AS end_reason
        FROM people, unnest(range(several(1.8, 'subscriptions', c))) AS t(s)""",
    "tickets": """
        SELECT customer_id, format('t{}-{}', c, k) AS ticket_id,
          moment('opened', c, k) AS opened_at,
          sometimes(0.9, later(opened_at, 0.5, 'answer', c, k), 'answered', c, k)
            AS first_response_at,
          sometimes(0.9, later(coalesce(first_response_at, opened_at), 3, 'solve', c, k),
            'solved', c, k) AS resolved_at,
          sometimes(0.1, later(resolved_at, 4, 'back', c, k), 'reopened', c, k) AS reopened_at,
          sometimes(0.1, later(opened_at, 2, 'up', c, k), 'escalated', c, k) AS escalated_at,
          ['phone', 'email', 'chat', 'messaging', 'social', 'self_service', 'chatbot', 'forum',
           'in_person', 'other'][1 + among(10, 'channel', c, k)] AS channel,
          ['delivery', 'billing', 'access', 'quality', 'returns'][1 + among(5, 'topic', c, k)]
            AS category,
          ['low', 'normal', 'high'][1 + among(3, 'priority', c, k)] AS priority,
          1.0 + several(1.0, 'contacts', c * 1009 + k) AS contacts,
          1.0 * several(0.7, 'transfers', c * 1009 + k) AS transfers,
          format('a{}', among(300, 'agent', c, k)) AS agent_id
        FROM people, unnest(range(several(3.5, 'tickets', c))) AS t(k)""",
    "surveys": """
        SELECT customer_id, ['nps', 'csat', 'ces'][1 + among(3, 'survey', c, k)] AS kind,
          moment('sent', c, k) AS sent_at,
          sometimes(0.6, later(sent_at, 2, 'replied', c, k), 'replies', c, k) AS answered_at,
          CASE WHEN answered_at IS NOT NULL THEN
            CASE kind WHEN 'nps' THEN 1.0 * among(11, 'score', c, k)
              WHEN 'csat' THEN 1.0 + among(5, 'score', c, k)
              ELSE 1.0 + among(7, 'score', c, k) END END AS score
        FROM people, unnest(range(several(2.0, 'surveys', c))) AS t(k)""",
}
_COMPUTED = {"orders": ("day", "is_return"), "events": ("day",)}


def write_company(folder: Path, customers: int) -> Manifest:
    """Write a generated snapshot of so many customers into `folder`, as ingest lays it out.

    About 20 order lines, 30 events, 3 tickets, 1.5 surveys and 1.3 subscriptions each, with
    a long tail; equal sizes give equal values.
    """
    folder.mkdir(parents=True)
    connection = duckdb.connect(str(folder / "making.duckdb"))
    connection.execute("SET memory_limit = '4GB'")
    connection.execute("SET preserve_insertion_order = false")
    seconds, end = DAYS * 86_400, WATERMARK.isoformat(sep=" ")
    connection.execute(_MACROS.format(customers=customers, seconds=seconds, end=end))
    entries = {name: _write_table(connection, folder, name, end) for name in _ROWS}
    connection.close()
    (folder / "making.duckdb").unlink()
    manifest = Manifest(
        tables=entries,
        first=FIRST,
        watermark=WATERMARK,
        timezone="UTC",
        currency="EUR",
        fingerprint=f"generated {customers}",
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest


def _write_table(
    connection: duckdb.DuckDBPyConnection, folder: Path, name: str, end: str
) -> TableEntry:
    table = TABLES[name]  # type: ignore[index]
    rows = _ROWS[name].replace("{end}", end)
    filled = [d[0] for d in connection.execute(f"SELECT * FROM ({rows}) LIMIT 0").description or []]
    columns = [_column(each, filled) for each in table.kept]
    listed = ", ".join([*columns, *_COMPUTED.get(name, ())])
    order = ", ".join(["customer_id", *([table.time] if table.time else []), *filled])
    target = str(folder / f"{name}.parquet").replace("'", "''")
    connection.execute(
        f"COPY (SELECT {listed} FROM ({rows}) r ORDER BY {order}) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
    )
    counted = connection.execute(f"SELECT count(*) FROM '{target}'").fetchone()
    return TableEntry(
        rows=counted[0] if counted else 0,
        columns=tuple(each.name for each in table.kept if each.name in filled),
        first=FIRST if table.time else None,
        last=WATERMARK - timedelta(seconds=1) if table.time else None,
    )


def _column(column: Column, filled: list[str]) -> str:
    kind = "BOOLEAN" if column.kind == "boolean" else _KINDS.get(column.kind, "VARCHAR")
    value = column.name if column.name in filled else "NULL"
    return f"CAST({value} AS {kind}) AS {column.name}"
