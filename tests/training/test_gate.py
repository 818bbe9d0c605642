"""The gate, by hand: skill, the paired bound, the margin, and ties."""

from collections.abc import Mapping

import numpy as np
import pytest

from features.config import TrainingConfig
from training.curves import Gains
from training.evaluate import ChurnEvaluation, Comparison, Estimate
from training.gate import refusals, ties

TRAINING = TrainingConfig()


def evaluation(
    auc: tuple[float, float, float], differences: Mapping[str, tuple[float, float, float]]
) -> ChurnEvaluation:
    """A verdict with the model's AUC and its paired differences, each point, low and high."""
    model = Estimate(*auc)
    methods = {"model": {"auc": model}}
    methods |= {
        name: {"auc": Estimate(model.point - d[0], 0.0, 1.0)} for name, d in differences.items()
    }
    compared = {name: {"auc": Estimate(*d)} for name, d in differences.items()}
    return ChurnEvaluation(
        rows=100,
        base_rate=0.3,
        comparison=Comparison(methods, compared),
        no_skill=model.low <= 0.5,
        verdicts=(),
        reliability=[],
        gains=Gains(np.array([0.0, 1.0]), np.array([0.0, 1.0])),
    )


def test_a_model_clear_of_chance_and_of_every_rival_passes() -> None:
    judged = evaluation((0.80, 0.75, 0.85), {"best single rule": (0.05, 0.01, 0.09)})
    assert refusals(judged, TRAINING) == ()
    assert ties(judged) == ()


def test_a_model_that_may_be_chance_is_refused() -> None:
    judged = evaluation((0.52, 0.47, 0.57), {"base rate": (0.02, -0.03, 0.07)})
    (reason,) = refusals(judged, TRAINING)
    assert reason.startswith("no evidence of skill: the AUC interval 0.470 to 0.570")


@pytest.mark.parametrize("rival", ["best single rule", "RFM logistic", "champion"])
def test_a_model_significantly_worse_than_a_rival_is_refused(rival: str) -> None:
    judged = evaluation((0.70, 0.65, 0.75), {rival: (-0.05, -0.08, -0.02)})
    (reason,) = refusals(judged, TRAINING)
    assert reason == f"significantly worse than {rival}: AUC differs by -0.050 [-0.080, -0.020]"


def test_the_margin_forgives_a_small_shortfall() -> None:
    judged = evaluation((0.70, 0.65, 0.75), {"champion": (-0.05, -0.08, -0.02)})
    assert refusals(judged, TrainingConfig(promotion_margin=0.03)) == ()
    assert len(refusals(judged, TrainingConfig(promotion_margin=0.01))) == 1


def test_a_tie_passes_and_is_said_plainly() -> None:
    judged = evaluation((0.70, 0.65, 0.75), {"RFM logistic": (-0.01, -0.03, 0.01)})
    assert refusals(judged, TRAINING) == ()
    assert ties(judged) == (
        "The model only ties with RFM logistic on AUC; a simpler answer may do as well.",
    )
