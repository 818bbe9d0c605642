"""Generated companies in memory, each made once, for the tests that look for what was planted."""

import functools
import tempfile
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd

from features.company.generate import PLANTED, Effects, generate_company

CUSTOMERS = 8_000
END = date(2026, 6, 30)
DAYS = 900
NOTHING = Effects(
    slow_response=0,
    reopened=0,
    escalated=0,
    low_csat=0,
    fewer_orders=0,
    persuadable=0,
    sleeping_dog=0,
    acquisition=0,
    value_rate_correlation=0,
    seasonality=0,
    weekday=0,
    usage_fade=0,
)


Tables = duckdb.DuckDBPyConnection


@functools.cache
def planted(effects: Effects = PLANTED) -> Tables:
    """A company's tables, truth included; `day(t)` counts days from the start of history."""
    with tempfile.TemporaryDirectory() as folder:
        generate_company(Path(folder), CUSTOMERS, seed=5, effects=effects)
        return opened(Path(folder))


def opened(folder: Path) -> Tables:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Asia/Jakarta'; SET threads = 1")
    for file in folder.glob("*.parquet"):
        connection.execute(f"CREATE TABLE {file.stem} AS SELECT * FROM read_parquet('{file}')")
    connection.execute(
        "CREATE MACRO day(t) AS (epoch_us(t) / 1e6 - "
        f"{pd.Timestamp(END, tz='Asia/Jakarta').timestamp()}) / 86400 + {DAYS}"
    )
    return connection


def ask(tables: Tables, question: str) -> tuple[float, ...]:
    row = tables.execute(question).fetchone()
    assert row is not None
    return tuple(float(value) for value in row)
