"""A customer's scores in earlier scoring runs, carried from one online snapshot to the next."""

import sqlite3
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SCHEMA = """
CREATE TABLE past (customer_id TEXT PRIMARY KEY, points BLOB NOT NULL) WITHOUT ROWID;
"""
_POINT = struct.Struct("<qIdd")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1) // timedelta(microseconds=1)
_DAILY = 14 * _DAY
"""For so long every day's last run is kept, then every week's."""


@dataclass(frozen=True, slots=True)
class PastScore:
    """What an earlier run found."""

    created_at: datetime
    """When that run made its scores."""
    rank: int
    churn_probability: float
    value_at_risk: float


def past_scores(points: bytes) -> list[PastScore]:
    """The scores packed in `points`, the oldest first."""
    return [
        PastScore(_EPOCH + timedelta(microseconds=at), rank, propensity, value)
        for at, rank, propensity, value in _POINT.iter_unpack(points)
    ]


def carry_past(
    connection: sqlite3.Connection, made_at: datetime, now: datetime, kept: timedelta
) -> None:
    """Fill `past` of a new snapshot from the one before it, attached as `old`, made `made_at`.

    Customers whom either run did not score start anew; what is older than `kept` is left behind.
    """
    connection.create_function("carried", 4, _carrier(made_at, now, kept))
    connection.execute(
        "INSERT INTO past SELECT customer_id, "
        "carried(points, was.rank, was.churn_probability, was.value_at_risk) "
        "FROM main.ranking JOIN old.ranking was USING (customer_id) "
        "LEFT JOIN old.past USING (customer_id)"
    )


def _carrier(
    made_at: datetime, now: datetime, kept: timedelta
) -> Callable[[bytes | None, int, float, float], bytes]:
    last, end = _microseconds(made_at), _microseconds(now)
    since = end - kept // timedelta(microseconds=1)

    def carried(points: bytes | None, rank: int, propensity: float, value: float) -> bytes:
        whole = (points or b"") + _POINT.pack(last, rank, propensity, value)
        by_span: dict[tuple[int, bool], bytes] = {}
        for start in range(0, len(whole), _POINT.size):
            at = int.from_bytes(whole[start : start + 8], "little", signed=True)
            if at >= since:
                is_recent = at > end - _DAILY
                span = at // _DAY if is_recent else at // (7 * _DAY)
                by_span[span, is_recent] = whole[start : start + _POINT.size]
        return b"".join(by_span.values())

    return carried


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
