"""RFM features on CDNOW against a plain loop over the published file."""

import gzip
import math
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table
from tests.shared_data import shared_data

AFTER_WEEK_39 = datetime(1997, 10, 1, tzinfo=UTC)
NAMES = ["orders_frequency", "orders_recency", "orders_T", "orders_monetary_value"]


def purchases() -> list[tuple[str, datetime, float]]:
    lines = (
        gzip.decompress(shared_data("cdnow/CDNOW_master.txt.gz").read_bytes()).decode().split("\n")
    )
    rows = [line.split() for line in lines if line.strip()]
    return [
        (row[0], datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=UTC), float(row[3]))
        for row in rows
        if row[0].isdigit()
    ]


def test_cdnow_summary_after_39_weeks_equals_a_loop_over_the_file(
    make_snapshot: Callable[..., Snapshot], tmp_path: Path
) -> None:
    """Fader and Hardie: 23,570 customers, all new in the 12 weeks to 25 March 1997."""
    rows = purchases()
    fields = ("customer_id", "ordered_at", "amount")
    orders = [dict(zip(fields, row, strict=True)) for row in rows]
    snapshot = make_snapshot(tmp_path, {"orders": orders})
    days: dict[str, dict[datetime, float]] = defaultdict(lambda: defaultdict(float))
    for customer, time, amount in rows:
        if time < AFTER_WEEK_39:
            days[customer][time] += amount
    customers = sorted(days)
    spine = pa.table([customers, [AFTER_WEEK_39] * len(customers)], schema=SPINE_SCHEMA)
    found = feature_table(snapshot, spine).select(NAMES).to_pydict()

    assert len(rows) == 69_659
    assert len(customers) == 23_570
    assert min(found["orders_T"]) == (AFTER_WEEK_39 - datetime(1997, 3, 25, tzinfo=UTC)).days
    for place, customer in enumerate(customers):
        times = sorted(days[customer])
        repeat = [days[customer][time] for time in times[1:]]
        value = math.fsum(repeat) / len(repeat) if repeat else 0
        assert [found[name][place] for name in NAMES[:3]] == [
            len(repeat),
            (times[-1] - times[0]).days,
            (AFTER_WEEK_39 - times[0]).days,
        ]
        assert found["orders_monetary_value"][place] == pytest.approx(value, rel=1e-9)
