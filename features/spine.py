"""Who is asked about, and when: the rows of every feature and label table."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from features.config import ChurnConfig
from features.contracts import TABLES
from features.snapshot import Snapshot
from features.windows import CutoffError, day_number, local_day, start_of_day

SPINE_SCHEMA = pa.schema([("customer_id", pa.string()), ("cutoff", pa.timestamp("us", tz="UTC"))])


class NobodyEligible(ValueError):
    """No customer is asked about at a cutoff; the message says which setting decides that."""


def eligible_at(snapshot: Snapshot, churn: ChurnConfig, cutoff: datetime) -> pa.Table:
    """`eligible_spine` at one cutoff at which somebody has to be.

    Raises NobodyEligible, or CutoffError as `require_usable` does.
    """
    spine = eligible_spine(snapshot, churn, [cutoff])
    if not spine.num_rows:
        raise nobody_eligible(snapshot, churn, cutoff)
    return spine


def nobody_eligible(snapshot: Snapshot, churn: ChurnConfig, cutoff: datetime) -> NobodyEligible:
    """The error that says why nobody is asked about at `cutoff`."""
    why = {
        "inactivity": f"none was active in the {churn.eligible_days} days of churn.eligible_days",
        "subscription": "no subscription runs then",
        "column": "customers has no rows",
    }[churn.label]
    asked, end = (local_day(at, snapshot.zone) for at in (cutoff, snapshot.manifest.watermark))
    return NobodyEligible(
        f"no customer is eligible at {asked}: {why}; the data ends before {end}: choose another "
        "--cutoff"
    )


def eligible_spine(snapshot: Snapshot, churn: ChurnConfig, cutoffs: Sequence[datetime]) -> pa.Table:
    """The customers asked about at each cutoff: rows of (customer_id, cutoff).

    For `inactivity`, those with a purchase (or event) in the `eligible_days` before the
    cutoff; for `subscription`, those whose subscription runs at the cutoff; for `column`,
    every customer. Cutoffs come in the order given, customers by id.

    Raises CutoffError as `require_usable` does.
    """
    require_usable(snapshot, cutoffs)
    parts = [_at(snapshot, churn, cutoff) for cutoff in cutoffs]
    return pa.concat_tables([SPINE_SCHEMA.empty_table(), *parts])


def require_usable(snapshot: Snapshot, cutoffs: Sequence[datetime]) -> None:
    """Refuse cutoffs at which nothing exact can be said.

    Raises CutoffError for a naive cutoff, one that is not the start of a local day (orders
    and usage are rolled up by day), and one with no activity before it.
    """
    for cutoff in cutoffs:
        if cutoff.tzinfo is None:
            raise CutoffError(f"cutoff {cutoff} has no time zone; give it one")
        day = local_day(cutoff, snapshot.zone)
        if start_of_day(day, snapshot.zone) != cutoff:
            raise CutoffError(
                f"cutoff {cutoff.isoformat()} is not the start of a day in "
                f"{snapshot.manifest.timezone}; use "
                f"{start_of_day(day, snapshot.zone).isoformat()}"
            )
        _require_history(snapshot, cutoff)


def _require_history(snapshot: Snapshot, cutoff: datetime) -> None:
    has_activity = any(
        table.is_activity for table in TABLES.values() if table.name in snapshot.manifest.tables
    )
    first = local_day(snapshot.manifest.first, snapshot.zone)
    if has_activity and local_day(cutoff, snapshot.zone) <= first:
        raise CutoffError(
            f"no activity before the cutoff {local_day(cutoff, snapshot.zone)}; "
            f"the first usable cutoff is {first + timedelta(days=1)}"
        )


def _at(snapshot: Snapshot, churn: ChurnConfig, cutoff: datetime) -> pa.Table:
    query, values = eligible_query(snapshot, churn, cutoff)
    ordered = f"{query} ORDER BY customer_id"
    found = snapshot.connection.cursor().execute(ordered, values).to_arrow_table()
    cutoffs = pa.array([cutoff] * len(found), SPINE_SCHEMA.field("cutoff").type)
    return found.append_column("cutoff", cutoffs).cast(SPINE_SCHEMA)


def eligible_query(
    snapshot: Snapshot, churn: ChurnConfig, cutoff: datetime
) -> tuple[str, list[datetime | int]]:
    """SQL for the ids of the customers asked about at `cutoff`, and its parameters."""
    rows, values = _eligible(snapshot, churn, cutoff)
    return f"SELECT DISTINCT customer_id FROM {rows}", values


def _eligible(
    snapshot: Snapshot, churn: ChurnConfig, cutoff: datetime
) -> tuple[str, list[datetime | int]]:
    if churn.label == "column":
        return "customers", []
    if churn.label == "subscription":
        running = "started_at < ? AND (ended_at IS NULL OR ended_at >= ?)"
        return f"subscriptions WHERE {running}", [cutoff, cutoff]
    day = day_number(cutoff, snapshot.zone)
    bought = "NOT is_return AND " if churn.activity == "orders" else ""
    days: list[datetime | int] = [day - churn.eligible_days, day]
    return f"{churn.activity} WHERE {bought}day >= ? AND day < ?", days
