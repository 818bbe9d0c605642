"""Fitting and judging on rows, those of one model at a time, and what is left of all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from features.config import PipelineConfig
from features.engine import configured_snapshot
from features.snapshot import Snapshot
from training.card import CHURN, CLV
from training.contacts import Contacts, randomised_contacts
from training.dataset import Dataset, Task
from training.fitting import Fitted, fit_models, refit_models, with_value, with_value_refitted
from training.judging.stability import reseeded_overlap
from training.judging.suspects import refuse_suspects
from training.judging.verdict import (
    Champion,
    Verdict,
    champion_rival,
    judge_models,
    with_value_verdict,
)
from training.models import Models
from training.population import in_population, population_notes
from training.registry import champion_bundle
from training.rows import (
    Account,
    Basis,
    NoValueModel,
    Refit,
    Rows,
    Span,
    churn_rows,
    refit_rows,
    value_rows,
)
from training.season import served_notes
from training.timing.when import with_when
from training.tuning.search import Watcher, tuned
from training.uncontacted import as_if_uncontacted, stands_for
from training.uplift.fitting import learn_uplift
from training.uplift.ranking import UpliftFit


@dataclass(frozen=True)
class Work:
    """What is left of a training run or a backtest once its rows have taught and judged.

    The rows themselves are gigabytes: those of one model are let go before the next are made.
    """

    config: PipelineConfig
    """As given, with the boosting settings that a search found, where one was asked for."""
    snapshot: Snapshot
    test: Dataset
    """Every eligible customer at the churn test cutoff."""
    fitted: Fitted
    verdict: Verdict
    bases: Mapping[Task, Basis]
    accounts: Mapping[str, Account]
    contacts: Contacts
    """Those made or withheld at random, from which uplift is learned."""
    apart: Contacts | None
    """Those whose customers are set apart when churn is learned."""
    uplift: UpliftFit | None = None


def judged_work(
    config: PipelineConfig,
    before: datetime | None,
    own_contacts: pa.Table | None,
    step: Callable[[], None],
    watch: Watcher,
) -> Work:
    """Fit and judge, for a training run or for a backtest at `before`.

    `own_contacts` (CONTACTS_SCHEMA) are what Setia itself decided, beside the `contacts` source.

    `step` is called as each of four parts begins (features for churn, its models, features for
    CLV, its models), and `watch` as each trial of a search ends.

    Raises what `training.run.train` does.
    """
    snapshot = configured_snapshot(config)
    contacts = randomised_contacts(snapshot, own_contacts)
    step()
    churn = churn_rows(snapshot, config, before, contacts)
    refuse_suspects(churn.train, config.training.allowed_features)
    config, found = tuned(config, churn.train, watch)
    step()
    work = _churn_judged(config, snapshot, churn, contacts, before)
    said = (*churn.notes, *found)
    del churn
    step()
    work = _value_judged(work, before, step)
    verdict = replace(work.verdict, notes=(*said, *work.fitted.notes, *work.verdict.notes))
    return replace(work, verdict=verdict)


def _churn_judged(
    config: PipelineConfig,
    snapshot: Snapshot,
    churn: Rows,
    contacts: Contacts,
    before: datetime | None,
) -> Work:
    """Churn and expected orders, fitted and judged; with reseeded reasons, or for a backtest when.

    A backtest is not refitted, so its hazard is that of the rows it learned from.
    """
    fitted = fit_models(churn, config.training)
    champion, unfair = _champion(snapshot, config, churn, before)
    verdict = judge_models(fitted.models, churn, champion, config)
    verdict = replace(verdict, notes=(*verdict.notes, *unfair))
    if before is None:
        overlap = reseeded_overlap(fitted.churn, churn, config.training)
        verdict = replace(verdict, reason_overlap=overlap)
    else:
        models = with_when(fitted.models, snapshot, config, churn.train, before)
        fitted = replace(fitted, models=models)
    basis = replace(churn.basis, proof=None)
    accounts = {CHURN: Account.of(churn)}
    return Work(
        config=config,
        snapshot=snapshot,
        test=churn.asked or churn.test,
        fitted=fitted,
        verdict=verdict,
        bases={"churn": basis},
        accounts=accounts,
        contacts=contacts,
        apart=churn.apart,
    )


def _value_judged(work: Work, before: datetime | None, step: Callable[[], None]) -> Work:
    """`work` with CLV fitted and judged, or with the reason why it is not."""
    config, contract = work.config, work.test.contract
    try:
        value = value_rows(work.snapshot, config, contract, before)
    except NoValueModel as error:
        step()
        fitted = replace(work.fitted, notes=(f"No CLV: {error}.", *work.fitted.notes))
        return replace(work, fitted=fitted)
    step()
    fitted = with_value(work.fitted, value, config.training)
    verdict = with_value_verdict(work.verdict, fitted.models, value, config)
    bases: dict[Task, Basis] = {**work.bases, "clv": replace(value.basis, proof=None)}
    accounts = {**work.accounts, CLV: Account.of(value)}
    return replace(work, fitted=fitted, verdict=verdict, bases=bases, accounts=accounts)


def with_uplift(work: Work) -> Work:
    """`work` with what contact changes, learned from the contacts, or why it could not be."""
    contract = work.test.contract
    uplift, notes = learn_uplift(work.snapshot, work.config, contract, work.contacts)
    verdict = replace(work.verdict, notes=(*work.verdict.notes, *notes))
    return replace(work, uplift=uplift, verdict=verdict)


def served_models(work: Work) -> tuple[Work, Models, tuple[str, ...]]:
    """`work` with what the served models learned from, these models, and what must be said."""
    config, snapshot, fitted = work.config, work.snapshot, work.fitted
    contract, rate = work.test.contract, config.churn.population_rate
    churn = _as_if_uncontacted(
        work, refit_rows(snapshot, config, "churn", contract, work.bases["churn"])
    )
    accounts = _refitted(work.accounts, CHURN, churn)
    models = refit_models(fitted, churn, config.training)
    models = replace(models, churn=in_population(models.churn, churn.data, rate))
    models = with_when(models, snapshot, config, churn.data, snapshot.manifest.watermark)
    seasons = served_notes(churn.basis.season, fitted.seasonal("churn"))
    corrected = (*population_notes(churn.data, rate), *seasons)
    del churn
    if "clv" in work.bases:
        value = refit_rows(snapshot, config, "clv", contract, work.bases["clv"])
        accounts = _refitted(accounts, CLV, value)
        if fitted.value:
            models = with_value_refitted(models, fitted.value, value, config.training)
            corrected += served_notes(value.basis.season, fitted.seasonal("clv"))
    models = replace(models, uplift=work.uplift.uplift if work.uplift else None)
    return replace(work, accounts=accounts), models, corrected


def _as_if_uncontacted(work: Work, rows: Refit) -> Refit:
    if work.apart is None:
        return rows
    weight = stands_for(rows.data, work.apart, work.config.churn.horizon_days)
    return replace(rows, data=as_if_uncontacted(rows.data, weight))


def _refitted(accounts: Mapping[str, Account], task: str, rows: Refit) -> Mapping[str, Account]:
    return {**accounts, task: replace(accounts[task], refit=Span.of(rows.data))}


def _champion(
    snapshot: Snapshot, config: PipelineConfig, churn: Rows, before: datetime | None
) -> tuple[Champion | None, tuple[str, ...]]:
    """The champion, in a training run; a backtest stands where it had not been trained."""
    if before is not None:
        return None, ()
    return champion_rival(champion_bundle(config), snapshot, config, churn)
