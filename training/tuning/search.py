"""A search for better boosting settings: earlier cutoffs teach, later judge, losers stop early.

Optuna is loaded only when a search is asked for.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np

from features.config import BoostingConfig, PipelineConfig, TrainingConfig, TuningConfig
from training.dataset import CannotTrain, Dataset
from training.families.boosting import sample_customers
from training.families.boosting_settings import boosting_settings, default_boosting
from training.families.members import booster_names
from training.tuning.folds import Fold, customer_groups, time_folds

if TYPE_CHECKING:
    import optuna

_MOST_ROUNDS = 600
_PATIENCE = 40
_STEP = 0.4
"""Trials are compared at equal learning, rounds times rate; a step is ten rounds at 0.04."""
_STEPS_BEFORE_STOPPING = 3
_TRIALS_AT_RANDOM = 8
_LOSS = "valid binary_logloss-mean"
_FLOATS: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (0.02, 0.15, True),
    "feature_fraction": (0.3, 1.0, False),
    "bagging_fraction": (0.5, 1.0, False),
    "lambda_l2": (0.01, 100.0, True),
}
"""Setting to its lowest and highest value, and whether it is searched on a log scale."""
_WHOLE = {"num_leaves": (4, 63), "min_data_in_leaf": (5, 500)}


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and the churn log loss they came to on later cutoffs."""

    number: int
    """Its place in the search, from 0."""
    boosting: BoostingConfig
    log_loss: float
    """Mean over the folds; where it was stopped early, of the last round looked at."""
    rounds: int | None
    """Boosting rounds to the least loss; None where it was stopped early."""
    stopped_early: bool


@dataclass(frozen=True)
class Tuned:
    """The settings to fit with, and what the search came to."""

    boosting: BoostingConfig
    log_loss: float
    default_log_loss: float
    """Of the default settings on the same folds; never below `log_loss`."""
    trials: int
    stopped_early: int

    @property
    def words(self) -> str:
        """What the search found, as one sentence."""
        return (
            f"Tuning tried {self.trials} settings ({self.stopped_early} stopped early): log loss "
            f"{self.log_loss:.4f} on later cutoffs of the training rows, with the default "
            f"settings {self.default_log_loss:.4f}."
        )


Watcher = Callable[[Trial], None]
"""Called after each trial of this process, as it ends."""


def tuned(
    config: PipelineConfig, data: Dataset, watch: Watcher
) -> tuple[PipelineConfig, tuple[str, ...]]:
    """`config` with the boosting settings that a search on churn's training rows found, in words.

    Unchanged and silent when `training.tuning` asks for none. The search sees about 60,000 rows
    and is kept in `tuning.db` of the workspace.

    Raises CannotTrain when no two training cutoffs are a horizon apart.
    """
    budget = config.training.tuning
    if budget is None:
        return config, ()
    sample = data.rows(sample_customers(data.customer_id))
    folds = (
        customer_groups(sample)
        if config.churn.label == "column"
        else time_folds(sample, config.churn.horizon_days, config.zone)
    )
    store = config.workspace / "tuning.db"
    found = tune(sample, folds, config.training, budget, store, watch)
    training = config.training.model_copy(update={"boosting": found.boosting})
    return config.model_copy(update={"training": training}), (found.words,)


def tune(
    data: Dataset,
    folds: list[Fold],
    training: TrainingConfig,
    budget: TuningConfig,
    store: Path,
    watch: Watcher,
) -> Tuned:
    """The boosting settings with the least churn log loss over `folds` within `budget`.

    The search is kept in `store` (SQLite) under a digest of rows, folds and seed: the same rows
    go on where an earlier search was killed, and come to what it would have come to. The
    default settings are the first trial, so the answer is never worse than they are on the folds.

    Raises CannotTrain when the rows carry no churn labels.
    """
    if data.churned is None:
        raise CannotTrain("the rows carry no churn labels; build them with task 'churn'")
    objective = _Objective(_table(data), folds, training, len(data))
    ends = time.monotonic() + 60 * budget.minutes if budget.minutes else np.inf
    with _study(store, _name(data, folds, training)) as study:
        while (number := len(_ended(study))) < budget.trials:
            if number and time.monotonic() >= ends:
                break
            watch(_tried(study, number, objective, training.seed))
        return _best([_read(place, frozen) for place, frozen in enumerate(_ended(study))], training)


@dataclass(frozen=True)
class _Objective:
    """Cross-validated log loss by round for settings, over folds that are cut once."""

    table: lgb.Dataset
    folds: list[Fold]
    training: TrainingConfig
    rows: int

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings that would be used without a search."""
        given = self.training.boosting.model_dump(exclude_none=True)
        return default_boosting(self.rows).model_dump() | given

    def losses(self, boosting: BoostingConfig, each_round: Callable[[Any], None]) -> list[float]:
        training = self.training.model_copy(update={"boosting": boosting})
        result = lgb.cv(
            boosting_settings("binary", self.rows, training) | {"feature_pre_filter": False},
            self.table,
            num_boost_round=_MOST_ROUNDS,
            folds=[(fold.teach, fold.judge) for fold in self.folds],
            callbacks=[lgb.early_stopping(_PATIENCE, verbose=False), each_round],
        )
        return list(result[_LOSS])


def _tried(study: "optuna.Study", number: int, objective: _Objective, seed: int) -> Trial:
    """Try one more setting and keep what it came to."""
    import optuna

    # A sampler of its own for each trial: a search that goes on draws what it would have drawn.
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=_TRIALS_AT_RANDOM, seed=(seed * 1_000_003 + number) % 2**32
    )
    if not any(trial.state.name == "WAITING" for trial in study.trials) and number == 0:
        study.enqueue_trial(objective.defaults)
    trial = study.ask()
    boosting = _suggested(trial)

    rate = boosting.learning_rate or 1.0

    def report(env: Any) -> None:
        before, step = (int(rounds * rate / _STEP) for rounds in (env.iteration, env.iteration + 1))
        if step > before:
            trial.report(env.evaluation_result_list[0][2], step)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        losses = objective.losses(boosting, report)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        trial.set_user_attr("rounds", len(losses))
        study.tell(trial, losses[-1])
    return _read(number, study.trials[trial.number])


def _suggested(trial: "optuna.Trial") -> BoostingConfig:
    numbers = {
        name: trial.suggest_float(name, low, high, log=log)
        for name, (low, high, log) in _FLOATS.items()
    }
    whole = {
        name: trial.suggest_int(name, low, high, log=True) for name, (low, high) in _WHOLE.items()
    }
    return BoostingConfig(**numbers, **whole)


def _read(number: int, frozen: "optuna.trial.FrozenTrial") -> Trial:
    return Trial(
        number,
        BoostingConfig(**frozen.params),
        float("nan") if frozen.value is None else frozen.value,
        frozen.user_attrs.get("rounds"),
        frozen.state.name == "PRUNED",
    )


def _best(trials: list[Trial], training: TrainingConfig) -> Tuned:
    """The trial with the least loss; the settings stay as given when that is the first."""
    whole = [trial for trial in trials if not trial.stopped_early]
    best = min(whole, key=lambda trial: trial.log_loss)
    boosting = best.boosting if best.number else training.boosting
    stopped_early = len(trials) - len(whole)
    return Tuned(boosting, best.log_loss, trials[0].log_loss, len(trials), stopped_early)


@contextmanager
def _study(store: Path, name: str) -> "Iterator[optuna.Study]":
    """The search called `name`, new or as an earlier process left it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    store.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{store.resolve()}")
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=3, n_warmup_steps=_STEPS_BEFORE_STOPPING
            ),
        )
        for trial in study.trials:
            if trial.state.name == "RUNNING":  # its process was killed
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _ended(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Trials that came to something, in order; one cut off by a kill is tried again."""
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _table(data: Dataset) -> lgb.Dataset:
    """The rows, cut into bins once for all trials."""
    return lgb.Dataset(
        data.X,
        data.churned,
        feature_name=booster_names(data.contract),
        categorical_feature=data.contract.categorical,
        params={"max_bin": 127, "feature_pre_filter": False, "verbosity": -1, "num_threads": 1},
    )


def _name(data: Dataset, folds: list[Fold], training: TrainingConfig) -> str:
    """A digest of all that decides what a search finds: rows, folds, search space and seed."""
    digest = hashlib.sha256(data.contract.hash.encode())
    positions = [rows for fold in folds for rows in (fold.teach, fold.judge)]
    for part in (data.X, data.churned, *positions):
        digest.update(np.ascontiguousarray(part).data)
    space = [_FLOATS, _WHOLE, _MOST_ROUNDS, _PATIENCE, _STEP, _STEPS_BEFORE_STOPPING]
    asked = [space, training.boosting.model_dump(), training.seed, lgb.__version__]
    digest.update(json.dumps(asked).encode())
    return digest.hexdigest()[:16]
