"""Batch scoring on Spark: rows are scored where their features were made, by a broadcast bundle."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from features.config import PipelineConfig, ServingConfig
from features.feature_contract import Matrix
from features.snapshot import Snapshot
from features.spark.connection import SparkConnection
from features.spark.table import feature_frames
from features.spine import eligible_query, nobody_eligible, require_usable
from features.table import supported_features
from serving.reasons import Reason
from serving.scoring import Score, score_record, score_rows
from training.bundle import Bundle, BundleError, BundleManifest, load_bundle

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SCHEMA = pa.schema([("score", pa.binary()), ("features", pa.binary())])
_SPARK_SCHEMA = "score BINARY, features BINARY"
_TASKS_PER_CORE = 3

Batches = Iterator[pa.RecordBatch]


def score_on_spark(
    spark: SparkConnection,
    config: PipelineConfig,
    snapshot: Snapshot,
    bundle: Bundle,
    cutoff: datetime,
) -> tuple[list[Score], Matrix]:
    """Score every customer eligible at `cutoff`; the scores and the encoded features behind them.

    Features, encoding, prediction and reasons are worked out by the workers; only scores and
    encoded rows come here, in no particular order.

    Raises NobodyEligible when there is nobody to score.
    """
    require_usable(snapshot, [cutoff])
    spine = _eligible(spark, config, snapshot, cutoff)
    chosen = supported_features(snapshot)
    sent = spark.session.sparkContext.broadcast(_files(config.workspace / "bundle"))
    names = [feature.name for feature in chosen]
    score = _scorer(lambda: sent.value, bundle.manifest, names, cutoff, config.serving)
    with feature_frames(spark, snapshot, chosen) as frame_at:
        rows = _spread(frame_at(spine, cutoff).drop("place"))
        table = rows.mapInArrow(score, _SPARK_SCHEMA).toArrow()
    sent.unpersist()
    return _scores(table, cutoff), _matrix(table, len(bundle.contract.columns))


def _eligible(
    spark: SparkConnection, config: PipelineConfig, snapshot: Snapshot, cutoff: datetime
) -> str:
    """SQL for (place, customer_id) of the customers asked about; places only keep them apart."""
    query, values = eligible_query(snapshot, config.churn, cutoff)
    eligible = spark.execute(query, values).frame
    if eligible.isEmpty():
        raise nobody_eligible(snapshot, config.churn, cutoff)
    eligible.createOrReplaceTempView("eligible")
    return "SELECT monotonically_increasing_id() AS place, customer_id FROM eligible"


def _spread(rows: "DataFrame") -> "DataFrame":
    """The rows over all cores: explaining costs far more than moving them."""
    return rows.repartition(_TASKS_PER_CORE * rows.sparkSession.sparkContext.defaultParallelism)


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _scorer(
    files: Callable[[], Mapping[str, bytes]],
    manifest: BundleManifest,
    names: Sequence[str],
    cutoff: datetime,
    serving: ServingConfig,
) -> Callable[[Batches], Batches]:
    """What each worker does with its rows (customer_id, then the features called `names`)."""

    def scored(batches: Batches) -> Batches:
        bundle = _received(files(), manifest)
        for batch in batches:
            values = dict(zip(names, batch.columns[1:], strict=True))
            X = bundle.contract.encode({name: _array(values[name]) for name in values})
            scores = score_rows(bundle, batch.column(0).to_pylist(), X, cutoff, serving)
            records = [orjson.dumps(score_record(score)) for score in scores]
            rows = [np.ascontiguousarray(row, dtype="<f8").tobytes() for row in X]
            yield pa.record_batch([pa.array(records), pa.array(rows)], schema=_SCHEMA)

    return scored


def _array(column: pa.Array) -> Any:
    return column.to_numpy(zero_copy_only=False)


def _received(files: Mapping[str, bytes], manifest: BundleManifest) -> Bundle:
    """The bundle in a worker's hands, verified anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        bundle = load_bundle(folder)
    if bundle.manifest != manifest:
        raise BundleError("the bundle was replaced while it was sent to Spark; score again")
    return bundle


def _scores(table: pa.Table, cutoff: datetime) -> list[Score]:
    records = (orjson.loads(record) for record in table["score"].to_pylist())
    return [_score(record, cutoff) for record in records]


def _score(record: dict[str, Any], cutoff: datetime) -> Score:
    reasons = tuple(Reason(**reason) for reason in record.pop("reasons"))
    text = record.pop("act_by")
    act_by = date.fromisoformat(text) if text else None
    del record["score_id"], record["live"]
    return Score(cutoff=cutoff, act_by=act_by, reasons=reasons, **record)


def _matrix(table: pa.Table, width: int) -> Matrix:
    content = b"".join(table["features"].to_pylist())
    return np.frombuffer(content, dtype="<f8").reshape(-1, width)
