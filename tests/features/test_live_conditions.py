"""Conditions and roundings of the live path against what DuckDB makes of them."""

from itertools import product

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.aggregates import DeclarationError, aggregates, fixed
from features.catalogue import ALL
from features.live.conditions import condition
from features.live.rows import in_order, whole_ten_thousandths

NUMBERS = (None, -1, 0, 2)
WORDS = (None, "x", "it's")
ROWS = [dict(zip("abw", row, strict=True)) for row in product(NUMBERS, NUMBERS, WORDS)]
COLUMNS = {name: [row[name] for row in ROWS] for name in "abw"} | {"ts": list(range(len(ROWS)))}


@pytest.mark.parametrize(
    "text",
    [
        "a = 2",
        "a <> b",
        "a != 0 AND b >= a",
        "a < b OR w IS NULL",
        "NOT (a < b OR w IS NULL)",
        "NOT a = 2 AND NOT b IS NOT NULL",
        "w = 'it''s' OR b > 0",
        "w IN ('x', 'it''s')",
        "w NOT IN ('x')",
        "a BETWEEN 0 AND 2 AND b <= 0",
        "a NOT BETWEEN b AND 1",
        "a + b * 2 - 1 > 0",
        "a - (b - 2) <= 1",
        "a IS NULL OR b IS NULL AND w = 'x'",
        "2 > a",
        "1 = 1",
    ],
)
def test_a_condition_is_as_true_as_the_engine_finds_it(text: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (ts INT, a INT, b INT, w VARCHAR)")
        rows = [[place, *row.values()] for place, row in enumerate(ROWS)]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        found = connection.execute(f"SELECT {text} FROM t ORDER BY ts").fetchall()
    assert condition(text)(COLUMNS) == [truth for (truth,) in found]


def test_every_condition_of_the_catalogue_can_be_read() -> None:
    texts = {part.where for each in ALL for part in aggregates(each.formula) if part.where}
    assert all(callable(condition(text)) for text in texts)


@pytest.mark.parametrize(
    "text", ["a LIKE 'x%'", "a = 1 b", "lower(w) = 'x'", "a IS", "a >", "CASE"]
)
def test_sql_beyond_the_live_path_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError, match="beyond the live path near"):
        condition(text)


@settings(deadline=None)
@given(st.lists(st.floats(-1e13, 1e13) | st.integers(-(10**9), 10**9).map(lambda n: n / 1e4)))
@example([0.00005, -0.00005, 0.00015, 2.5e-5, 1e12, -1e12, 1.00005, 4.9999999999999996e-05])
def test_money_is_rounded_to_ten_thousandths_as_the_engine_rounds_it(numbers: list[float]) -> None:
    with duckdb.connect() as connection:
        query = f"SELECT {fixed('n')} FROM (SELECT unnest(?::DOUBLE[]) AS n) t"
        found = connection.execute(query, [numbers]).fetchall()
    assert whole_ten_thousandths([*numbers, None]) == [*(number for (number,) in found), None]


def test_rows_are_ordered_with_missing_values_last() -> None:
    ordered = in_order({"a": [2, None, 1, 1], "b": ["x", "y", None, "z"]}, "a", "b")
    assert ordered == {"a": [1, 1, 2, None], "b": ["z", None, "x", "y"]}
