"""When, in words and points: what an act-by date says, and a customer's churn curve."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feature_contract import Matrix
from features.wording import Language
from serving.scoring import Score
from training.bundle import Bundle, Event

_MEANINGS: dict[Event, dict[Language, str]] = {
    "return": {
        "en": "Act by {day}: if the customer is silent until then, half of the chance that they "
        "come back by themselves within {days} days is gone",
        "id": "Bertindaklah paling lambat {day}: jika pelanggan diam sampai saat itu, separuh "
        "peluang mereka kembali sendiri dalam {days} hari sudah hilang",
    },
    "end": {
        "en": "Act by {day}: until then at least three quarters of the risk that the customer "
        "leaves within {days} days is still to come, and the subscription's year is not yet full",
        "id": "Bertindaklah paling lambat {day}: sampai saat itu sedikitnya tiga perempat risiko "
        "pelanggan berhenti dalam {days} hari belum terjadi, dan langganannya belum genap setahun",
    },
}


def score_timings(
    bundle: Bundle, scores: Sequence[Score], X: Matrix, language: Language
) -> list[dict[str, Any]]:
    """For each score what its act-by date means, and the churn curve; empty without a time.

    Row i of `X` is the encoded features of `scores[i]`.
    """
    propensity = np.array([score.churn_probability for score in scores])
    curves = _curves(bundle, propensity, X)
    return [
        {"act_by_meaning": act_by_meaning(bundle, score.act_by, language), "churn_curve": curve}
        for score, curve in zip(scores, curves, strict=True)
    ]


def act_by_meaning(bundle: Bundle, act_by: date | None, language: Language) -> str | None:
    """What the date says, as a sentence without a full stop; None without one."""
    hazard = bundle.models.hazard
    if hazard is None or act_by is None:
        return None
    return _MEANINGS[hazard.event][language].format(day=act_by, days=hazard.horizon_days)


def _curves(
    bundle: Bundle, propensity: npt.NDArray[np.float64], X: Matrix
) -> list[list[dict[str, Any]]]:
    curve = bundle.churn_curve(propensity, X)
    if not curve:
        return [[] for _ in X]
    rows = np.column_stack(list(curve.values())).tolist()
    return [
        [{"days": day, "churn_probability": at} for day, at in zip(curve, row, strict=True)]
        for row in rows
    ]
