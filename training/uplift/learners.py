"""Uplift learners on a randomised trial: what contact adds to each customer's chance."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import lightgbm as lgb

from features.config import TrainingConfig
from training.families.boosting_settings import boosting_settings
from training.families.glm import Vector, fit_glm
from training.families.members import Linear, Trees, booster_names
from training.uplift.trial import Trial
from training.uplift_model import Link, Term, UpliftModel

_ROUNDS = 120


def fit_response(trial: Trial, training: TrainingConfig) -> Term:
    """The response model: the chance of the outcome, whoever was contacted."""
    return _boosted(trial, trial.outcome, "chance", training)


def fit_t_logistic(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """T-learner: a logistic regression in each arm; uplift is their difference."""
    del training
    glms = (fit_glm(arm.X, arm.outcome, arm.contract, "binary", None) for arm in _arms(trial))
    contacted, held_out = (Term(1.0, "chance", "glm", Linear(glm, trial.contract)) for glm in glms)
    return UpliftModel("t_logistic", (contacted, -held_out))


def fit_t_boosted(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """T-learner: boosted trees in each arm; uplift is their difference."""
    contacted, held_out = (fit_response(arm, training) for arm in _arms(trial))
    return UpliftModel("t_boosted", (contacted, -held_out))


def fit_x_boosted(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """X-learner: each arm's surprise over the other arm's model, learned and averaged.

    Source: Künzel, Sekhon, Bickel and Yu (2019), "Metalearners for estimating heterogeneous
    treatment effects using machine learning", equations 6 to 9.
    """
    contacted, held_out = _arms(trial)
    if_contacted, if_left = fit_response(contacted, training), fit_response(held_out, training)
    gained = contacted.outcome - if_left.predict(contacted.X)
    missed = if_contacted.predict(held_out.X) - held_out.outcome
    share = float(trial.chance.mean())
    return UpliftModel(
        "x_boosted",
        (
            _boosted(contacted, gained, "effect", training, 1.0 - share),
            _boosted(held_out, missed, "effect", training, share),
        ),
    )


def fit_transformed(trial: Trial, training: TrainingConfig) -> UpliftModel:
    """Transformed outcome: a target whose mean is the effect, learned by boosted trees.

    The outcome is centred first, which leaves that mean and takes away noise. Source: Athey and
    Imbens (2016), "Recursive partitioning for heterogeneous causal effects", section 2.2.
    """
    target = (trial.outcome - trial.outcome.mean()) * trial.signed
    return UpliftModel("transformed", (_boosted(trial, target, "effect", training),))


LEARNERS: Mapping[str, Callable[[Trial, TrainingConfig], UpliftModel]] = MappingProxyType(
    {
        "t_logistic": fit_t_logistic,
        "t_boosted": fit_t_boosted,
        "x_boosted": fit_x_boosted,
        "transformed": fit_transformed,
    }
)


def _arms(trial: Trial) -> tuple[Trial, Trial]:
    """The contacted rows and those held out."""
    return trial.rows(trial.treated > 0), trial.rows(trial.treated == 0)


def _boosted(
    trial: Trial, target: Vector, link: Link, training: TrainingConfig, weight: float = 1.0
) -> Term:
    settings = {
        **boosting_settings("binary", len(target), training),
        # Effects are faint beside outcomes: smaller steps and trees, larger leaves than for churn.
        "objective": "binary" if link == "chance" else "regression",
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
    booster = lgb.train(settings, data, num_boost_round=_ROUNDS)
    return Term(weight, link, "trees", Trees(booster, on_forecast=False))
