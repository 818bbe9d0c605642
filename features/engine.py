"""The engine that reads the snapshot, as the configuration names it."""

from features.config import PipelineConfig
from features.snapshot import Snapshot, open_snapshot


def configured_snapshot(config: PipelineConfig) -> Snapshot:
    """Open the workspace's snapshot on `config.engine`.

    Raises SnapshotError when there is none, SparkUnavailable when Spark is wanted but not here.
    """
    folder = config.workspace / "snapshots"
    if config.engine == "duckdb":
        return open_snapshot(folder, config.workspace / "facts", config.memory_limit)
    from features.spark.snapshot import open_on_spark

    return open_on_spark(folder, config.spark)
