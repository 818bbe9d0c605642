"""No feature sees past its cutoff, and the proof of it notices when one does."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.aggregates import Source
from features.catalogue import ALL
from features.compile import sources_of
from features.contracts import TABLES
from features.leakage import changed_features, truncate
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table

Rows = list[dict[str, Any]]
MakeSnapshot = Callable[..., Snapshot]
RandomCompany = Callable[[int, int], dict[str, Rows]]

CUTOFFS = [datetime(2024, month, 1, tzinfo=UTC) for month in (3, 6)]
LATE = [(source, column) for source in sources_of(ALL) for column in source.known_at]


def test_no_feature_changes_when_the_future_is_deleted(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    assert changed_features(make_snapshot(tmp_path, random_company(40, 2)), CUTOFFS) == []


def test_truncation_deletes_later_rows_and_later_knowledge(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    cutoff = datetime(2024, 3, 10, tzinfo=UTC)
    day = timedelta(days=1)
    ticket = {"customer_id": "ana", "channel": "chat", "contacts": 2}
    tickets = [
        {**ticket, "ticket_id": "past", "opened_at": cutoff - 3 * day, "resolved_at": cutoff - day},
        {**ticket, "ticket_id": "now", "opened_at": cutoff - day, "resolved_at": cutoff},
        {**ticket, "ticket_id": "later", "opened_at": cutoff, "resolved_at": cutoff + day},
    ]
    surveys = [
        {"customer_id": "ana", "kind": "nps", "sent_at": None, "answered_at": cutoff, "score": 3.0}
    ]
    people = [{"customer_id": "ana"}, {"customer_id": "bob", "signed_up_at": cutoff}]
    tables = {"tickets": tickets, "surveys": surveys, "customers": people}
    past = truncate(make_snapshot(tmp_path / "whole", tables), cutoff, tmp_path / "past")
    query = "SELECT ticket_id, resolved_at IS NULL, contacts FROM tickets ORDER BY ticket_id"
    assert past.connection.execute(query).fetchall() == [("now", True, None), ("past", False, 2)]
    assert past.connection.execute("SELECT * FROM surveys").fetchall() == []
    assert past.connection.execute("SELECT customer_id FROM customers").fetchall() == [("ana",)]
    assert past.manifest.tables["tickets"].rows == 2


def test_random_values_after_the_cutoff_change_nothing(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    tables, cutoff = random_company(30, 8), CUTOFFS[1]
    dice = random.Random(9)
    corrupted = {
        name: [_corrupted(dice, name, row, cutoff) for row in rows] for name, rows in tables.items()
    }
    spine = pa.table(
        [[row["customer_id"] for row in tables["customers"]], [cutoff] * 30], schema=SPINE_SCHEMA
    )
    honest = feature_table(make_snapshot(tmp_path / "honest", tables), spine)
    assert corrupted != tables
    assert feature_table(make_snapshot(tmp_path / "corrupted", corrupted), spine).equals(honest)


def _corrupted(
    dice: random.Random, name: str, row: dict[str, Any], cutoff: datetime
) -> dict[str, Any]:
    """The row with every value that was not yet known replaced by a random one."""
    table = TABLES[name]
    main = (
        row.get(table.time or "") or row.get(table.time_fallback or "") or row.get("signed_up_at")
    )
    is_future = main is not None and main >= cutoff
    late = {
        column
        for column, time in table.known_at.items()
        if row.get(time) is None or row[time] >= cutoff
    }
    kept = ("customer_id", "ticket_id", "subscription_id")
    return {
        column: _random(dice, value, cutoff)
        if column not in kept and (is_future or column in late)
        else value
        for column, value in row.items()
    }


def _random(dice: random.Random, value: Any, cutoff: datetime) -> Any:
    if isinstance(value, bool):
        return dice.random() < 0.5
    if isinstance(value, datetime):
        return cutoff + timedelta(seconds=dice.randrange(10**7))
    if isinstance(value, int | float):
        return type(value)(dice.randrange(1, 10))
    return value if value is None else dice.choice(["a", "nps", "phone", "voluntary"])


@pytest.mark.parametrize(
    ("source", "column"), LATE, ids=[f"{source.name}.{column}" for source, column in LATE]
)
def test_forgetting_when_a_column_became_known_is_caught_and_named(
    source: Source,
    column: str,
    make_snapshot: MakeSnapshot,
    tmp_path: Path,
    random_company: RandomCompany,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(source.known_at, column)
    snapshot = make_snapshot(tmp_path, random_company(120, 2))
    caught = {change.name for change in changed_features(snapshot, CUTOFFS)}
    relying = {f.name for f in ALL if any(_reads(part, source, column) for part in _parts(f))}
    assert caught, f"no feature notices that {source.name}.{column} is read too early"
    assert caught <= relying


def _parts(feature: Any) -> list[Any]:
    from features.aggregates import aggregates

    return list(aggregates(feature.formula))


def _reads(part: Any, source: Source, column: str) -> bool:
    return part.source is source and column in part.used


def test_a_change_names_the_feature_one_customer_and_both_values(
    make_snapshot: MakeSnapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.support import TICKETS

    cutoff = datetime(2024, 3, 10, tzinfo=UTC)
    ticket = {
        "customer_id": "ana",
        "ticket_id": "t1",
        "opened_at": cutoff - timedelta(days=1),
        "first_response_at": cutoff + timedelta(days=1),
    }
    snapshot = make_snapshot(tmp_path, {"tickets": [ticket]})
    monkeypatch.delitem(TICKETS.known_at, "response_time")
    found = {change.name: change for change in changed_features(snapshot, [cutoff])}
    change = found["tickets_first_response_hours_last"]
    assert (change.customer_id, change.customers, change.cutoff) == ("ana", 1, cutoff)
    assert (change.whole, change.truncated) == (48, None)


def test_every_late_contract_column_in_use_has_a_time_or_is_the_time() -> None:
    for source in sources_of(ALL):
        late = TABLES[source.table].known_at
        for column, fact in source.columns.items():
            times = {late[need] for need in fact.needs if need in late} - {source.time}
            assert times == set(source.known_at.get(column, ())), f"{source.name}.{column}"
