"""One training run or backtest from snapshot to judged, tracked models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from features.config import PipelineConfig
from features.engine import configured_snapshot
from features.snapshot import Snapshot
from features.windows import local_day
from training.bundle import Bundle, BundleInfo, write_bundle
from training.card import model_card
from training.contacts import Contacts, randomised_contacts
from training.dataset import CannotTrain, Dataset
from training.evaluate import ChurnEvaluation, ValueEvaluation
from training.fitting import Fitted, fit_models, refit_models
from training.gate import refusals, ties
from training.judging.report import write_report
from training.judging.stability import reseeded_overlap
from training.judging.suspects import refuse_suspects
from training.judging.verdict import Champion, Verdict, champion_rival, judge_models
from training.population import in_population, population_notes
from training.registry import (
    Registered,
    champion_bundle,
    code_revision,
    record_run,
)
from training.registry import (
    promote as promote_challenger,
)
from training.rows import NoValueModel, Rows, ValueRows, churn_rows, cutoffs_of, value_rows
from training.timing.when import when_notes, with_when
from training.tracked_run import log_trial, run_params, training_run
from training.tuning.search import Trial, Watcher, tuned
from training.uplift.fitting import learn_uplift
from training.uplift.ranking import UpliftFit, UpliftVerdict
from training.uplift.report import write_uplift_report

Progress = Callable[[str, int, int], None]
"""Called with what begins, how many steps are done, and how many there are."""

_STEPS = (
    "features and labels for churn",
    "features and labels for CLV",
    "fitting the models",
    "judging them beside the baselines",
    "learning from contacts",
    "writing the models",
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


@dataclass(frozen=True)
class _Work:
    """Rows, fitted models and verdict shared by a training run and a backtest."""

    config: PipelineConfig
    """As given, with the boosting settings that a search found, where one was asked for."""
    snapshot: Snapshot
    contacts: Contacts
    churn: Rows
    value: ValueRows | None
    fitted: Fitted
    verdict: Verdict
    uplift: UpliftFit | None = None


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
    work = _with_uplift(_work(config, None, progress, step, log_trial, own_contacts), step)
    config, fingerprint = work.config, work.snapshot.manifest.fingerprint
    overlap = reseeded_overlap(work.fitted.churn, work.churn, config.training)
    reasons = refusals(work.verdict, config.training)
    rate = config.churn.population_rate
    corrected = population_notes(work.churn.refit, rate)
    notes = (*work.verdict.notes, *ties(work.verdict), *corrected)
    work = replace(work, verdict=replace(work.verdict, notes=notes, reason_overlap=overlap))
    step()
    info = _info(config, work, version, now)
    models = refit_models(work.fitted, work.churn, work.value, config.training)
    models = replace(models, churn=in_population(models.churn, work.churn.refit, rate))
    until = work.snapshot.manifest.watermark
    models = with_when(models, work.snapshot, config, work.churn.refit, until)
    models = replace(models, uplift=work.uplift.uplift if work.uplift else None)
    card = model_card(
        info, config, work.churn, work.value, work.verdict, refusals=reasons, uplift=work.uplift
    )
    folder = config.workspace / "reports" / info.version
    write_report(folder, card, work.verdict, config)
    if work.uplift:
        write_uplift_report(folder, work.uplift, generated=config.generated)
    step()
    with TemporaryDirectory() as scratch:
        files = Path(scratch) / "bundle"
        write_bundle(files, models, info, card)
        registered = record_run(
            config,
            files,
            params=run_params(config, work.churn, fingerprint) | work.fitted.choices,
            metrics=work.verdict.metrics | (work.uplift.metrics if work.uplift else {}),
            report=folder,
            refusals=reasons,
        )
    promoted = promote_challenger(config) if promote and not reasons else None
    return TrainReport(
        registered=registered,
        churn=work.verdict.churn,
        value=work.verdict.value,
        drivers=work.verdict.drivers,
        notes=(*notes, *when_notes(models)),
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
    work = _work(config, cutoff, progress, step, lambda _: None, own_contacts)
    step()
    version = f"backtest-{local_day(cutoff, config.zone)}"
    info = _info(config, work, version, datetime.now(UTC))
    page = model_card(info, config, work.churn, work.value, work.verdict)
    write_report(out, page, work.verdict, config)
    models = with_when(work.fitted.models, work.snapshot, config, work.churn.train, cutoff)
    bundle = write_bundle(out / "bundle", models, info, page)
    verdict = work.verdict
    customers = work.churn.asked or work.churn.test
    return BacktestReport(bundle, customers, verdict.churn, verdict.value, verdict.notes, out)


def _work(
    config: PipelineConfig,
    before: datetime | None,
    progress: Progress,
    step: Callable[[], None],
    log: Watcher,
    own_contacts: pa.Table | None,
) -> _Work:
    snapshot = configured_snapshot(config)
    contacts = randomised_contacts(snapshot, own_contacts)
    step()
    churn = churn_rows(snapshot, config, before, contacts)
    refuse_suspects(churn.train, config.training.allowed_features)
    step()
    value, notes = _value_or_reason(snapshot, config, churn, before)
    config, found = tuned(config, churn.train, _watched(config, progress, log))
    step()
    fitted = fit_models(churn, value, config.training)
    step()
    champion, unfair = _champion(snapshot, config, churn, before)
    verdict = judge_models(fitted.models, churn, value, champion, config)
    said = (*notes, *churn.notes, *found, *fitted.notes, *verdict.notes, *unfair)
    verdict = replace(verdict, notes=said)
    return _Work(config, snapshot, contacts, churn, value, fitted, verdict)


def _with_uplift(work: _Work, step: Callable[[], None]) -> _Work:
    """The work with what contact changes, learned from the contacts, or why it could not be."""
    step()
    contract = work.churn.refit.contract
    uplift, notes = learn_uplift(work.snapshot, work.config, contract, work.contacts)
    verdict = replace(work.verdict, notes=(*work.verdict.notes, *notes))
    return replace(work, uplift=uplift, verdict=verdict)


def _value_or_reason(
    snapshot: Snapshot, config: PipelineConfig, churn: Rows, before: datetime | None
) -> tuple[ValueRows | None, tuple[str, ...]]:
    try:
        return value_rows(snapshot, config, churn.train.contract, before), ()
    except NoValueModel as error:
        return None, (f"No CLV: {error}.",)


def _champion(
    snapshot: Snapshot, config: PipelineConfig, churn: Rows, before: datetime | None
) -> tuple[Champion | None, tuple[str, ...]]:
    """The champion, in a training run; a backtest stands where it had not been trained."""
    if before is not None:
        return None, ()
    return champion_rival(champion_bundle(config), snapshot, config, churn)


def _info(config: PipelineConfig, work: _Work, version: str, now: datetime) -> BundleInfo:
    timeless = config.churn.label == "column"
    return BundleInfo(
        name=config.name,
        version=version,
        created_at=now,
        cutoffs=() if timeless else cutoffs_of(work.churn.refit),
        churn_horizon_days=config.churn.horizon_days,
        clv_horizon_days=config.clv.horizon_days if work.fitted.value else None,
        currency=config.currency,
        fingerprint=work.snapshot.manifest.fingerprint,
        code_revision=code_revision(),
        generated=config.generated,
    )


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
