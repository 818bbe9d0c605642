"""The rows of a source as SQL shows them at a cutoff."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from features.aggregates import of_company
from features.seen import is_recent, seen, seen_rows, visible
from features.standpoint import Standpoint
from features.support import tickets

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
STAND = Standpoint(CUTOFF, ZoneInfo("UTC"))
SOLVED = tickets("mean", "resolution_time", days=30)
EVER = tickets("count")


def seconds(days_before: float) -> int:
    return int((CUTOFF - timedelta(days=days_before)).timestamp())


def rows(query: str) -> list[tuple[object, ...]]:
    """What `query` gives where only ana, place 5 of the spine, and ben have tickets."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE spine AS SELECT 5 AS place, 'ana' AS customer_id")
        connection.execute(
            "CREATE TABLE facts_tickets (customer_id TEXT, ts BIGINT, place BIGINT, "
            "resolved_at BIGINT, resolution_time BIGINT)"
        )
        connection.executemany(
            "INSERT INTO facts_tickets VALUES (?, ?, ?, ?, ?)",
            [
                ("ana", seconds(40), 1, seconds(39), 86_400),
                ("ana", seconds(20), 2, seconds(18), 172_800),
                ("ana", seconds(2), 3, seconds(-1), 259_200),
                ("ana", seconds(-1), 4, None, None),
                ("ben", seconds(3), 1, seconds(2), 86_400),
            ],
        )
        return connection.execute(f"SELECT * FROM ({query}) r ORDER BY ALL").fetchall()


def test_a_late_column_is_hidden_until_it_is_known() -> None:
    assert rows(visible([SOLVED], STAND)) == [
        (5, seconds(20), 2, 172_800),
        (5, seconds(2), 3, None),
    ]


def test_rows_reach_back_as_far_as_the_longest_window() -> None:
    assert len(rows(visible([SOLVED, tickets("count", days=60)], STAND))) == 3


def test_the_company_has_the_rows_of_everybody() -> None:
    found = rows(visible([of_company(SOLVED)], STAND))
    assert [row[0] for row in found] == ["ana", "ana", "ben"]


def test_blocks_share_rows_unless_one_needs_all_history() -> None:
    assert is_recent(SOLVED)
    assert not is_recent(EVER)
    shown = seen_rows([[SOLVED], [tickets("distinct", "category", days=365)], [EVER]], STAND)
    assert list(shown) == [seen([SOLVED]), seen([EVER])]
    assert "category" in shown[seen([SOLVED])]
