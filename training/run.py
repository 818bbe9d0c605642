"""One training run or backtest from snapshot to judged, tracked models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from features.config import PipelineConfig
from features.windows import local_day
from training.bundle import Bundle, BundleInfo, write_bundle
from training.card import CHURN, model_card
from training.dataset import CannotTrain, Dataset
from training.evaluate import ChurnEvaluation, ValueEvaluation
from training.gate import refusals, ties
from training.judging.report import write_report
from training.registry import (
    Registered,
    code_revision,
    record_run,
)
from training.registry import (
    promote as promote_challenger,
)
from training.timing.when import when_notes
from training.tracked_run import log_trial, training_run
from training.tuning.search import Trial, Watcher
from training.uplift.ranking import UpliftVerdict
from training.uplift.report import write_uplift_report
from training.work import Work, judged_work, served_models, with_uplift

Progress = Callable[[str, int, int], None]
"""Called with what begins, how many steps are done, and how many there are."""

_STEPS = (
    "features and labels for churn",
    "fitting churn and judging it beside the baselines",
    "features and labels for CLV",
    "fitting CLV and judging it beside the baselines",
    "learning from contacts",
    "refitting the models for serving, and writing them",
    "tracking the run",
)
_BACKTEST_STEPS = (*_STEPS[:4], _STEPS[5])


@dataclass(frozen=True)
class TrainReport:
    """What a training run found and where it put it."""

    registered: Registered
    churn: ChurnEvaluation
    value: ValueEvaluation | None
    drivers: Mapping[str, float]
    """Feature to the mean size of its contribution to the churn logit, largest first."""
    notes: tuple[str, ...]
    """What could not be fitted, judged or compared, and what ties; one sentence each."""
    refusals: tuple[str, ...]
    """Why the gate will not promote this version; empty when it may be promoted."""
    promoted: Bundle | None
    """The bundle now served, when promotion was asked for and allowed."""
    uplift: UpliftVerdict | None
    """Whether what contact changes may rank; None without randomised contacts to learn from."""
    folder: Path
    """The report's folder: `report.md`, comparison tables and plots."""


@dataclass(frozen=True)
class BacktestReport:
    """Models fitted before a cutoff, the customers at it, and how the predictions did after."""

    bundle: Bundle
    customers: Dataset
    """Every eligible customer at the cutoff, in the bundle's contract, with what then happened."""
    churn: ChurnEvaluation
    value: ValueEvaluation | None
    notes: tuple[str, ...]
    folder: Path


def train(
    config: PipelineConfig, promote: bool, progress: Progress, own_contacts: pa.Table | None = None
) -> TrainReport:
    """Fit, judge, track and register models of the workspace's snapshot; promote when asked.

    `own_contacts` (CONTACTS_SCHEMA) are what Setia itself decided, beside the `contacts` source.

    The judged models learn only from label windows that end by the test cutoff; the registered
    ones are refitted, with the same rounds, on the latest matured cutoffs. A refused challenger
    is registered all the same, with the reasons, and the champion stays.

    A killed run leaves nothing behind that counts: the bundle is replaced whole, and the next run
    marks it as killed. A search that it had begun (`training.tuning`) goes on where it was.

    Raises SnapshotError, NotEnoughHistory, CannotTrain, SuspectedLeak or CannotJudge with what to
    change, and RegistryError when another training is at work in the workspace.
    """
    now = datetime.now(UTC)
    version = f"run-{now:%Y%m%dT%H%M%S}"
    with training_run(config, version):
        return _trained(config, promote, progress, version, now, own_contacts)


def _trained(
    config: PipelineConfig,
    promote: bool,
    progress: Progress,
    version: str,
    now: datetime,
    own_contacts: pa.Table | None,
) -> TrainReport:
    """What `train` does inside its open run."""
    step = _stepper(progress, _STEPS)
    watch = _watched(config, progress, log_trial)
    work = judged_work(config, None, own_contacts, step, watch)
    config = work.config
    step()
    work = with_uplift(work)
    reasons = refusals(work.verdict, config.training)
    step()
    work, models, corrected = served_models(work)
    tied = () if reasons else ties(work.verdict)
    notes = (*work.verdict.notes, *tied, *corrected)
    info = _info(config, work, version, now)
    verdict = replace(work.verdict, notes=notes)
    card = model_card(info, config, work.accounts, verdict, refusals=reasons, uplift=work.uplift)
    folder = config.workspace / "reports" / info.version
    write_report(folder, card, verdict, config)
    if work.uplift:
        write_uplift_report(folder, work.uplift, generated=config.generated)
    step()
    with TemporaryDirectory() as scratch:
        files = Path(scratch) / "bundle"
        write_bundle(files, models, info, card)
        registered = record_run(
            config,
            files,
            params=_params(config, work),
            metrics=verdict.metrics | (work.uplift.metrics if work.uplift else {}),
            report=folder,
            refusals=reasons,
        )
    promoted = promote_challenger(config) if promote and not reasons else None
    notes = (*notes, *when_notes(models))
    return TrainReport(
        registered=registered,
        churn=verdict.churn,
        value=verdict.value,
        drivers=verdict.drivers,
        notes=notes,
        refusals=reasons,
        promoted=promoted,
        uplift=work.uplift.verdict if work.uplift else None,
        folder=folder,
    )


def backtest(
    config: PipelineConfig,
    cutoff: datetime,
    out: Path,
    progress: Progress,
    own_contacts: pa.Table | None = None,
) -> BacktestReport:
    """Fit on labels that end before `cutoff`, predict at it, and judge by what came after.

    Writes the report into `out` and the models into `out/bundle`; nothing is registered.
    `own_contacts` are as for `train`, to which what contact changes is left.

    Raises ImmatureCutoff when the churn horizon after `cutoff` is not over, and what `train`
    raises.
    """
    if config.churn.label == "column":
        raise CannotTrain(
            "labels given in a column have no time to go back to; `setia train` judges such "
            "models on customers held back"
        )
    step = _stepper(progress, _BACKTEST_STEPS)
    watch = _watched(config, progress, lambda _: None)
    work = judged_work(config, cutoff, own_contacts, step, watch)
    step()
    version = f"backtest-{local_day(cutoff, config.zone)}"
    info = _info(config, work, version, datetime.now(UTC))
    page = model_card(info, config, work.accounts, work.verdict)
    write_report(out, page, work.verdict, config)
    bundle = write_bundle(out / "bundle", work.fitted.models, info, page)
    verdict = work.verdict
    return BacktestReport(bundle, work.test, verdict.churn, verdict.value, verdict.notes, out)


def _info(config: PipelineConfig, work: Work, version: str, now: datetime) -> BundleInfo:
    timeless, churn = config.churn.label == "column", work.accounts[CHURN]
    return BundleInfo(
        name=config.name,
        version=version,
        created_at=now,
        cutoffs=() if timeless else (churn.refit or churn.train).cutoffs,
        churn_horizon_days=config.churn.horizon_days,
        clv_horizon_days=config.clv.horizon_days if work.fitted.value else None,
        currency=config.currency,
        fingerprint=work.snapshot.manifest.fingerprint,
        code_revision=code_revision(),
        generated=config.generated,
    )


def _params(config: PipelineConfig, work: Work) -> dict[str, object]:
    """What the run was asked for and what it chose, flat, as MLflow shows it."""
    churn = work.accounts[CHURN]
    sections = {"churn": config.churn, "clv": config.clv, "training": config.training}
    asked = {
        f"{name}.{key}": value
        for name, section in sections.items()
        for key, value in _flat(section.model_dump(mode="json"))
    }
    return (
        asked
        | work.fitted.choices
        | {
            "features": len(work.test.contract.columns),
            "rows_train": churn.train.rows,
            "rows_test": len(work.test),
            "rows_refit": churn.refit.rows if churn.refit else 0,
            "fingerprint": work.snapshot.manifest.fingerprint,
        }
    )


def _flat(section: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Each setting by its name, one within a section of its own as `tuning.trials`."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", part) for inner, part in value.items())
        else:
            yield key, value


def _watched(config: PipelineConfig, progress: Progress, log: Watcher) -> Watcher:
    """What is done as each trial of a search ends: log it, and show how far the search is."""
    total = config.training.tuning.trials if config.training.tuning else 0

    def watch(trial: Trial) -> None:
        log(trial)
        progress("tuning the boosted trees", trial.number + 1, total)

    return watch


def _stepper(progress: Progress, steps: tuple[str, ...]) -> Callable[[], None]:
    """A function that announces the next step each time it is called."""
    remaining = iter(enumerate(steps))

    def step() -> None:
        done, label = next(remaining)
        progress(label, done, len(steps))

    return step
