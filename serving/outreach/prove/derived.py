"""What the orders show of each customer in an arm: whether they stayed, and what they brought."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, delete, insert, select

from features.config import PipelineConfig
from features.labels import churn_labels, value_labels
from features.snapshot import Snapshot
from serving.outreach.forgotten import ERASED
from serving.outreach.prove.assignments import Assignment, first_assignments
from serving.outreach.records import DECISIONS, OUTCOMES

SOURCE = "orders"
_CUTOFF = pa.timestamp("us", tz="UTC")
_AT_ONCE = 5_000


class NotDerivable(ValueError):
    """The data cannot show who stayed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a run found."""

    matured: int
    """Customers in an arm whose horizon the data covers."""
    kept: int
    lost: int
    not_in_data: int
    """Matured, but without a single row in the data; nothing is said of them."""
    watermark: datetime


def derive_outcomes(
    connection: Connection,
    snapshot: Snapshot,
    config: PipelineConfig,
    now: datetime,
) -> Derived:
    """Write anew whether each matured customer stayed, in place of what an earlier run wrote.

    Staying is what the churn models learn: no churn in `[assigned, assigned + horizon)` by the
    label of the configuration. The value is the net contribution in it.

    Raises NotDerivable when the label has no time, LabelError when a table it needs is absent.
    """
    if config.churn.label == "column":
        raise NotDerivable(
            "churn.label is a column, which has no time, so the data cannot show who stayed after "
            "a decision; bring `stayed` and `left` with `setia outcomes import`"
        )
    watermark = snapshot.manifest.watermark
    programme = config.outreach.programme
    assigned = first_assignments(connection, programme, config.churn.horizon_days, config.zone)
    matured = [one for one in assigned if one.until <= watermark and not _is_erased(one)]
    known = _known(snapshot)
    covered = [one for one in matured if one.customer_id in known]
    rows = list(_rows(covered, *_labels(snapshot, config, covered), now))
    _replace(connection, programme, rows)
    kept = sum(row["kind"] == "kept" for row in rows)
    missing = len(matured) - len(covered)
    return Derived(len(matured), kept, len(rows) - kept, missing, watermark)


def _is_erased(one: Assignment) -> bool:
    return one.customer_id.startswith(ERASED)


def _known(snapshot: Snapshot) -> set[str]:
    """Every customer with a row in any table."""
    tables = snapshot.manifest.tables
    every = " UNION ".join(f"SELECT customer_id FROM {name}" for name in tables)
    return {row[0] for row in snapshot.connection.cursor().execute(every).fetchall()}


def _labels(
    snapshot: Snapshot, config: PipelineConfig, covered: Sequence[Assignment]
) -> tuple[list[int], Sequence[float | None]]:
    """Whether each churned within the horizon, and what they brought in; None without orders."""
    if not covered:
        return [], []
    cutoffs = pa.array([one.at for one in covered], _CUTOFF)
    ids = pa.array([one.customer_id for one in covered], pa.string())
    spine = pa.table({"customer_id": ids, "cutoff": cutoffs})
    churned = churn_labels(snapshot, config, spine)["churned"].to_pylist()
    if "orders" not in snapshot.manifest.tables:
        return churned, [None] * len(covered)
    value = value_labels(snapshot, config, spine, config.churn.horizon_days)["value"]
    return churned, value.to_pylist()


def _rows(
    covered: Sequence[Assignment],
    churned: Sequence[int],
    values: Sequence[float | None],
    now: datetime,
) -> Iterator[dict[str, Any]]:
    for one, left, value in zip(covered, churned, values, strict=True):
        yield {
            "customer_id": one.customer_id,
            "kind": "lost" if left else "kept",
            "occurred_at": one.until,
            "value": value,
            "decision_id": one.decision_id,
            "source": SOURCE,
            "received_at": now,
        }


def _replace(connection: Connection, programme: str, rows: Sequence[Mapping[str, Any]]) -> None:
    decided = select(DECISIONS.c.id).where(DECISIONS.c.programme == programme)
    written = OUTCOMES.c.decision_id.in_(decided) & (OUTCOMES.c.source == SOURCE)
    # An erased person's orders are gone, but whether they stayed is still counted.
    still_named = ~OUTCOMES.c.customer_id.startswith(ERASED)
    connection.execute(delete(OUTCOMES).where(written & still_named))
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(insert(OUTCOMES), list(rows[start : start + _AT_ONCE]))
