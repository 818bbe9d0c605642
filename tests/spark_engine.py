"""Spark for tests: one small local session, and comparison with DuckDB value by value."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.config import SparkConfig
from features.spark.session import SparkUnavailable, require_spark

SPARK = SparkConfig(
    master="local[2]",
    settings={
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "2g",
        # So few rows cost nothing; compiling code for them, and planning anew between stages, do.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
    },
)
"""The one session of all tests: the first to ask for it starts it."""
RELATIVE = 1e-9


def need_spark() -> None:
    """Skip the test, with the reason, where PySpark or Java is missing."""
    try:
        require_spark()
    except SparkUnavailable as missing:
        pytest.skip(str(missing))


def differing(one: pa.Table, other: pa.Table) -> list[str]:
    """Columns in which two tables of the same rows differ by more than RELATIVE."""
    assert one.schema.equals(other.schema)
    assert one.num_rows == other.num_rows
    return [name for name in one.column_names if not _alike(one[name], other[name])]


def _alike(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if not one.is_null().equals(other.is_null()):
        return False
    if not pa.types.is_floating(one.type):
        return one.equals(other)
    x, y = (pc.drop_null(each).to_numpy() for each in (one, other))
    return bool((np.abs(x - y) <= RELATIVE * np.maximum(np.abs(x), np.abs(y))).all())
