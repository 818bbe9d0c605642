"""The rows of a training run: what teaches each model, what judges it, what it is refitted on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from features.config import PipelineConfig
from features.feature_contract import FeatureContract
from features.labels import ImmatureCutoff, latest_matured, require_matured
from features.snapshot import Snapshot
from features.spine import require_usable
from features.windows import local_day
from training.contacts import Contacts
from training.dataset import (
    FEWEST_HISTORY_DAYS,
    CannotTrain,
    Dataset,
    NotEnoughHistory,
    Split,
    Task,
    build_dataset,
    labelled,
    plan_split,
    require_trainable,
    split_customers,
    unlabelled_rows,
)
from training.families.boosting import sample_customers
from training.families.forecast import Standpoint
from training.families.histories import standpoint
from training.season import Season, season_at
from training.uncontacted import set_contacted_apart
from training.unfilled import without_unfilled


@dataclass(frozen=True)
class Proof:
    """An earlier part of the training rows that teaches, and a later one that judges it.

    Of many earlier rows a sample of customers teaches, as in cross-validation.
    """

    train: Dataset
    test: Dataset
    standpoint: Standpoint | None


@dataclass(frozen=True)
class Basis:
    """What the models stand on besides their rows; nothing where labels have no time."""

    learned_days: int = 0
    """Horizon of the training labels, shorter than the wanted one in a short history."""
    horizon_days: int = 0
    at: Standpoint | None = None
    """Where the models are asked first: the test cutoff, for the served ones the data's end."""
    proof: Proof | None = None
    """None when no training label window ends before another training cutoff."""
    season: Season = field(default_factory=Season)
    """Of the horizon after `at`; empty where last year does not tell it."""


@dataclass(frozen=True)
class Rows:
    """Labelled rows for churn; no training label reaches past the test cutoff."""

    train: Dataset
    test: Dataset
    basis: Basis = field(default_factory=Basis)
    asked: Dataset | None = None
    """Everybody at the test cutoff, where `test` leaves out those whom we contacted."""
    apart: Contacts | None = None
    """Those whose customers are set apart, here and when the served model is refitted."""
    notes: tuple[str, ...] = ()
    """What was done about those whom we contacted."""


@dataclass(frozen=True)
class ValueRows:
    """Labelled rows for CLV; no training label reaches past the test cutoff."""

    train: Dataset
    test: Dataset | None
    """None in a backtest whose value horizon is not over: predicted, but not judged."""
    basis: Basis = field(default_factory=Basis)


@dataclass(frozen=True)
class Refit:
    """Labelled rows that the served model learns from, and what it stands on."""

    data: Dataset
    basis: Basis


_MOST_STRETCH = 3


class NoValueModel(ValueError):
    """Value cannot be modelled for this company; the message says why and what would help."""


def churn_rows(
    snapshot: Snapshot,
    config: PipelineConfig,
    before: datetime | None = None,
    contacts: Contacts | None = None,
) -> Rows:
    """Rows for churn, split by time, or by customer when the label is given without a time.

    `before` makes it the test cutoff and lets nothing from it on be learned. Customers whom
    `contacts` may have saved are set apart (see `training.uncontacted`), though not from the test
    rows at `before`.

    Raises CutoffError, NotEnoughHistory, CannotTrain and ImmatureCutoff as their makers do.
    """
    if config.churn.label == "column":
        every = build_dataset(snapshot, config, (snapshot.manifest.watermark,), "churn")
        train, test = split_customers(every)
        return Rows(train, test)
    if before is not None:
        require_usable(snapshot, [before])
        require_matured(snapshot, [before], config.churn.horizon_days)
    wanted = config.churn.horizon_days
    split, learned = _split_or_stretch(snapshot, config, wanted, before)
    short = _with_horizon(config, learned)
    train = build_dataset(snapshot, short, split.train, "churn")
    train = without_unfilled(train, snapshot.manifest.first, split.test)
    test = build_dataset(snapshot, config, (split.test,), "churn", train.contract)
    asked = test
    apart: Contacts | None = None
    notes: tuple[str, ...] = ()
    if contacts is not None:
        found = set_contacted_apart(train, test, contacts, wanted)
        train, notes = found.train, found.notes
        # A backtest is judged on everybody it predicts, so that anybody can check its figures.
        test = test if before else found.test
        apart = contacts if found.are_apart else None
    if _by_orders(config):
        basis = _basis(snapshot, config, (learned, wanted), train, asked)
    else:
        basis = Basis(learned, wanted, proof=proof_of(train, learned))
    return Rows(train, test, basis, asked, apart, notes)


def refit_rows(
    snapshot: Snapshot, config: PipelineConfig, task: Task, contract: FeatureContract, basis: Basis
) -> Refit:
    """Rows at the latest matured cutoffs, on the horizons that `basis` learned from.

    All customers where the label is given without a time.
    """
    if config.churn.label == "column":
        cutoffs = (snapshot.manifest.watermark,)
        return Refit(build_dataset(snapshot, config, cutoffs, task, contract), basis)
    short = _with_horizon(config, basis.learned_days)
    split = plan_split(snapshot, config, basis.learned_days)
    data = build_dataset(snapshot, short, split.refit, task, contract)
    data = without_unfilled(data, snapshot.manifest.first, snapshot.manifest.watermark)
    if basis.at is None:
        return Refit(data, basis)
    latest = unlabelled_rows(snapshot, config, snapshot.manifest.watermark, contract)
    at = _stand(snapshot, config, latest) if len(latest) else None
    season = basis.season
    if season.is_used:
        season = season_at(snapshot, config, snapshot.manifest.watermark, basis.horizon_days)
    return Refit(data, replace(basis, at=at or basis.at, season=season))


def value_rows(
    snapshot: Snapshot,
    config: PipelineConfig,
    contract: FeatureContract,
    before: datetime | None = None,
) -> ValueRows:
    """Rows for CLV under the churn rows' contract, so that one matrix serves both models.

    Raises NoValueModel when there are no orders or the history is too short for the horizon.
    """
    if "orders" not in snapshot.manifest.tables:
        raise NoValueModel("the company has no orders, so there is no value to learn")
    if config.churn.label == "column":
        raise NoValueModel("churn labels without a time give no cutoff at which to ask for value")

    wanted = config.clv.horizon_days
    try:
        split, learned = _split_or_stretch(snapshot, config, wanted, before)
        short = _with_horizon(config, learned)
        train = build_dataset(snapshot, short, split.train, "clv", contract)
        train = without_unfilled(train, snapshot.manifest.first, split.test)
        require_trainable(train)
    except (NotEnoughHistory, CannotTrain, ImmatureCutoff) as error:
        raise NoValueModel(f"{error} (clv.horizon_days can be shorter)") from None
    asked = unlabelled_rows(snapshot, config, split.test, contract)
    basis = _basis(snapshot, config, (learned, wanted), train, asked)
    try:
        test = labelled(asked, snapshot, config, "clv")
    except ImmatureCutoff:
        test = None
    return ValueRows(train, test, basis)


def _split_or_stretch(
    snapshot: Snapshot, config: PipelineConfig, wanted: int, before: datetime | None
) -> tuple[Split, int]:
    """The split, and the horizon of its labels: shorter when no label of the wanted one fits.

    A shorter label is stretched by what BTYD forecasts over both horizons, so only orders can
    be, and to three times its days at most; half of the history is labels, half features.

    Raises NotEnoughHistory as `plan_split` does.
    """
    try:
        return plan_split(snapshot, config, wanted, before), wanted
    except NotEnoughHistory:
        test = before or latest_matured(snapshot, wanted)
        learned = (test - snapshot.manifest.first).days // 2
        shortest = max(FEWEST_HISTORY_DAYS, wanted / _MOST_STRETCH)
        if not _by_orders(config) or not shortest <= learned < wanted:
            raise
    train = plan_split(snapshot, config, learned, test).train
    refit = train if before else plan_split(snapshot, config, learned).refit
    return Split(train, test, refit, learned), learned


def _by_orders(config: PipelineConfig) -> bool:
    """Whether churn means no order, so that BTYD forecasts it."""
    return config.churn.label == "inactivity" and config.churn.activity == "orders"


def _with_horizon(config: PipelineConfig, days: int) -> PipelineConfig:
    """The configuration with labels of `days`."""
    churn = config.churn.model_copy(update={"horizon_days": days})
    clv = config.clv.model_copy(update={"horizon_days": days})
    return config.model_copy(update={"churn": churn, "clv": clv})


def _basis(
    snapshot: Snapshot,
    config: PipelineConfig,
    horizons: tuple[int, int],
    train: Dataset,
    test: Dataset,
) -> Basis:
    """Standpoints at the test cutoff and at the last training cutoff."""
    at = _stand(snapshot, config, test)
    if at is None and horizons[0] != horizons[1]:
        raise NotEnoughHistory(
            f"the history has room for labels of {horizons[0]} days, not of {horizons[1]}, and "
            "too few customers ordered again to stretch them; shorten the horizon"
        )
    stand = partial(_stand, snapshot, config)
    season = season_at(snapshot, config, cutoffs_of(test)[-1], horizons[1]) if at else Season()
    return Basis(*horizons, at, proof_of(train, horizons[0], stand), season)


def _stand(snapshot: Snapshot, config: PipelineConfig, data: Dataset) -> Standpoint | None:
    """BTYD at the last cutoff of `data`."""
    return standpoint(snapshot, config, cutoffs_of(data)[-1], data.contract, data.X)


def proof_of(
    train: Dataset,
    learned: int,
    stand: Callable[[Dataset], Standpoint | None] = lambda _: None,
) -> Proof | None:
    """Rows whose label windows of `learned` days end by the last training cutoff, and those at it.

    None where there are no such rows. `stand` gives BTYD at the last cutoff of what it is given.
    """
    last = np.flatnonzero(train.cutoff == train.cutoff.max())
    # Rounded, as clocks that go forward or back make a local day shorter or longer.
    days = ((train.cutoff.max() - train.cutoff) / np.timedelta64(1, "D")).round()
    earlier = np.flatnonzero(days >= learned)
    if not len(earlier):
        return None
    # A sample, as a copy of every row would be as large as the rows themselves.
    teaching = train.rows(earlier[sample_customers(train.customer_id[earlier])])
    # A view, where the rows lie together: the last cutoff of many customers is large too.
    together = last[-1] - last[0] + 1 == len(last)
    judging = train.rows(slice(last[0], last[-1] + 1) if together else last)
    return Proof(teaching, judging, stand(judging))


def cutoffs_of(data: Dataset) -> tuple[datetime, ...]:
    """The different cutoffs of the rows as aware UTC, oldest first."""
    seen = np.unique(data.cutoff).astype("datetime64[us]").tolist()
    return tuple(instant.replace(tzinfo=UTC) for instant in seen)


@dataclass(frozen=True)
class Span:
    """How many rows there are, and the different cutoffs at which they stand, oldest first."""

    rows: int
    cutoffs: tuple[datetime, ...]

    @classmethod
    def of(cls, data: Dataset) -> "Span":
        """The span of `data`."""
        return cls(len(data), cutoffs_of(data))


@dataclass(frozen=True)
class Account:
    """What taught and judged a model, when the rows themselves are gone."""

    train: Span
    test: Span | None
    refit: Span | None = None
    """What the served model learned from; None where no other was fitted."""

    @classmethod
    def of(cls, rows: Rows | ValueRows) -> "Account":
        """The account of `rows`, before a refit."""
        return cls(Span.of(rows.train), None if rows.test is None else Span.of(rows.test))


def days(cutoffs: Sequence[datetime], config: PipelineConfig) -> str:
    """Cutoffs as local dates, for people: one day, or first to last with their number."""
    first, last = (local_day(cutoff, config.zone) for cutoff in (cutoffs[0], cutoffs[-1]))
    return str(first) if first == last else f"{first} to {last} ({len(cutoffs)} cutoffs)"
