"""The promotion gate: reasons not to serve a model, taken from its evaluation."""

from features.config import TrainingConfig
from training.baselines import BASE_RATE
from training.evaluate import MODEL, ChurnEvaluation

CHAMPION = "champion"


def refusals(evaluation: ChurnEvaluation, training: TrainingConfig) -> tuple[str, ...]:
    """Why the model must not be promoted, one sentence each; empty when it may.

    It must rank better than chance, and must not be significantly worse, by more than
    `promotion_margin` of AUC, than any baseline or the champion. A tie passes.
    """
    auc = evaluation.comparison.methods[MODEL]["auc"]
    reasons = []
    if evaluation.no_skill:
        reasons.append(
            f"no evidence of skill: the AUC interval {auc.low:.3f} to {auc.high:.3f} "
            "includes 0.5 or lies below it"
        )
    for baseline, differences in evaluation.comparison.differences.items():
        difference = differences["auc"]
        if baseline != BASE_RATE and difference.high < -training.promotion_margin:
            reasons.append(
                f"significantly worse than {baseline}: AUC differs by {difference.point:.3f} "
                f"[{difference.low:.3f}, {difference.high:.3f}]"
            )
    return tuple(reasons)


def ties(evaluation: ChurnEvaluation) -> tuple[str, ...]:
    """Baselines that the model has not been shown to beat on AUC, each said plainly."""
    return tuple(
        f"The model only ties with {baseline} on AUC; a simpler answer may do as well."
        for baseline, differences in evaluation.comparison.differences.items()
        if baseline not in (BASE_RATE, CHAMPION)
        and differences["auc"].low <= 0 <= differences["auc"].high
    )
