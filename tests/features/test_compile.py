"""The SQL stays in the subset that DuckDB and Spark share, and windows are local days."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from features.aggregates import Aggregate
from features.catalogue import ALL
from features.compile import Standpoint, company_query, features_query, sources_of
from features.support import TICKETS
from features.usage import USAGE_DAYS

CUTOFF = datetime(2024, 7, 1, tzinfo=UTC)
NOT_SHARED = {
    "ASOF join": r"\bASOF\b",
    "QUALIFY": r"\bQUALIFY\b",
    "star expansion": r"SELECT \*|\* (REPLACE|EXCLUDE)",
    "whole division": r"//",
    "postfix cast": r"::",
    "decimal literal": r"(?<![\w.])\d+\.\d+(?!e)",
    "quoted name": '"',
    "epoch of the engine": r"\bepoch\(",
    "distinct in a filter": r"DISTINCT [a-z_]+\) FILTER",
}


@pytest.mark.parametrize("what", NOT_SHARED)
def test_the_sql_uses_nothing_that_one_engine_lacks(what: str) -> None:
    texts = [source.facts for source in sources_of(ALL)]
    texts.append(features_query(ALL, CUTOFF, ZoneInfo("UTC")))
    texts.append(company_query(ALL, CUTOFF, ZoneInfo("UTC")))
    assert [match.group() for text in texts if (match := re.search(NOT_SHARED[what], text))] == []


def test_facts_never_look_ahead() -> None:
    assert [s.name for s in sources_of(ALL) if re.search(r"\b(lead|FOLLOWING)\b", s.facts)] == []


def test_a_window_starts_with_a_local_day_across_a_clock_change() -> None:
    # Clocks in Berlin went forward on 31 March 2024: that day had 23 hours.
    berlin = ZoneInfo("Europe/Berlin")
    stand = Standpoint(datetime(2024, 4, 1, tzinfo=berlin).astimezone(UTC), berlin)
    assert stand.at(TICKETS) - stand.at(TICKETS, 1) == 23 * 3600
    assert stand.at(USAGE_DAYS) - stand.at(USAGE_DAYS, 1) == 1


def test_an_aggregate_names_the_late_columns_it_reads() -> None:
    part = Aggregate(TICKETS, "count", where="resolved_at IS NULL AND channel = 'reopened_at'")
    assert part.used == ("channel", "resolved_at")
