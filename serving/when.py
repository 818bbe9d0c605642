"""When, in words and points: what an act-by date says, and a customer's churn curve."""

from typing import Any

import numpy as np

from features.feature_contract import Matrix
from features.wording import Language
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


def act_by_meaning(bundle: Bundle, act_by: str | None, language: Language) -> str | None:
    """What the date (2026-07-30) says, as a sentence without a full stop; None without one."""
    hazard = bundle.models.hazard
    if hazard is None or act_by is None:
        return None
    return _MEANINGS[hazard.event][language].format(day=act_by, days=hazard.horizon_days)


def curve_points(bundle: Bundle, propensity: float, features: Matrix) -> list[dict[str, Any]]:
    """One customer's churn curve from the encoded feature row; empty for labels without a time."""
    curve = bundle.churn_curve(np.array([propensity]), features[None, :])
    return [{"days": days, "churn_probability": float(at[0])} for days, at in curve.items()]
