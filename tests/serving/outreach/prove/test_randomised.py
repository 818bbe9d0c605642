"""Decisions come back to training as a table of contacts with arms, from either database."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from features.trials import CONTACTS_SCHEMA
from serving.database import Database
from serving.outreach.prove.randomised import randomised_decisions
from serving.outreach.records import DECISIONS
from tests.serving.operations import NOW


def decision(number: int, arm: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"d{number}",
        "programme": "retention",
        "run": "r1",
        "decided_at": NOW + timedelta(hours=number),
        "customer_id": f"c{number}",
        "occasion": "risk",
        "action": "contact" if arm == "contact" else "suppress",
        "reason": "expected_gain" if arm == "contact" else "holdout",
        "arm": arm,
        "value": 10.0,
    } | changes


def test_only_decisions_with_an_arm_come_back(database: Database) -> None:
    rows = [decision(1, "contact"), decision(2, "holdout"), decision(3, None)]
    with database.writing() as connection:
        connection.execute(insert(DECISIONS), rows)
    with database.reading() as connection:
        table = randomised_decisions(connection)
    assert table.schema == CONTACTS_SCHEMA
    assert sorted(table.to_pylist(), key=lambda row: row["customer_id"]) == [
        {
            "customer_id": f"c{number}",
            "contacted_at": NOW + timedelta(hours=number),
            "campaign": "retention",
            "arm": arm,
        }
        for number, arm in ((1, "treatment"), (2, "holdout"))
    ]


def test_before_the_first_plan_the_table_is_empty(database: Database) -> None:
    with database.reading() as connection:
        table = randomised_decisions(connection)
    assert table.schema == CONTACTS_SCHEMA
    assert len(table) == 0
