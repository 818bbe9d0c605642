"""Batch scoring: every eligible customer of a snapshot, written as files and for the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.company_shape import company_shape
from features.config import PipelineConfig, ServingConfig
from features.engine import configured_snapshot
from features.feature_contract import FeatureContract, Matrix
from features.forgotten import NOBODY, Forgotten
from features.snapshot import Snapshot, open_snapshot
from features.spark.snapshot import spark_behind
from features.spine import eligible_at
from features.table import catalogue_contract, company_numbers, feature_table
from serving.at_risk import AtRiskSummary, rank_scores, summarise, write_at_risk
from serving.history import FILE as HISTORY
from serving.history import last_fact, write_history
from serving.live import LiveContext, write_live_context
from serving.online import FILE, about_scores, bundle_digest, write_online
from serving.scoring import Score, score_rows, write_score_csv, write_scores
from serving.spark_scoring import score_on_spark
from training.bundle import Bundle, load_bundle

ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ScoreRun:
    """One scoring of every eligible customer: the ranked scores and where they were written."""

    cutoff: datetime
    scores: list[Score]
    """In at-risk order."""
    summary: AtRiskSummary
    folder: Path


def score_snapshot(
    config: PipelineConfig,
    cutoff: datetime | None,
    now: datetime,
    progress: ProgressCallback,
    forgotten: Forgotten = NOBODY,
) -> ScoreRun:
    """Score every eligible customer with the champion and write `<workspace>/scores`.

    Nothing is written of those who are `forgotten`, should the snapshot still hold them.

    `cutoff` defaults to the snapshot's watermark; `now` is the time written beside the scores.

    Raises BundleError without a champion, FeatureMismatch when the snapshot supports other
    features than the champion's, NobodyEligible when there is nobody to score.
    """
    bundle = load_bundle(config.workspace / "bundle")
    snapshot = configured_snapshot(config)
    cutoff = cutoff or snapshot.manifest.watermark
    scores, X = _without(forgotten, *_scored(config, snapshot, bundle, cutoff, progress))
    _write_for_live(config, snapshot, bundle, cutoff, forgotten)
    return _write(config, bundle, scores, X, cutoff, last_fact(snapshot.manifest), now)


def _scored(
    config: PipelineConfig,
    snapshot: Snapshot,
    bundle: Bundle,
    cutoff: datetime,
    progress: ProgressCallback,
) -> tuple[list[Score], Matrix]:
    """The score of every eligible customer, and the encoded features it came from."""
    if spark := spark_behind(snapshot):
        _require_definitions(bundle, snapshot)
        progress("scoring on Spark", 0, 1)
        scores, X = score_on_spark(spark, config, snapshot, bundle, cutoff)
        progress("scoring on Spark", 1, 1)
        return scores, X
    ids, X = scoring_rows(config, snapshot, bundle, cutoff, progress)
    scores = score_rows(
        bundle,
        ids,
        X,
        cutoff,
        config.serving,
        progress=lambda done: progress("explaining scores", done, len(ids)),
    )
    return scores, X


def _without(forgotten: Forgotten, scores: list[Score], X: Matrix) -> tuple[list[Score], Matrix]:
    kept = [place for place, score in enumerate(scores) if score.customer_id not in forgotten]
    return (scores, X) if len(kept) == len(scores) else ([scores[place] for place in kept], X[kept])


def _write_for_live(
    config: PipelineConfig,
    snapshot: Snapshot,
    bundle: Bundle,
    cutoff: datetime,
    forgotten: Forgotten,
) -> None:
    """Write what a live request needs to score as this run does: the company, and who did what."""
    context = LiveContext(
        bundle_digest=bundle_digest(bundle),
        cutoff=cutoff,
        shape=company_shape(config, snapshot),
        numbers=company_numbers(snapshot, cutoff),
    )
    folder = config.workspace / "scores"
    write_live_context(folder, context)
    rows = open_snapshot(snapshot.folder, memory_limit=config.memory_limit)
    write_history(folder / HISTORY, rows, forgotten)
    rows.connection.close()


def write_predictions(
    path: Path,
    bundle: Bundle,
    customer_ids: Sequence[str],
    X: Matrix,
    cutoff: datetime,
    serving: ServingConfig,
) -> None:
    """Score a backtest's customers and write them to `path` with the score file's columns."""
    write_score_csv(path, score_rows(bundle, customer_ids, X, cutoff, serving))


def scoring_rows(
    config: PipelineConfig,
    snapshot: Snapshot,
    bundle: Bundle,
    cutoff: datetime,
    progress: ProgressCallback,
) -> tuple[list[str], Matrix]:
    """Customer ids eligible at `cutoff` and their rows, encoded as `bundle` expects them."""
    spine = eligible_at(snapshot, config.churn, cutoff)
    _require_definitions(bundle, snapshot)
    table = feature_table(snapshot, spine, progress)
    return spine["customer_id"].to_pylist(), bundle.contract.encode(_columns(table))


def _columns(table: pa.Table) -> dict[str, npt.NDArray[np.generic]]:
    return {
        name: table[name].to_numpy(zero_copy_only=False)
        for name in table.column_names
        if name not in ("customer_id", "cutoff")
    }


def _require_definitions(bundle: Bundle, snapshot: Snapshot) -> None:
    """Every feature of the model must be what the catalogue says today; categories are its own."""
    trained = [c.model_copy(update={"categories": ()}) for c in bundle.contract.columns]
    names = {column.name for column in trained}
    today = [c for c in catalogue_contract(snapshot).columns if c.name in names]
    FeatureContract(columns=tuple(trained)).require(FeatureContract(columns=tuple(today)))


def _write(
    config: PipelineConfig,
    bundle: Bundle,
    scores: list[Score],
    X: Matrix,
    cutoff: datetime,
    data_until: datetime,
    now: datetime,
) -> ScoreRun:
    order = rank_scores(scores)
    ranked, ranked_rows = [scores[place] for place in order], X[order]
    folder = config.workspace / "scores"
    currency = bundle.manifest.currency
    write_scores(folder, ranked)
    write_at_risk(folder, ranked, currency)
    about = about_scores(
        bundle,
        cutoff,
        len(ranked),
        config.serving,
        now,
        data_until=data_until,
        events_to=config.outreach.events_to,
    )
    write_online(folder / FILE, bundle, about, ranked, ranked_rows)
    summary = summarise(ranked, currency, generated=bundle.manifest.generated)
    return ScoreRun(cutoff, ranked, summary, folder)
