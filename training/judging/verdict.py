"""Fitted models judged on their test rows, beside the baselines and, where fair, the champion."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from features.config import PipelineConfig
from features.feature_contract import FeatureMismatch
from features.snapshot import Snapshot
from features.windows import local_day, shift_days
from training.baselines import best_rule, churn_baselines, orders_baselines, value_baselines
from training.bundle import Bundle
from training.dataset import Dataset, build_dataset
from training.evaluate import (
    CannotJudge,
    ChurnEvaluation,
    OrdersEvaluation,
    ValueEvaluation,
    judge_churn,
    judge_orders,
    judge_value,
)
from training.families.glm import Vector
from training.judging.comparison import CHAMPION, MODEL
from training.judging.grades import Grade, churn_grades, dynamics_value
from training.models import Models
from training.rows import Rows, ValueRows, cutoffs_of

_EXPLAINED_ROWS = 500


@dataclass(frozen=True)
class Champion:
    """The champion as a rival on the test rows, from which it has learned nothing."""

    version: str
    propensity: Vector
    is_older: bool
    """Whether the challenger to be served learns from a later cutoff than any of its own."""


@dataclass(frozen=True)
class Verdict:
    """How the models did after their test cutoffs, and what must be said about it."""

    churn: ChurnEvaluation
    value: ValueEvaluation | None
    drivers: Mapping[str, float]
    """Feature to the mean size of its contribution to the churn logit, on test rows."""
    notes: tuple[str, ...] = ()
    """What could not be fitted, judged or compared, and why; one sentence each."""
    orders: OrdersEvaluation | None = None
    grades: tuple[Grade, ...] = ()
    champion: Champion | None = None
    reason_overlap: float | None = None
    """Share of each customer's three main reasons that another seed names too, when asked."""
    is_simple: bool = False
    """Whether the churn model has no more parameters than a logistic on recency and frequency."""

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers to track, by name."""
        judged = (self.churn, self.orders, self.value)
        told = {name: n for part in judged if part for name, n in part.metrics().items()}
        return told | (
            {} if self.reason_overlap is None else {"reason_overlap": self.reason_overlap}
        )


def judge_models(
    models: Models, churn: Rows, champion: Champion | None, config: PipelineConfig
) -> Verdict:
    """Judge churn and, where they were fitted, expected orders.

    Raises CannotJudge when the churn test rows hold only one outcome.
    """
    training, test = config.training, churn.test
    propensity = models.churn.predict(test.X)
    methods = {MODEL: propensity, **churn_baselines(churn.train, test)}
    if champion is not None:
        methods[CHAMPION] = champion.propensity
    evaluation = judge_churn(test, methods, draws=training.bootstrap_draws, seed=training.seed)
    rule = f"The best single rule found: {best_rule(churn.train).words}."
    return Verdict(
        evaluation,
        None,
        _drivers(models, test),
        (rule,),
        orders=_orders_verdict(models, churn, config),
        grades=churn_grades(churn.train, test, propensity, config.churn),
        champion=champion,
        is_simple=set(models.churn.ensemble.members) == {"btyd"},
    )


def with_value_verdict(
    verdict: Verdict, models: Models, value: ValueRows, config: PipelineConfig
) -> Verdict:
    """`verdict` with that on CLV, or with the reason why there is none."""
    if models.value is None:
        return verdict
    if value.test is None:
        return _and_said(verdict, "CLV is not judged: its horizon is not over yet.")
    try:
        judged = _value_evaluation(models, value.train, value.test, config)
    except CannotJudge as error:
        return _and_said(verdict, f"CLV is not judged: {error}.")
    graded = dynamics_value(value.test, models.predict(value.test.X).clv)
    grades = verdict.grades if graded is None else (*verdict.grades, graded)
    return replace(verdict, value=judged, grades=grades)


def champion_rival(
    champion: Bundle | None, snapshot: Snapshot, config: PipelineConfig, churn: Rows
) -> tuple[Champion | None, tuple[str, ...]]:
    """The champion on the test rows where that is fair, or the reason why not."""
    if champion is None:
        return None, ("There is no champion yet; the model is compared with baselines only.",)
    version = champion.manifest.version
    if reason := _unfair(champion, snapshot, config, churn):
        return None, (f"Champion v{version} is not compared: {reason}.",)
    try:
        test = _in_contract_of(champion, snapshot, config, churn)
    except FeatureMismatch as error:
        return None, (f"The champion is not compared: {error}.",)
    is_older = champion.manifest.cutoffs[-1] < cutoffs_of(churn.test)[-1]
    return Champion(version, champion.models.churn.predict(test.X), is_older), ()


def _orders_verdict(models: Models, churn: Rows, config: PipelineConfig) -> OrdersEvaluation | None:
    """None where orders were not fitted, or nobody among the test rows bought."""
    if models.orders is None or churn.test.orders is None or not churn.test.orders.any():
        return None
    expected = models.predict(churn.test.X).expected_orders
    baselines = orders_baselines(churn.train, churn.test, config.churn.horizon_days)
    training = config.training
    return judge_orders(
        churn.test,
        {MODEL: expected, **baselines},
        draws=training.bootstrap_draws,
        seed=training.seed,
    )


def _and_said(verdict: Verdict, note: str) -> Verdict:
    return replace(verdict, notes=(*verdict.notes, note))


def _drivers(models: Models, test: Dataset) -> dict[str, float]:
    """Mean absolute SHAP value by feature over up to 500 test rows, largest first."""
    step = max(1, len(test) // _EXPLAINED_ROWS)
    sizes = np.abs(models.contributions(test.X[::step])).mean(axis=0)
    return {test.contract.names[place]: float(sizes[place]) for place in np.argsort(-sizes)}


def _value_evaluation(
    models: Models, train: Dataset, test: Dataset, config: PipelineConfig
) -> ValueEvaluation:
    prediction = models.predict(test.X)
    baselines = value_baselines(train, test, config.clv.horizon_days)
    return judge_value(
        test,
        {MODEL: prediction.clv, **baselines},
        (prediction.clv_low, prediction.clv_high),
        draws=config.training.bootstrap_draws,
        seed=config.training.seed,
    )


def _unfair(
    champion: Bundle, snapshot: Snapshot, config: PipelineConfig, churn: Rows
) -> str | None:
    """Why the champion may have seen the test labels, or answers another question."""
    manifest, horizon = champion.manifest, champion.manifest.churn_horizon_days
    if not manifest.cutoffs or config.churn.label == "column":
        return "it may have learned from the test customers"
    if horizon != config.churn.horizon_days:
        return f"its horizon is {horizon} days, not {config.churn.horizon_days}"
    learned = shift_days(manifest.cutoffs[-1], horizon, snapshot.zone)
    stand = cutoffs_of(churn.test)[-1]
    if learned > stand:
        until, test = (local_day(day, snapshot.zone) for day in (learned, stand))
        return f"it learned from labels up to {until}, past the test cutoff {test}"
    return None


def _in_contract_of(
    champion: Bundle, snapshot: Snapshot, config: PipelineConfig, churn: Rows
) -> Dataset:
    ours = {(column.name, column.definition) for column in churn.test.contract.columns}
    theirs = {(column.name, column.definition) for column in champion.contract.columns}
    if changed := sorted(name for name, _ in theirs - ours):
        raise FeatureMismatch(f"feature {changed[0]!r} is no longer computed as it knew it")
    if champion.contract.hash == churn.test.contract.hash:
        return churn.test
    return build_dataset(snapshot, config, cutoffs_of(churn.test), "churn", champion.contract)
