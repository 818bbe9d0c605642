"""What the snapshot says of each scored customer that outreach has to respect, set by set."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from features.config import PipelineConfig
from features.labels import latest_matured, value_labels
from features.satisfaction import LOW_SCORES
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.vocabulary import TICKET_TOPICS, topic_sql
from serving.outreach.decide.cases import open_case_sql
from serving.outreach.decide.decisions import Contact
from serving.outreach.decide.incidents import Incident, find_incidents


@dataclass(frozen=True, slots=True)
class Person:
    """One row of `customers`; None where it is silent."""

    timezone: str | None = None
    language: str | None = None
    segment: str | None = None
    email_consent: bool | None = None
    sms_consent: bool | None = None


@dataclass(frozen=True)
class People:
    """The scored customers at one instant, as the company knows them; absent is not known."""

    persons: Mapping[str, Person]
    cases: Mapping[str, str]
    """Customer to the ticket that is open or was just escalated."""
    complaints: Mapping[str, datetime]
    """Customer to their last complaint: see `complaints_sql`."""
    newcomers: Mapping[str, datetime]
    """Customer to a first purchase on the only day on which they have bought."""
    contacts: Mapping[str, tuple[Contact, ...]]
    """From the company's own `contacts` table, held-out entries left out."""
    incidents: Sequence[Incident]
    before: Mapping[str, float]
    """Customer to contribution over the last CLV horizon of complete data, in the currency."""


def people_at(
    snapshot: Snapshot,
    config: PipelineConfig,
    customer_ids: Sequence[str],
    now: datetime,
    span: timedelta,
) -> People:
    """What is known of `customer_ids` at `now`; contacts and complaints reach back by `span`."""
    asking = _Asking(snapshot, customer_ids, now, span)
    return People(
        persons={row[0]: Person(*row[1:]) for row in asking.persons()},
        cases=dict(asking.cases()),
        complaints=dict(asking.complaints()),
        newcomers=dict(asking.newcomers()),
        contacts=_grouped(asking.contacts()),
        incidents=find_incidents(asking.connection, now) if asking.has("tickets") else [],
        before=_before(snapshot, config, customer_ids),
    )


class _Asking:
    """Queries on one snapshot as of one instant, restricted to the scored customers."""

    def __init__(
        self, snapshot: Snapshot, customer_ids: Sequence[str], now: datetime, span: timedelta
    ) -> None:
        self._tables = snapshot.manifest.tables
        self._now, self._since = now, now - span
        self.connection = snapshot.connection.cursor()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.register("scored", pa.table({"customer_id": pa.array(customer_ids)}))

    def has(self, table: str) -> bool:
        return table in self._tables

    def persons(self) -> Iterator[tuple[Any, ...]]:
        """The row of each customer that holds now, where attributes have times."""
        if not self.has("customers"):
            return iter(())
        return self._rows(
            """
            SELECT customer_id, timezone, language, segment, email_consent, sms_consent
            FROM customers SEMI JOIN scored USING (customer_id)
            WHERE valid_from IS NULL OR valid_from <= $now
            QUALIFY row_number() OVER (
                PARTITION BY customer_id ORDER BY valid_from DESC NULLS LAST) = 1
            """
        )

    def cases(self) -> Iterator[tuple[Any, ...]]:
        """Customers and the ticket, of several the last opened, with which support is busy."""
        if not self.has("tickets"):
            return iter(())
        resolved_known = "resolved_at" in self._tables["tickets"].columns
        return self._rows(
            f"""
            SELECT customer_id, arg_max(ticket_id, (opened_at, ticket_id))
            FROM tickets SEMI JOIN scored USING (customer_id)
            WHERE {open_case_sql(resolved_known=resolved_known)} GROUP BY customer_id
            """
        )

    def complaints(self) -> Iterator[tuple[Any, ...]]:
        """Customers and when they last complained."""
        queries = complaints_sql([table for table in ("surveys", "tickets") if self.has(table)])
        if not queries:
            return iter(())
        return self._rows(
            f"SELECT customer_id, max(complained_at) FROM ({queries}) "
            "SEMI JOIN scored USING (customer_id) "
            "WHERE complained_at <= $now AND complained_at > $since GROUP BY customer_id",
            since=self._since,
        )

    def newcomers(self) -> Iterator[tuple[Any, ...]]:
        """Customers who have bought on one day only, and when they first did."""
        if not self.has("orders"):
            return iter(())
        return self._rows(
            """
            SELECT customer_id, min(ordered_at) FROM orders SEMI JOIN scored USING (customer_id)
            WHERE NOT is_return AND ordered_at <= $now
            GROUP BY customer_id HAVING min(day) = max(day)
            """
        )

    def contacts(self) -> Iterator[tuple[Any, ...]]:
        """Customers, when they were contacted, and by what channel."""
        if not self.has("contacts"):
            return iter(())
        return self._rows(
            """
            SELECT customer_id, contacted_at, coalesce(channel, 'other')
            FROM contacts SEMI JOIN scored USING (customer_id)
            WHERE contacted_at > $since AND arm IS DISTINCT FROM 'holdout'
            """,
            since=self._since,
        )

    def _rows(self, query: str, **given: datetime) -> Iterator[tuple[Any, ...]]:
        named = given | ({"now": self._now} if "$now" in query else {})
        # Through Arrow, for DuckDB's own rows of times need a package that is not ours.
        found = self.connection.execute(query, named).to_arrow_table()
        return zip(*(column.to_pylist() for column in found.columns), strict=True)


def complaints_sql(tables: Sequence[str]) -> str:
    """SQL for customers and when they complained, from `tables`; empty without any.

    A complaint is a low answer (CSAT 1 or 2, NPS 0 to 6, CES 1 to 3), a ticket whose category
    says complaint, or an escalation.
    """
    said = f"{topic_sql('category', TICKET_TOPICS)} = 'complaint'"
    low = " OR ".join(
        f"(kind = '{kind}' AND score <= {most})" for kind, (_, most) in LOW_SCORES.items()
    )
    parts = {
        "surveys": f"SELECT customer_id, answered_at AS complained_at FROM surveys WHERE {low}",
        "tickets": f"SELECT customer_id, opened_at AS complained_at FROM tickets WHERE {said} "
        "UNION ALL SELECT customer_id, escalated_at FROM tickets WHERE escalated_at IS NOT NULL",
    }
    return " UNION ALL ".join(parts[table] for table in tables)


def _grouped(rows: Iterator[tuple[Any, ...]]) -> dict[str, tuple[Contact, ...]]:
    found: dict[str, list[Contact]] = defaultdict(list)
    for customer_id, at, channel in rows:
        found[customer_id].append(Contact(at, channel))
    return {customer_id: tuple(contacts) for customer_id, contacts in found.items()}


def _before(
    snapshot: Snapshot, config: PipelineConfig, customer_ids: Sequence[str]
) -> dict[str, float]:
    """Contribution as the value label defines it, over the last horizon that has passed."""
    if "orders" not in snapshot.manifest.tables or not customer_ids:
        return {}
    start = latest_matured(snapshot, config.clv.horizon_days)
    columns = [pa.array(customer_ids), pa.array([start] * len(customer_ids))]
    spine = pa.table(columns, names=SPINE_SCHEMA.names).cast(SPINE_SCHEMA)
    values = value_labels(snapshot, config, spine, config.clv.horizon_days)
    found = zip(values["customer_id"].to_pylist(), values["value"].to_pylist(), strict=True)
    return dict(found)
