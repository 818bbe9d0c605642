"""How much of each planted cause of leaving stands at a cutoff, by what the files recorded."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from features.company.dropout import HALF_LIFE_DAYS
from features.company.support import CAUSES, LOW_CSAT, SLOW_HOURS
from features.company.world import Effects
from features.snapshot import Snapshot

_FELT = f"""
    SELECT customer_id, 'slow_response' AS cause, opened_at + to_hours({SLOW_HOURS:.0f}) AS felt_at
    FROM tickets WHERE coalesce(first_response_at > opened_at + to_hours({SLOW_HOURS:.0f}), true)
    UNION ALL SELECT customer_id, 'reopened', reopened_at FROM tickets
    UNION ALL SELECT customer_id, 'escalated', escalated_at FROM tickets
    UNION ALL SELECT customer_id, 'low_csat', answered_at FROM surveys
    WHERE kind = 'csat' AND score <= {LOW_CSAT}
"""


def recorded_loads(
    snapshot: Snapshot, cutoff: datetime, customers: Sequence[str], effects: Effects
) -> dict[str, float]:
    """Cause to its mean planted log-hazard over `customers` at `cutoff`, the largest first.

    A shock weighs its strength, halved every 60 days. One that left no trace in the files, such
    as a low satisfaction nobody asked about, counts for nothing: no model could know of it.
    """
    asked = pa.table({"customer_id": pa.array(list(customers), pa.string())})
    connection = snapshot.connection.cursor()
    connection.register("asked", asked)
    found = connection.execute(
        "SELECT cause, sum(pow(0.5, epoch($cutoff - felt_at) / 86400 / $half_life)) "
        f"FROM ({_FELT}) felt SEMI JOIN asked USING (customer_id) "
        "WHERE felt_at < $cutoff GROUP BY cause",
        {"cutoff": cutoff, "half_life": HALF_LIFE_DAYS},
    ).fetchall()
    connection.close()
    weights = dict(found)
    loads = {
        cause: weights.get(cause, 0.0) * getattr(effects, cause) / len(asked) for cause in CAUSES
    }
    return dict(sorted(loads.items(), key=lambda item: -item[1]))
