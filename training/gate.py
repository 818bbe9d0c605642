"""The promotion gate: reasons not to serve a model, taken from the verdict on it.

The rule is written out, with what it does to the examples, in docs/model-quality.md.
"""

from collections.abc import Iterator

from features.config import TrainingConfig
from training.baselines import (
    BASE_RATE,
    BEST_RULE,
    HISTORICAL_VALUE,
    RFM_LOGISTIC,
    RFM_RIDGE,
    USAGE_LOGISTIC,
)
from training.judging.comparison import CHAMPION, MODEL, Comparison, Estimate
from training.judging.segments import FEWEST_JUDGED
from training.judging.verdict import Champion, Verdict

_SIMPLE = {BEST_RULE: HISTORICAL_VALUE, RFM_LOGISTIC: RFM_RIDGE, USAGE_LOGISTIC: None}
"""Simple answers that must be beaten, and what the same people would take for CLV."""
_SKILL_ERRORS = 3.29
"""Standard errors above 0.5: shuffled labels get there once in 2,000 trainings, not in 40."""
_INTERVAL_ERRORS = 3.92
"""Standard errors from end to end of a 95 % interval."""
_LARGE_GAIN = 0.03


def refusals(verdict: Verdict, training: TrainingConfig) -> tuple[str, ...]:
    """Why the models must not be promoted, one sentence each; empty when they may."""
    return (
        *_without_skill(verdict.churn.comparison.methods[MODEL]["auc"]),
        *_not_better(verdict, training.promotion_margin),
        *_worse_value(verdict),
        *_not_better_than_champion(verdict, training),
        *_badly_calibrated(verdict, training.max_calibration_error),
        *_badly_covered(verdict, training.min_top_coverage),
        *_harmful(verdict),
    )


def ties(verdict: Verdict) -> tuple[str, ...]:
    """Baselines that the model has not been shown to beat on AUC, each said plainly."""
    return tuple(
        f"The model only ties with {baseline} on AUC; a simpler answer may do as well."
        for baseline, differences in verdict.churn.comparison.differences.items()
        if baseline not in (BASE_RATE, CHAMPION)
        and differences["auc"].low <= 0 <= differences["auc"].high
    )


def _without_skill(auc: Estimate) -> Iterator[str]:
    if auc.low <= 0.5:
        yield (
            f"no evidence of skill: the AUC interval {auc.low:.3f} to {auc.high:.3f} "
            "includes 0.5 or lies below it"
        )
    elif auc.point - _SKILL_ERRORS * (auc.high - auc.low) / _INTERVAL_ERRORS <= 0.5:
        yield (
            f"too little evidence of skill: AUC {auc} is less than {_SKILL_ERRORS} standard "
            "errors above 0.5; bring more customers"
        )


def _not_better(verdict: Verdict, margin: float) -> Iterator[str]:
    """Every baseline that is better, and every simple answer that may do as well."""
    comparison = verdict.churn.comparison
    for baseline in comparison.differences:
        if baseline in (BASE_RATE, CHAMPION):
            continue
        auc = comparison.gain(baseline, "auc")
        if auc.high < 0:
            yield f"significantly worse than {baseline}: AUC differs by {auc}"
        elif auc.low > margin or verdict.is_simple or baseline not in _SIMPLE:
            continue
        elif not _better_elsewhere(verdict, baseline):
            yield (
                f"not shown to be better than {baseline}: AUC differs by {auc}, and neither the "
                "Brier score, the log loss nor the CLV is surely better; a simpler answer may do "
                "as well"
            )


def _worse_value(verdict: Verdict) -> Iterator[str]:
    """Every simple CLV that ranks customers better."""
    if verdict.value is None:
        return
    for baseline in verdict.value.comparison.differences:
        gini = verdict.value.comparison.gain(baseline, "gini")
        if gini.high < 0:
            yield f"CLV significantly worse than {baseline}: Gini differs by {gini}"


def _better_elsewhere(verdict: Verdict, baseline: str) -> bool:
    """Whether the propensities, or the CLV beside its simple counterpart, are surely better."""
    churn, value = verdict.churn.comparison, verdict.value
    asked = [(churn, baseline, "brier"), (churn, baseline, "log_loss")]
    if value is not None and (counterpart := _SIMPLE[baseline]):
        asked += [(value.comparison, counterpart, metric) for metric in ("gini", "rmse")]
    return any(comparison.gain(rival, metric).low > 0 for comparison, rival, metric in asked)


def _not_better_than_champion(verdict: Verdict, training: TrainingConfig) -> Iterator[str]:
    champion, comparison = verdict.champion, verdict.churn.comparison
    if champion is None:
        return
    auc = comparison.gain(CHAMPION, "auc")
    name = f"champion v{champion.version}"
    if auc.high < 0:
        yield f"significantly worse than {name}: AUC differs by {auc}"
    elif auc.low <= training.promotion_margin:
        yield from _tied(comparison, champion, name)
    elif auc.point >= _LARGE_GAIN and champion.version not in training.explained_gains:
        yield (
            f"suspected leak: an AUC gain of {auc} over {name} is more than new data usually "
            "brings; treat it as a leak until disproved, then list the version in "
            "training.explained_gains"
        )


def _tied(comparison: Comparison, champion: Champion, name: str) -> Iterator[str]:
    """A tie passes when the model learned from later cutoffs and is calibrated no worse."""
    if not champion.is_older:
        yield f"not better than {name}, and not trained on later cutoffs than it"
    for metric, words in (("brier", "Brier score"), ("ece", "calibration error")):
        gain = comparison.gain(CHAMPION, metric)
        if gain.high < 0:
            yield f"only ties with {name} on AUC, and its {words} is worse by {-gain}"


def _badly_calibrated(verdict: Verdict, most: float) -> Iterator[str]:
    error, chance = verdict.churn.comparison.methods[MODEL]["ece"], verdict.churn.chance_error
    if error.point - chance > most:
        yield (
            f"badly calibrated: the calibration error is {error}, of which chance explains "
            f"{chance:.3f}; at most {most:g} beyond that is allowed "
            "(training.max_calibration_error)"
        )


def _badly_covered(verdict: Verdict, least: float) -> Iterator[str]:
    if verdict.value is None or not verdict.value.coverage.deciles:
        return
    top = verdict.value.coverage.deciles[-1]
    if top.high < least:
        yield (
            f"the 90 % CLV intervals hold {top.actual:.1%} [{top.low:.1%}, {top.high:.1%}] of the "
            f"top predicted decile; at least {least:.0%} is asked (training.min_top_coverage)"
        )


def _harmful(verdict: Verdict) -> Iterator[str]:
    for segment in verdict.churn.segments:
        if segment.harmed:
            auc, brier = segment.gains
            yield (
                f"worse than the champion for {segment.name} ({segment.calibration.rows:,} "
                f"customers; asked of segments of {FEWEST_JUDGED} or more): AUC gain {auc}, "
                f"Brier gain {brier}"
            )
