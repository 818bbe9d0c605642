"""The grades other products would give these models, by the rules their makers publish."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.config import ChurnConfig
from training.dataset import Dataset, Vector
from training.judging.curves import Mask
from training.judging.profit import lift_quality
from training.metrics import measure, roc_auc

_FLAGGED = 0.5
_FEWEST_RIGHT = 0.5
_RIGHT_BY = 1.10
_CAPTURED_BY = 1.05
_REVENUE_SHARE = 0.8
_MONTH_DAYS = 365.25 / 12
_LIFT_BANDS = ((0.6, "excellent"), (0.4, "good"), (0.2, "fair"))
_SINCE_LAST, _YEARS_SPEND = "orders_days_since_last", "orders_spend_365d"


@dataclass(frozen=True)
class Grade:
    """One vendor's grade of one model, and the figures it rests on in words."""

    rule: str
    grade: str
    because: str


def churn_grades(
    train: Dataset, test: Dataset, propensity: Vector, churn: ChurnConfig
) -> tuple[Grade, ...]:
    """Grades of the propensities by Dynamics 365 Customer Insights and by Braze."""
    churned = _known(test.churned)
    if not 0 < churned.sum() < len(churned):
        return ()
    baseline: Mask | float | None
    if churn.label == "inactivity":
        baseline = _silence_rule(test, churned, churn.horizon_days)
    else:
        baseline = float(_known(train.churned).mean())
    dynamics = () if baseline is None else (dynamics_churn(churned, propensity, baseline),)
    return (*dynamics, braze_quality(churned, propensity))


def dynamics_churn(churned: Vector, propensity: Vector, baseline: Mask | float) -> Grade:
    """The A, B or C of Dynamics 365 Customer Insights - Data for a churn model.

    "A when the model accurately predicted at least 50% of the total predictions, and when the
    percentage of accurate predictions for customers who churned is greater than the baseline
    rate by at least 10%. B … is up to 10% greater than the baseline. C when the model accurately
    predicted less than 50% of the total predictions, or when the percentage of accurate
    predictions for customers who churned is less than the baseline." Churn is predicted from a
    score of 0.5 (predict-transactional-churn.md and predict-subscription-churn.md,
    github.com/MicrosoftDocs/customer-insights, 2026-08).

    `baseline` is the customers flagged by a rule, or a historical churn rate. The text does not
    say whether the percentage is of those who churned (recall) or of those predicted to
    (precision): both readings are given where they differ. The 10 % is relative, as in an earlier
    edition ("by at least 10% of the historical average churn rate").
    """
    flagged = propensity >= _FLAGGED
    right = float((flagged == churned).mean())
    readings = {}
    for reading, found in (("recall", _recall), ("precision", _precision)):
        ours = found(churned, flagged)
        theirs = baseline if isinstance(baseline, float) else found(churned, baseline)
        readings[reading] = (_letter(right, ours, theirs), ours, theirs)
    letters = {reading: letter for reading, (letter, _, _) in readings.items()}
    grade = " / ".join(f"{letter} by {reading}" for reading, letter in letters.items())
    if len(set(letters.values())) == 1:
        grade = letters["recall"]
    shares = ", ".join(
        f"{reading} {ours:.1%} against {theirs:.1%}"
        for reading, (_, ours, theirs) in readings.items()
    )
    return Grade("Dynamics 365, churn (A to C)", grade, f"{right:.1%} predicted right; {shares}")


def dynamics_value(test: Dataset, clv: Vector) -> Grade | None:
    """The A, B or C of Dynamics 365 Customer Insights - Data for a CLV model.

    "A when the model accurately predicted at least 5% more high-value customers as compared to
    the baseline model. B … between 0-5% more … C … fewer high-value customers." The relative
    change of the success rate counts. High value is the 80/20 rule: as many customers as brought
    in 80 % of past revenue. The baseline is average monthly purchases x months x retention rate;
    the last two are the same for everybody, so it ranks by what each spent in the last 365 days
    (predict-customer-lifetime-value.md, github.com/MicrosoftDocs/customer-insights, 2026-08).

    None without orders of the last 365 days among the features, or when nobody has any.
    """
    if _YEARS_SPEND not in test.contract.names:
        return None
    value = _known(test.value)
    spent = np.nan_to_num(test.X[:, test.contract.names.index(_YEARS_SPEND)])
    wanted = min(_high_value_count(spent), int((value > 0).sum()))
    if not wanted:
        return None
    ours, theirs = (_captured(value, by, wanted) for by in (clv, spent))
    grade = "A" if ours >= _CAPTURED_BY * theirs else "B" if ours >= theirs else "C"
    because = (
        f"found {ours:.1%} of the {wanted:,} customers of high value, past spending {theirs:.1%}"
    )
    return Grade("Dynamics 365, CLV (A to C)", grade, because)


def braze_quality(churned: Vector, propensity: Vector) -> Grade:
    """Braze's Prediction Quality and its word for it.

    "Lift Quality … how far along the way between random guessing (0%) and perfection (100%) the
    Prediction's lift curve is"; 60 to 100 % is excellent, 40 to 60 good, 20 to 40 fair, 0 to 20
    poor (prediction_quality.md, github.com/braze-inc/braze-docs, commit 342f2eb). Taken on the
    gains curve, as in the paper that Braze names, it equals 2 AUC - 1.
    """
    quality = lift_quality(churned, propensity)
    word = next((word for least, word in _LIFT_BANDS if round(quality, 9) >= least), "poor")
    return Grade("Braze, prediction quality", word, f"lift quality {quality:.1%}")


def _silence_rule(test: Dataset, churned: Vector, horizon_days: int) -> Mask | None:
    """The customers flagged by the baseline of Dynamics' transaction churn model.

    "Takes the prediction time window … and creates different fractions of time by dividing it by
    2 until it reaches one month or less"; whoever has not bought within the fraction counts as
    churned, and the fraction "with the highest ability to predict who is likely to churn" is
    chosen: read as the highest AUC. None without orders.
    """
    if _SINCE_LAST not in test.contract.names:
        return None
    silent = test.X[:, test.contract.names.index(_SINCE_LAST)]
    rules = (~(silent <= days) for days in _fractions(horizon_days))
    return max(rules, key=lambda flagged: measure(roc_auc, churned, flagged.astype(float)))


def _fractions(horizon_days: int) -> Iterator[float]:
    days = horizon_days / 2
    while days > _MONTH_DAYS:
        yield days
        days /= 2
    yield days


def _recall(churned: Vector, flagged: Mask) -> float:
    return float(flagged[churned == 1].mean())


def _precision(churned: Vector, flagged: Mask) -> float:
    return float(churned[flagged].mean()) if flagged.any() else 0.0


def _letter(right: float, ours: float, theirs: float) -> str:
    if right < _FEWEST_RIGHT or ours < theirs:
        return "C"
    return "A" if ours >= _RIGHT_BY * theirs else "B"


def _high_value_count(spent: Vector) -> int:
    """How many of those who spent most hold 80 % of all that was spent; 0 when nobody spent."""
    held = np.cumsum(np.sort(np.clip(spent, 0, None))[::-1])
    return int(np.searchsorted(held, _REVENUE_SHARE * held[-1])) + 1 if held[-1] > 0 else 0


def _captured(value: Vector, by: Vector, wanted: int) -> float:
    """Share of the `wanted` most valuable customers among the first `wanted` by `by`."""
    best, chosen = (np.argsort(-ranking, kind="stable")[:wanted] for ranking in (value, by))
    return len(np.intersect1d(best, chosen)) / wanted


def _known(labels: Vector | None) -> Vector:
    if labels is None:
        raise ValueError("the rows carry no labels of this kind; build them with the other task")
    return labels
