"""The steps that `setia`'s commands and its demo share: run one part, show what came of it."""

import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from commands.operations import operations_database
from commands.terminal import Terminal
from features.config import PipelineConfig, TuningConfig
from features.windows import local_day

if TYPE_CHECKING:
    import pyarrow as pa

    from features.forgotten import Forgotten
    from features.ingest.report import IngestReport
    from serving.batch import ScoreRun
    from training.backtests import BacktestRow
    from training.run import BacktestReport, TrainReport


def run_ingest(settings: PipelineConfig, terminal: Terminal) -> "IngestReport":
    """Ingest every source and show the report; also when a table lost too many rows."""
    from features.ingest.run import TooManyRejects, ingest

    try:
        with terminal.progress() as progress:
            report = ingest(settings, progress, datetime.now(UTC), _forgotten(settings))
    except TooManyRejects as error:
        terminal.ingested(error.report)
        terminal.document(error.report)
        raise
    terminal.ingested(report)
    return report


def _forgotten(settings: PipelineConfig) -> "Forgotten":
    from serving.outreach.forgotten import forgotten_by

    with operations_database(settings) as database:
        return forgotten_by(database)


def run_features(
    settings: PipelineConfig, cutoff: datetime | None, out: Path | None, terminal: Terminal
) -> None:
    """Write the feature table at `cutoff` (default: the watermark) to `out`."""
    from features.engine import configured_snapshot
    from features.spine import eligible_at
    from features.table import write_features

    snapshot = configured_snapshot(settings)
    at = cutoff or snapshot.manifest.watermark
    spine = eligible_at(snapshot, settings.churn, at)
    target = out or settings.workspace / "features.parquet"
    with terminal.progress() as progress:
        count = write_features(snapshot, spine, target, progress)
    customers = "customer" if spine.num_rows == 1 else "customers"
    terminal.say(
        f"{spine.num_rows:,} {customers} x {count} features as known at "
        f"{at.astimezone(settings.zone):%Y-%m-%d}, written to {target}"
    )


def run_description(settings: PipelineConfig, name: str) -> None:
    """Show what one feature means and how it goes with churn."""
    from features.snapshot import open_snapshot
    from training.judging.describe import describe_feature

    snapshot = open_snapshot(settings.workspace / "snapshots")
    Terminal().description(describe_feature(snapshot, settings, name), settings.zone)


def prove_no_leak(settings: PipelineConfig, terminal: Terminal) -> bool:
    """Whether deleting everything after two cutoffs inside the data changes no feature."""
    from features.leakage import changed_features
    from features.snapshot import open_snapshot
    from features.windows import shift_days

    snapshot = open_snapshot(settings.workspace / "snapshots")
    manifest = snapshot.manifest
    span = (manifest.watermark - manifest.first).days
    # Both lie inside the data, so that there is a future to delete.
    cutoffs = [shift_days(manifest.watermark, -span // part, settings.zone) for part in (4, 2)]
    changed = changed_features(snapshot, cutoffs)
    terminal.leakage(changed, cutoffs)
    return not changed


def with_trials(settings: PipelineConfig, trials: int) -> PipelineConfig:
    """`settings` that ask for a search of so many trials."""
    minutes = settings.training.tuning.minutes if settings.training.tuning else None
    tuning = TuningConfig(trials=trials, minutes=minutes)
    training = settings.training.model_copy(update={"tuning": tuning})
    return settings.model_copy(update={"training": training})


def run_training(settings: PipelineConfig, promote: bool, terminal: Terminal) -> "TrainReport":
    """Train, judge and register; show the comparison and what became of the models."""
    from training.run import train

    with terminal.progress() as progress:
        report = train(settings, promote, progress, own_contacts(settings))
    terminal.evaluation(report, settings.currency)
    if report.uplift:
        terminal.uplift(report.uplift)
    terminal.trained(report)
    return report


def own_contacts(settings: PipelineConfig) -> "pa.Table | None":
    """What this company's programmes decided at random; None before there is such a database."""
    from serving.outreach.prove.randomised import randomised_decisions

    with operations_database(settings) as database:
        if not database.exists:
            return None
        with database.reading() as connection:
            return randomised_decisions(connection)


def run_backtest(
    settings: PipelineConfig, cutoff: datetime, out: Path, terminal: Terminal
) -> "BacktestReport":
    """Train before `cutoff`, write what was predicted at it into `out`, and show how it did."""
    from serving.batch import write_predictions
    from training.run import backtest

    with terminal.progress() as progress:
        report = backtest(settings, cutoff, out, progress, own_contacts(settings))
    customers = report.customers
    ids = customers.customer_id.tolist()
    write_predictions(
        out / "predictions.csv", report.bundle, ids, customers.X, cutoff, settings.serving
    )
    terminal.evaluation(report, settings.currency)
    return report


def run_backtests(
    settings: PipelineConfig,
    latest: datetime,
    times: int,
    every_days: int,
    out: Path,
    terminal: Terminal,
) -> "list[BacktestRow]":
    """Backtest at `latest` and at cutoffs before it, each in a folder of its own, and compare."""
    from training.backtests import cutoffs_back, draw_rows, walk, write_rows

    def judged(cutoff: datetime) -> "BacktestReport":
        day = str(local_day(cutoff, settings.zone))
        terminal.step(f"Backtest at {day}")
        return run_backtest(settings, cutoff, out / day, terminal)

    rows = walk(cutoffs_back(latest, times, every_days, settings.zone), judged, settings.zone)
    write_rows(rows, out / "backtests.csv")
    draw_rows(rows, out / "backtests.png", generated=settings.generated)
    terminal.backtests(rows)
    terminal.say(f"backtests.csv, backtests.png and a folder for each cutoff in {out}")
    return rows


def run_scoring(
    settings: PipelineConfig, cutoff: datetime | None, terminal: Terminal
) -> "ScoreRun":
    """Score every eligible customer, tell whose risk changed, show the head of the at-risk list."""
    from serving.after_run import follow_run
    from serving.batch import score_snapshot
    from serving.erasure import erase_late
    from serving.outreach.forgotten import forgotten_by

    now = datetime.now(UTC)
    with operations_database(settings) as database, terminal.progress() as progress:
        run = score_snapshot(settings, cutoff, now, progress, forgotten_by(database))
        ids = [score.customer_id for score in run.scores]
        late = erase_late(database, settings.workspace, ids)
        scores = [score for score in run.scores if score.customer_id not in late]
        followed = follow_run(settings.workspace, database, scores, now, progress)
    terminal.at_risk(run)
    terminal.followed(followed)
    return run


def become_server(settings: PipelineConfig, port: int | None) -> None:
    """Replace this process by the BentoML server, once there is something to serve."""
    from serving.served import load_served

    load_served(settings.workspace)  # says what is missing before a server starts
    number = port or settings.serving.port
    _require_free(number)
    Terminal().say(f"http://127.0.0.1:{number}/v1/at-risk (Ctrl-C stops)")
    bentoml = str(Path(sys.executable).with_name("bentoml"))
    environment = {
        "SETIA_ACCESS_LOG": "true",
        **os.environ,
        "SETIA_WORKSPACE": str(settings.workspace),
    }
    if settings.operations_url:
        environment["SETIA_OPERATIONS_URL"] = settings.operations_url
    sys.stdout.flush()
    # Becoming the server, rather than starting it, leaves signals to it alone.
    os.execve(  # noqa: S606
        bentoml, [bentoml, "serve", "serving.service:Setia", "--port", str(number)], environment
    )


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server itself does; a connection that has just closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(
                f"port {port} cannot be served on: {error.strerror}; name another with --port"
            ) from None
