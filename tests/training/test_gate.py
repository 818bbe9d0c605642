"""The gate: each rule by hand, and whole on labels that know nothing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from features.config import PipelineConfig, SourceConfig, TrainingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from training.dataset import Dataset
from training.evaluate import ChurnEvaluation, ValueEvaluation
from training.fitting import fit_models
from training.gate import refusals, ties
from training.judging.comparison import Comparison, Estimate
from training.judging.curves import Bin, Coverage, Gains
from training.judging.segments import Segment
from training.judging.verdict import Champion, Verdict, judge_models
from training.rows import Rows

TRAINING = TrainingConfig()
SURE, ERRORS = (0.05, 0.01, 0.09), {"brier": (0, -1, 1), "log_loss": (0, -1, 1), "ece": (0, -1, 1)}
TIE = (0.01, -0.01, 0.03)

Differences = Mapping[str, Mapping[str, tuple[float, float, float]]]


def comparison(differences: Differences, **own: Estimate) -> Comparison:
    found = {
        rival: {metric: Estimate(*value) for metric, value in metrics.items()}
        for rival, metrics in differences.items()
    }
    return Comparison({"model": own}, found)


def verdict(
    differences: Differences,
    auc: tuple[float, float, float] = (0.80, 0.75, 0.85),
    ece: tuple[float, float, float] = (0.03, 0.02, 0.05),
) -> Verdict:
    """A verdict with the model's AUC and its paired differences, each point, low and high."""
    told = {rival: ERRORS | dict(metrics) for rival, metrics in differences.items()}
    churn = ChurnEvaluation(
        rows=1000,
        base_rate=0.3,
        comparison=comparison(told, auc=Estimate(*auc), ece=Estimate(*ece)),
        no_skill=auc[1] <= 0.5,
        verdicts=(),
        reliability=[],
        gains=Gains(np.array([0.0, 1.0]), np.array([0.0, 1.0])),
        chance_error=0.02,
    )
    return Verdict(churn, None, {})


def with_champion(told: Verdict, *, is_older: bool = True) -> Verdict:
    return replace(told, champion=Champion("4", np.empty(0), is_older))


def with_value(told: Verdict, differences: Differences, top: float = 0.9) -> Verdict:
    decile = Bin(100, 5.0, top, top - 0.05, top + 0.03)
    value = ValueEvaluation(
        rows=1000,
        mean_value=5.0,
        comparison=comparison(differences),
        verdicts=(),
        deciles=[],
        coverage=Coverage(0.9, 0.9, top, 1.0, (decile,)),
    )
    return replace(told, value=value)


def test_a_model_clear_of_chance_and_of_every_rival_passes() -> None:
    judged = verdict({"best single rule": {"auc": SURE}, "RFM logistic": {"auc": SURE}})
    assert refusals(judged, TRAINING) == ()
    assert ties(judged) == ()


def test_a_model_that_may_be_chance_is_refused() -> None:
    judged = verdict({"base rate": {"auc": (0.02, -0.03, 0.07)}}, auc=(0.52, 0.47, 0.57))
    (reason,) = refusals(judged, TRAINING)
    assert reason.startswith("no evidence of skill: the AUC interval 0.470 to 0.570")


def test_a_model_that_one_shuffled_table_in_forty_would_match_is_refused() -> None:
    """0.57 with a standard error of 0.03 is only 2.3 of them above 0.5."""
    judged = verdict({}, auc=(0.57, 0.511, 0.629))
    (reason,) = refusals(judged, TRAINING)
    assert reason.startswith("too little evidence of skill: AUC 0.570 [0.511, 0.629] is less than")
    assert refusals(verdict({}, auc=(0.61, 0.551, 0.669)), TRAINING) == ()


@pytest.mark.parametrize("rival", ["best single rule", "RFM logistic", "logistic on all features"])
def test_a_model_significantly_worse_than_a_baseline_is_refused(rival: str) -> None:
    judged = verdict({rival: {"auc": (-0.05, -0.08, -0.02)}})
    (reason,) = refusals(judged, TRAINING)
    assert reason == f"significantly worse than {rival}: AUC differs by -0.050 [-0.080, -0.020]"


@pytest.mark.parametrize("rival", ["best single rule", "RFM logistic", "usage logistic"])
def test_a_tie_with_a_simple_answer_is_refused_when_nothing_else_is_better(rival: str) -> None:
    judged = verdict({rival: {"auc": TIE}})
    (reason,) = refusals(judged, TRAINING)
    assert reason.startswith(
        f"not shown to be better than {rival}: AUC differs by 0.010 [-0.010, 0.030]"
    )
    assert reason.endswith("a simpler answer may do as well")


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_a_tie_passes_when_the_propensities_are_surely_better_and_is_said(metric: str) -> None:
    judged = verdict({"RFM logistic": {"auc": TIE, metric: (-0.02, -0.03, -0.01)}})
    assert refusals(judged, TRAINING) == ()
    assert ties(judged) == (
        "The model only ties with RFM logistic on AUC; a simpler answer may do as well.",
    )


@pytest.mark.parametrize(
    ("rival", "counterpart"),
    [("best single rule", "historical average"), ("RFM logistic", "RFM ridge")],
)
def test_a_tie_passes_when_the_value_beats_what_the_same_people_would_take(
    rival: str, counterpart: str
) -> None:
    tie = verdict({rival: {"auc": TIE}})
    nothing = {"gini": (0.0, -0.1, 0.1), "rmse": (0.0, -9.0, 9.0)}
    assert len(refusals(with_value(tie, {counterpart: nothing}), TRAINING)) == 1
    for better in ({"gini": (0.2, 0.1, 0.3)}, {"rmse": (-9.0, -12.0, -3.0)}):
        judged = with_value(tie, {counterpart: nothing | better})
        assert refusals(judged, TRAINING) == ()


def test_a_value_that_ranks_worse_than_a_simple_one_is_refused() -> None:
    judged = with_value(verdict({}), {"historical average": {"gini": (-0.05, -0.08, -0.02)}})
    (reason,) = refusals(judged, TRAINING)
    assert reason == (
        "CLV significantly worse than historical average: Gini differs by -0.050 [-0.080, -0.020]"
    )


def test_a_tie_passes_for_a_model_that_is_as_simple_but_a_loss_does_not() -> None:
    judged = replace(verdict({"RFM logistic": {"auc": TIE}}), is_simple=True)
    assert refusals(judged, TRAINING) == ()
    worse = replace(verdict({"RFM logistic": {"auc": (-0.05, -0.08, -0.02)}}), is_simple=True)
    assert len(refusals(worse, TRAINING)) == 1


def test_a_tie_with_a_logistic_on_every_feature_passes() -> None:
    judged = verdict({"logistic on all features": {"auc": TIE}})
    assert refusals(judged, TRAINING) == ()
    assert len(ties(judged)) == 1


def test_the_margin_asks_for_more_than_a_gain() -> None:
    judged = verdict({"RFM logistic": {"auc": SURE}})
    assert refusals(judged, TrainingConfig(promotion_margin=0.005)) == ()
    (reason,) = refusals(judged, TrainingConfig(promotion_margin=0.02))
    assert reason.startswith("not shown to be better than RFM logistic")


def test_a_champion_that_is_better_stays() -> None:
    judged = with_champion(verdict({"champion": {"auc": (-0.05, -0.08, -0.02)}}))
    (reason,) = refusals(judged, TRAINING)
    assert reason == "significantly worse than champion v4: AUC differs by -0.050 [-0.080, -0.020]"


def test_a_tie_with_the_champion_passes_only_for_one_trained_on_later_cutoffs() -> None:
    judged = verdict({"champion": {"auc": TIE}})
    assert refusals(with_champion(judged), TRAINING) == ()
    (reason,) = refusals(with_champion(judged, is_older=False), TRAINING)
    assert reason == "not better than champion v4, and not trained on later cutoffs than it"


@pytest.mark.parametrize(
    ("metric", "words"), [("brier", "Brier score"), ("ece", "calibration error")]
)
def test_a_tie_with_the_champion_is_refused_when_calibration_suffers(
    metric: str, words: str
) -> None:
    judged = verdict({"champion": {"auc": TIE, metric: (0.02, 0.01, 0.03)}})
    (reason,) = refusals(with_champion(judged), TRAINING)
    assert reason == (
        f"only ties with champion v4 on AUC, and its {words} is worse by 0.020 [0.010, 0.030]"
    )


def test_a_large_gain_over_the_champion_is_a_suspected_leak_until_explained() -> None:
    large = with_champion(verdict({"champion": {"auc": SURE}}))
    (reason,) = refusals(large, TRAINING)
    assert reason.startswith("suspected leak: an AUC gain of 0.050 [0.010, 0.090] over champion v4")
    assert refusals(large, TrainingConfig(explained_gains=["4"])) == ()
    assert len(refusals(large, TrainingConfig(explained_gains=["3"]))) == 1
    small = with_champion(verdict({"champion": {"auc": (0.02, 0.01, 0.03)}}))
    assert refusals(small, TRAINING) == ()


def test_calibration_beyond_the_limit_and_chance_is_refused() -> None:
    """Chance explains 0.02 of it; 0.05 more is allowed."""
    assert refusals(verdict({}, ece=(0.07, 0.06, 0.09)), TRAINING) == ()
    (reason,) = refusals(verdict({}, ece=(0.08, 0.06, 0.09)), TRAINING)
    assert reason.startswith("badly calibrated: the calibration error is 0.080 [0.060, 0.090]")
    assert (
        refusals(verdict({}, ece=(0.08, 0.06, 0.09)), TrainingConfig(max_calibration_error=0.1))
        == ()
    )


def test_intervals_that_surely_miss_too_many_of_the_top_decile_are_refused() -> None:
    """At 0.83 the interval of the share still reaches 0.86; at 0.80 it ends at 0.83."""
    assert refusals(with_value(verdict({}), {}, top=0.83), TRAINING) == ()
    (reason,) = refusals(with_value(verdict({}), {}, top=0.80), TRAINING)
    assert reason.startswith("the 90 % CLV intervals hold 80.0% [75.0%, 83.0%] of the top")


def test_a_harmed_segment_is_refused_by_name() -> None:
    gains = (Estimate(-0.1, -0.15, -0.05), Estimate(-0.01, -0.02, 0.0))
    calibration = Bin(300, 0.3, 0.3, 0.25, 0.35)
    north = Segment("Region: north", calibration, 0.7, 0.2, gains, harmed=True)
    told = verdict({})
    judged = replace(told, churn=replace(told.churn, segments=(north,)))
    (reason,) = refusals(judged, TRAINING)
    assert reason.startswith("worse than the champion for Region: north (300 customers")
    assert "AUC gain -0.100 [-0.150, -0.050]" in reason


CONFIG = PipelineConfig(
    name="made shop",
    currency="EUR",
    workspace=Path("var"),
    sources={"orders": SourceConfig(path="orders.csv")},
    training=TrainingConfig(bootstrap_draws=40),
)
FEATURES = (
    "orders_days_since_last",
    "orders_frequency",
    "orders_T",
    "orders_value_mean",
    "tickets_count_90d",
)


def customers(seed: int, *, knowing: bool) -> Dataset:
    """400 customers whose churn follows recency and tickets, or nothing at all."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(1.0, 30.0, (400, len(FEATURES)))
    X[:, 2] += X[:, 0]
    told = (X[:, 0] + X[:, 4]) / 30 - 2 if knowing else np.zeros(400)
    contract = FeatureContract(
        columns=tuple(FeatureColumn(name=n, kind="numeric", definition="made") for n in FEATURES)
    )
    return Dataset(
        X,
        np.arange(400).astype(str),
        np.full(400, datetime(2024, 1, 1), dtype="datetime64[us]"),
        contract,
        churned=(rng.random(400) < 1 / (1 + np.exp(-2 * told))).astype(float),
    )


def reasons(seed: int, *, knowing: bool) -> tuple[str, ...]:
    """The gate's reasons against a model fitted and judged on made customers."""
    train = customers(seed, knowing=knowing)
    rows = Rows(train, customers(seed + 1000, knowing=knowing))
    models = fit_models(rows, CONFIG.training).models
    return refusals(judge_models(models, rows, None, CONFIG), CONFIG.training)


def test_labels_that_know_nothing_are_refused_ten_times_of_ten() -> None:
    """A hundred times of a hundred: `python -m benchmarks.gate`."""
    assert all(reasons(seed, knowing=False) for seed in range(10))


def test_labels_that_follow_two_features_pass() -> None:
    assert reasons(1, knowing=True) == ()
