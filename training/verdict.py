"""Fitted models judged on their test rows, beside the baselines and, where fair, the champion."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.config import PipelineConfig
from features.feature_contract import FeatureMismatch
from features.snapshot import Snapshot
from features.windows import local_day, shift_days
from training.baselines import best_rule, churn_baselines, value_baselines
from training.bundle import Bundle
from training.dataset import Dataset, build_dataset
from training.evaluate import (
    MODEL,
    CannotJudge,
    ChurnEvaluation,
    ValueEvaluation,
    judge_churn,
    judge_value,
)
from training.gate import CHAMPION
from training.glm import Vector
from training.models import Models
from training.rows import Rows, ValueRows, cutoffs_of

_EXPLAINED_ROWS = 500


@dataclass(frozen=True)
class Verdict:
    """How the models did after their test cutoffs, and what must be said about it."""

    churn: ChurnEvaluation
    value: ValueEvaluation | None
    drivers: Mapping[str, float]
    """Feature to the mean size of its contribution to the churn logit, on test rows."""
    notes: tuple[str, ...] = ()
    """What could not be fitted, judged or compared, and why; one sentence each."""

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers to track, by name."""
        return self.churn.metrics() | (self.value.metrics() if self.value else {})


def judge_models(
    models: Models,
    churn: Rows,
    value: ValueRows | None,
    rivals: Mapping[str, Vector],
    config: PipelineConfig,
) -> Verdict:
    """Judge churn and, where it was fitted, CLV; `rivals` are more propensities by name.

    Raises CannotJudge when the churn test rows hold only one outcome.
    """
    training = config.training
    propensity = models.churn.predict(churn.test.X)
    methods = {MODEL: propensity, **churn_baselines(churn.train, churn.test), **rivals}
    evaluation = judge_churn(
        churn.test, methods, draws=training.bootstrap_draws, seed=training.seed
    )
    judged, notes = _value_verdict(models, value, config)
    rule = f"The best single rule found: {best_rule(churn.train).words}."
    return Verdict(evaluation, judged, _drivers(models, churn.test), (rule, *notes))


def champion_rival(
    champion: Bundle | None, snapshot: Snapshot, config: PipelineConfig, churn: Rows
) -> tuple[dict[str, Vector], tuple[str, ...]]:
    """The champion's propensities for the test rows where that is fair, or the reason why not."""
    if champion is None:
        return {}, ("There is no champion yet; the model is compared with baselines only.",)
    if reason := _unfair(champion, snapshot, config, churn):
        version = champion.manifest.version
        return {}, (f"Champion v{version} is not compared: {reason}.",)
    try:
        test = _in_contract_of(champion, snapshot, config, churn)
    except FeatureMismatch as error:
        return {}, (f"The champion is not compared: {error}.",)
    return {CHAMPION: champion.models.churn.predict(test.X)}, ()


def _value_verdict(
    models: Models, value: ValueRows | None, config: PipelineConfig
) -> tuple[ValueEvaluation | None, tuple[str, ...]]:
    if value is None or models.value is None:
        return None, ()
    if value.test is None:
        return None, ("CLV is not judged: its horizon is not over yet.",)
    try:
        return _value_evaluation(models, value.train, value.test, config), ()
    except CannotJudge as error:
        return None, (f"CLV is not judged: {error}.",)


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
