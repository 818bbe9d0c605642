"""Uplift learners on a randomised trial: what contact adds to each customer's chance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from features.config import TrainingConfig
from features.feature_contract import FeatureContract, Matrix
from training.calibration import sigmoid
from training.families.boosting import customer_folds
from training.families.boosting_settings import boosting_settings
from training.families.glm import Glm, Vector, fit_glm
from training.families.members import booster_names

_ROUNDS = 120
_FEWEST_OF_A_KIND = 10


class NoTrial(ValueError):
    """The rows are no randomised trial from which to learn; the message says why."""


@dataclass(frozen=True)
class Trial:
    """A randomised trial: one row per customer and wave, all arrays as long as `X`.

    Arms were drawn with one chance for all rows, which is read from their share.
    """

    X: Matrix
    """What was known before the contact, rows x features in the contract's order."""
    contract: FeatureContract
    customer_id: npt.NDArray[np.str_]
    treated: Vector
    """1.0 contacted, 0.0 held out."""
    outcome: Vector
    """1.0 for what is wanted (stayed, visited), else 0.0."""
    value: Vector
    """What the outcome is worth, in the currency; ones to count customers alike."""

    def __len__(self) -> int:
        return len(self.treated)

    @property
    def contacted_share(self) -> float:
        """The chance of being contacted, from the data."""
        return float(self.treated.mean())

    def rows(self, mask: npt.NDArray[Any]) -> "Trial":
        """The rows that `mask` (booleans or positions) picks, in its order."""
        return replace(
            self,
            X=self.X[mask],
            customer_id=self.customer_id[mask],
            treated=self.treated[mask],
            outcome=self.outcome[mask],
            value=self.value[mask],
        )


class _Predicts(Protocol):
    def predict(self, X: Matrix) -> Vector: ...


@dataclass(frozen=True)
class Logistic:
    """A logistic regression on screened features."""

    glm: Glm
    contract: FeatureContract

    def predict(self, X: Matrix) -> Vector:
        """The probability of each row."""
        names = self.contract.names
        places = np.array([names.index(name) for name in self.glm.names], dtype=np.int64)
        return sigmoid(self.glm.raw(X, places, np.zeros(len(X))))


@dataclass(frozen=True)
class Boosted:
    """Boosted trees for a probability or for an effect."""

    booster: lgb.Booster

    def predict(self, X: Matrix) -> Vector:
        """The probability or the effect of each row."""
        return np.asarray(self.booster.predict(X, num_threads=1))


@dataclass(frozen=True)
class UpliftModel:
    """Predicted uplift as a weighted sum of fitted models."""

    learner: str
    terms: tuple[tuple[float, _Predicts], ...]

    def predict(self, X: Matrix) -> Vector:
        """What contact adds to each row's chance of the outcome; larger means it helps."""
        return np.asarray(sum(weight * model.predict(X) for weight, model in self.terms))


def require_trial(trial: Trial) -> None:
    """Raise NoTrial when an arm or an outcome is missing, or a value makes no sense."""
    for name, values in (("treated", trial.treated), ("outcome", trial.outcome)):
        odd = values[~np.isin(values, (0.0, 1.0))]
        if len(odd):
            raise NoTrial(f"{name} must be 0 or 1, got {odd[0]}; recode it before the trial")
    if len(bad := trial.value[~(np.isfinite(trial.value) & (trial.value >= 0))]):
        raise NoTrial(f"value must be a number of at least 0, got {bad[0]}")
    for arm, mask in (("contacted", trial.treated > 0), ("held out", trial.treated == 0)):
        wanted = int(trial.outcome[mask].sum())
        if min(wanted, int(mask.sum()) - wanted) < _FEWEST_OF_A_KIND:
            raise NoTrial(
                f"of {int(mask.sum())} customers {arm}, {wanted} had the outcome; at least "
                f"{_FEWEST_OF_A_KIND} with and {_FEWEST_OF_A_KIND} without are needed in each arm"
            )


def fit_response(trial: Trial, training: TrainingConfig) -> Boosted:
    """The response model: the chance of the outcome, whoever was contacted."""
    return _boosted(trial, trial.outcome, "binary", training)


def fit_t_logistic(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """T-learner: a logistic regression in each arm; uplift is their difference."""
    del training
    models = [
        Logistic(fit_glm(arm.X, arm.outcome, arm.contract, "binary", None), arm.contract)
        for arm in _arms(trial)
    ]
    return UpliftModel("t_logistic", ((1.0, models[0]), (-1.0, models[1])))


def fit_t_boosted(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """T-learner: boosted trees in each arm; uplift is their difference."""
    treated, untreated = (fit_response(arm, training) for arm in _arms(trial))
    return UpliftModel("t_boosted", ((1.0, treated), (-1.0, untreated)))


def fit_x_boosted(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """X-learner: each arm's surprise over the other arm's model, learned and averaged.

    Source: Künzel, Sekhon, Bickel and Yu (2019), "Metalearners for estimating heterogeneous
    treatment effects using machine learning", equations 6 to 9.
    """
    contacted, held_out = _arms(trial)
    if_contacted, if_left = fit_response(contacted, training), fit_response(held_out, training)
    gained = contacted.outcome - if_left.predict(contacted.X)
    missed = if_contacted.predict(held_out.X) - held_out.outcome
    share = trial.contacted_share
    return UpliftModel(
        "x_boosted",
        (
            (1.0 - share, _boosted(contacted, gained, "regression", training)),
            (share, _boosted(held_out, missed, "regression", training)),
        ),
    )


def fit_transformed(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """Transformed outcome: a target whose mean is the effect, learned by boosted trees.

    The outcome is centred first, which leaves that mean and takes away noise. Source: Athey and
    Imbens (2016), "Recursive partitioning for heterogeneous causal effects", section 2.2.
    """
    share = trial.contacted_share
    signed = (trial.treated - share) / (share * (1.0 - share))
    target = (trial.outcome - trial.outcome.mean()) * signed
    return UpliftModel("transformed", ((1.0, _boosted(trial, target, "regression", training)),))


LEARNERS: Mapping[str, Callable[[Trial, TrainingConfig], UpliftModel]] = MappingProxyType(
    {
        "t_logistic": fit_t_logistic,
        "t_boosted": fit_t_boosted,
        "x_boosted": fit_x_boosted,
        "transformed": fit_transformed,
    }
)


def cross_scores(trial: Trial, training: TrainingConfig) -> dict[str, Vector]:
    """Out-of-fold uplift by each learner, and the chance of the outcome as "response".

    Folds are of customers, by hash: none is scored by a model that has seen it in any wave.
    """
    fold = customer_folds(trial.customer_id)
    scores = {name: np.zeros(len(trial)) for name in (*LEARNERS, "response")}
    for place in np.unique(fold):
        inside, learned = fold == place, trial.rows(fold != place)
        for name, fit in LEARNERS.items():
            scores[name][inside] = fit(learned, training).predict(trial.X[inside])
        scores["response"][inside] = fit_response(learned, training).predict(trial.X[inside])
    return scores


def _arms(trial: Trial) -> tuple[Trial, Trial]:
    """The contacted rows and those held out."""
    return trial.rows(trial.treated > 0), trial.rows(trial.treated == 0)


def _boosted(trial: Trial, target: Vector, objective: str, training: TrainingConfig) -> Boosted:
    settings = {
        **boosting_settings("binary", len(target), training),
        # Effects are faint beside outcomes: smaller steps and trees, larger leaves than for churn.
        "objective": objective,
        "metric": "none",
        "learning_rate": 0.04,
        "num_leaves": 7,
        "min_data_in_leaf": max(20, len(target) // 100),
    }
    data = lgb.Dataset(
        trial.X,
        target,
        feature_name=booster_names(trial.contract),
        categorical_feature=trial.contract.categorical,
    )
    return Boosted(lgb.train(settings, data, num_boost_round=_ROUNDS))
