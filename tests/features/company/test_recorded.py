"""The load of each planted cause at a cutoff, worked out by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.company.generate import PLANTED
from features.company.recorded import recorded_loads
from features.snapshot import Snapshot

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)


def days(before: float) -> datetime:
    return CUTOFF - timedelta(days=before)


def test_a_shock_is_halved_after_sixty_days_and_unknown_until_it_is_felt(
    make_snapshot: Callable[..., Snapshot], tmp_path: Path
) -> None:
    tables = {
        "tickets": [
            # Felt a day after it was opened, 60 days ago; answered late.
            {"ticket_id": "1", "opened_at": days(61), "first_response_at": days(59)},
            {"ticket_id": "2", "opened_at": days(9), "first_response_at": days(8.5)},
            {"ticket_id": "3", "opened_at": days(0.5)},
            {"ticket_id": "4", "opened_at": days(130), "first_response_at": days(129.9),
             "reopened_at": days(120), "escalated_at": days(-1)},
        ],
        "surveys": [
            {"kind": "csat", "answered_at": days(60), "score": 2.0},
            {"kind": "csat", "answered_at": days(60), "score": 3.0},
            {"kind": "nps", "answered_at": days(60), "score": 1.0},
        ],
    }  # fmt: skip
    given = {name: [{"customer_id": "ana", **row} for row in rows] for name, rows in tables.items()}
    given["orders"] = [{"customer_id": "ana", "ordered_at": days(200), "amount": 1.0}]
    loads = recorded_loads(make_snapshot(tmp_path, given), CUTOFF, ["ana", "bob"], PLANTED)
    assert loads == pytest.approx(
        {
            "slow_response": 1.4 / 2 / 2,
            "low_csat": 1.2 / 2 / 2,
            "reopened": 1.1 / 4 / 2,
            "escalated": 0,
        }
    )
    assert list(loads) == ["slow_response", "low_csat", "reopened", "escalated"]
