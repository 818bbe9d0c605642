"""What each process of `benchmarks.features` does; see there."""

import json
import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path


def make(folder: Path, customers: str) -> str:
    """Today's snapshot, yesterday's, and today's event files in the order of time."""
    import duckdb

    from benchmarks.feature_data import write_company
    from features.day_digests import write_day_digests
    from features.leakage import truncate
    from features.snapshot import open_snapshot

    manifest = write_company(folder / "today", int(customers))
    today = open_snapshot(folder / "today")
    with duckdb.connect() as connection:
        write_day_digests(connection, folder / "today", manifest.tables)
    yesterday = truncate(today, manifest.watermark - timedelta(days=1), folder / "yesterday")
    renamed = yesterday.manifest.model_copy(update={"fingerprint": "the day before"})
    (folder / "yesterday" / "manifest.json").write_text(renamed.model_dump_json())
    write_day_digests(yesterday.connection, folder / "yesterday", manifest.tables)
    _sort_by_time(folder)
    return json.dumps({name: entry.rows for name, entry in manifest.tables.items()})


def _sort_by_time(folder: Path) -> None:
    import duckdb

    (folder / "by_time").mkdir()
    connection = duckdb.connect(str(folder / "by_time" / "sorting.duckdb"))
    connection.execute("SET memory_limit = '4GB'")
    for table, time in (("orders", "ordered_at"), ("events", "occurred_at")):
        connection.execute(
            f"COPY (SELECT * FROM '{folder / 'today' / table}.parquet' ORDER BY {time}) "
            f"TO '{folder / 'by_time' / table}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )


def features(folder: Path, limit: str, snapshot: str = "today", cutoffs: int = 1) -> str:
    """The feature table at the last cutoff, or at twelve monthly ones, from the facts kept."""
    from features.config import ChurnConfig
    from features.snapshot import open_snapshot
    from features.spine import eligible_spine
    from features.table import write_features

    opened = open_snapshot(folder / snapshot, folder / "facts", limit or None)
    last = opened.manifest.watermark
    asked = [last - timedelta(days=30 * month) for month in range(cutoffs)]
    spine = eligible_spine(opened, ChurnConfig(eligible_days=3650), asked)
    count = write_features(opened, spine, folder / f"features_{cutoffs}.parquet")
    return f"{count} features of {spine.num_rows:,} rows"


def twelve(folder: Path, limit: str) -> str:
    """The same at twelve monthly cutoffs."""
    return features(folder, limit, cutoffs=12)


def yesterday(folder: Path, limit: str) -> str:
    """Facts as the night before leaves them, put aside so that every round starts from them."""
    shutil.rmtree(folder / "facts", ignore_errors=True)
    said = features(folder, limit, "yesterday")
    shutil.rmtree(folder / "facts_yesterday", ignore_errors=True)
    (folder / "facts").rename(folder / "facts_yesterday")
    return said


def pandas(folder: Path, _: str) -> str:
    """Some of the features in pandas, and how many values differ from ours."""
    import pandas as pd

    from benchmarks.features_in_pandas import pandas_features

    table = pandas_features(folder / "today", pd.Timestamp("2025-01-01", tz="UTC"))
    table.to_parquet(folder / "pandas.parquet")
    return f"{table.shape[1]} features of {len(table):,} rows"


def agreement(folder: Path, _: str) -> str:
    """How many of the values that pandas gave differ from ours."""
    import numpy as np
    import pandas as pd

    theirs = pd.read_parquet(folder / "pandas.parquet")
    columns = list(theirs.columns)
    ours = pd.read_parquet(folder / "features_1.parquet", columns=["customer_id", *columns])
    ours = ours.set_index("customer_id")
    same = np.isclose(theirs.loc[ours.index], ours, rtol=1e-9, atol=1e-9, equal_nan=True)
    return f"{int((~same).sum())} of {same.size:,} values in pandas differ from ours"


STAGES: dict[str, Callable[[Path, str], str]] = {
    "make": make,
    "cold": features,
    "again": features,
    "yesterday": yesterday,
    "night": features,
    "twelve": twelve,
    "pandas": pandas,
    "agreement": agreement,
}

if __name__ == "__main__":
    sys.stdout.write(STAGES[sys.argv[1]](Path(sys.argv[2]), sys.argv[3]))
