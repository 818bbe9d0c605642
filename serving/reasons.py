"""Reasons: what moves a customer's churn risk and what to do about it, in a business's words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from features.catalogue import feature_named
from features.declare import Feature
from features.feature_contract import FeatureColumn, FeatureContract, Matrix
from features.wording import Language
from training.bundle import Typical

Effect: TypeAlias = Literal["raises", "lowers"]
Vector: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]

SHOWN = 3

EXPERIENCES = frozenset({"waiting", "unsolved", "escalated", "satisfaction", "refunds"})
"""Themes of what the company did to the customer; the others are what the customer does."""
_OWN_DOING = frozenset({"recency", "frequency", "spending", "variety", "usage"})
_TELLING = 0.1
"""Log odds from which an experience comes first: it raises the odds by a tenth."""
_SPLIT: dict[str, dict[str, tuple[str, ...]]] = {
    "support": {
        "waiting": (
            "first_response",
            "late_answer",
            "unanswered",
            "resolution_hours",
            "slow_solution",
        ),
        "unsolved": (
            "reopened",
            "repeat",
            "tickets_open",
            "last_is_open",
            "resolution_rate",
            "first_contact_resolution",
            "contacts_per_resolved",
        ),
        "escalated": ("escalated", "transfer", "agent"),
    },
    "satisfaction": {"silence": ("answer", "sent_count", "days_since_last", "text_length")},
}
"""Groups in which different things are told, by what the names of their features contain."""

_EFFECTS: dict[int, Effect] = {1: "raises", -1: "lowers"}
_EFFECT_WORDS: dict[Language, dict[Effect, str]] = {
    "en": {"raises": "raises risk", "lowers": "lowers risk"},
    "id": {"raises": "menaikkan risiko", "lowers": "menurunkan risiko"},
}
_STEPS: dict[str, dict[Language, str]] = {
    "support": {
        "en": "Call about their last problem before making any offer",
        "id": "Telepon soal masalah terakhirnya sebelum memberi penawaran apa pun",
    },
    "waiting": {
        "en": "Apologise for the wait and name one person to turn to",
        "id": "Minta maaf atas lamanya menunggu dan sebutkan satu orang yang bisa dihubungi",
    },
    "unsolved": {
        "en": "Make sure the problem is solved for good before making any offer",
        "id": "Pastikan masalahnya benar-benar selesai sebelum memberi penawaran apa pun",
    },
    "escalated": {
        "en": "Have whoever solved the escalated problem call to ask if all is well",
        "id": "Minta yang menyelesaikan masalah eskalasi itu menelepon dan menanyakan kabarnya",
    },
    "satisfaction": {
        "en": "Call to hear what went wrong before making any offer",
        "id": "Telepon untuk mendengar keluhannya sebelum memberi penawaran apa pun",
    },
    "refunds": {
        "en": "Ask what was wrong with the returned orders and put it right",
        "id": "Tanyakan masalah pada pesanan yang dikembalikan dan perbaiki",
    },
    "recency": {
        "en": "Send a win-back message",
        "id": "Kirim pesan ajakan kembali",
    },
    "frequency": {
        "en": "Suggest the next order from what they usually buy",
        "id": "Sarankan pesanan berikutnya dari yang biasa dibeli",
    },
    "spending": {
        "en": "Offer something that fits their usual basket",
        "id": "Tawarkan sesuatu yang cocok dengan belanja biasanya",
    },
    "variety": {
        "en": "Introduce a category they have not tried",
        "id": "Perkenalkan kategori yang belum pernah dicoba",
    },
    "usage": {
        "en": "Offer help with getting more use from the service",
        "id": "Tawarkan bantuan agar layanan lebih terpakai",
    },
    "subscription": {
        "en": "Talk about the plan and its renewal before it ends",
        "id": "Bicarakan paket dan perpanjangannya sebelum berakhir",
    },
}
_ASK: dict[Language, str] = {
    "en": "Call to ask how things are going",
    "id": "Telepon untuk menanyakan kabar dan kebutuhannya",
}
_NOTHING: dict[Language, str] = {
    "en": "Watch; the risk is still low",
    "id": "Pantau saja; risikonya masih rendah",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One business theme's part in a customer's risk, told by its strongest feature."""

    theme: str
    feature: str
    value: float | str | None
    """The feature's value for the customer; None where it is not known."""
    effect: Effect
    text: str
    actionable: bool
    log_odds: float
    """What the theme's features together add to the model's log odds of churn."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Up to three reasons, the most telling first, and what to do next."""

    reasons: tuple[Reason, ...]
    next_step: str


@dataclass(frozen=True)
class Narrator:
    """Tells contributions under one contract as reasons, in one language and currency."""

    contract: FeatureContract
    language: Language
    currency: str
    typical: Typical | None = None
    """The middle half of each feature's values, to tell much from little; None where not known."""

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The catalogue's words for each column of the contract."""
        return tuple(feature_named(name) for name in self.contract.names)

    @cached_property
    def themes(self) -> dict[str, Places]:
        """Each theme's column positions, in the contract's order."""
        themes = [theme_of(feature) for feature in self.features]
        names = np.array(themes)
        return {theme: np.flatnonzero(names == theme) for theme in dict.fromkeys(themes)}

    def explain(
        self, X: Matrix, contributions: Matrix, at_risk: Sequence[bool]
    ) -> Iterator[Explanation]:
        """Explain each row of `X` from its `contributions` (log odds of churn, rows x features).

        A theme's effect is the sum over its features. For customers at risk come first the
        experiences that raise the odds by a tenth or more, then what else raises the risk: fewer
        orders show that a customer is leaving, a long wait tells why. For the others the
        largest effect comes first, whichever way it goes.
        """
        for row, parts, risky in zip(X, contributions, at_risk, strict=True):
            told = (self._reason(theme, places, row, parts) for theme, places in self._sums(parts))
            reasons = [reason for reason in told if reason is not None]
            reasons.sort(key=_urgency if risky else _size)
            step = _next_step(reasons, risky, self.language)
            yield Explanation(tuple(reasons[:SHOWN]), step)

    def _sums(self, parts: Vector) -> Iterator[tuple[str, Places]]:
        """The themes with any effect on the row."""
        return ((name, at) for name, at in self.themes.items() if parts[at].sum() != 0.0)

    def _reason(self, theme: str, places: Places, row: Vector, parts: Vector) -> Reason | None:
        """The theme's reason, by the strongest feature that may speak for it; None if none may.

        A feature speaks where it pulls the theme's way and its value does not belie that: a
        value known to be riskier when larger does not raise risk by being small, nor does
        what never happened.
        """
        total = float(parts[places].sum())
        sign = 1 if total > 0.0 else -1
        pulling = places[parts[places] * sign > 0.0]
        speakers = [place for place in pulling if not self._is_belied(int(place), row, sign)]
        if not speakers:
            return None
        place = max(speakers, key=lambda place: parts[place] * sign)
        feature, effect = self.features[place], _EFFECTS[sign]
        value = _value(self.contract.columns[place], float(row[place]))
        text = reason_text(feature, value, effect, self.language, self.currency)
        actionable = feature.actionable and _is_told(value, feature.direction)
        return Reason(theme, feature.name, value, effect, text, actionable, total)

    def _is_belied(self, place: int, row: Vector, sign: int) -> bool:
        """Whether plain sense says the opposite of `sign` for the feature's value.

        A declared direction says so, and so does an absence.
        """
        value, wanted = float(row[place]), self.features[place].direction * sign
        if math.isnan(value):
            return _is_absence_belied(self.features[place], sign)
        if wanted == 0:
            return False
        if value == 0 and wanted > 0:
            return True
        return self.typical is not None and self.typical.side(place, value) == -wanted


def reason_text(
    feature: Feature, value: float | str | None, effect: Effect, language: Language, currency: str
) -> str:
    """What a reason says: the feature's sentence, and which way it moves the risk."""
    return f"{feature.sentence(value, language, currency)} ({_EFFECT_WORDS[language][effect]})"


def steps() -> list[dict[Language, str]]:
    """Every next step there is, in every language."""
    return [*_STEPS.values(), _ASK, _NOTHING]


def theme_of(feature: Feature) -> str:
    """The theme a feature belongs to: its group, or the part of it that its name tells.

    Attributes have nothing in common but their table, so each is a theme of its own.
    """
    if feature.group == "profile":
        return feature.name
    for theme, parts in _SPLIT.get(feature.group, {}).items():
        if any(part in feature.name for part in parts):
            return theme
    return feature.group


def _is_absence_belied(feature: Feature, sign: int) -> bool:
    """Whether plain sense says the opposite of `sign` where the feature's value is missing.

    Days since what never happened are the longest there are. An experience that a customer never
    had does not drive them away, and never having ordered or used anything does not hold them.
    """
    if feature.direction and "days_since" in feature.name:
        return feature.direction * sign < 0
    return theme_of(feature) in (EXPERIENCES if sign > 0 else _OWN_DOING)


def _size(reason: Reason) -> float:
    return -abs(reason.log_odds)


def _urgency(reason: Reason) -> tuple[bool, bool, float]:
    telling = reason.theme in EXPERIENCES and reason.log_odds >= _TELLING
    return reason.effect == "lowers", not telling, _size(reason)


def _value(column: FeatureColumn, encoded: float) -> float | str | None:
    if math.isnan(encoded):
        return None
    return column.categories[int(encoded)] if column.kind == "category" else encoded


def _is_told(value: float | str | None, direction: int) -> bool:
    """Whether there is something to act on: no answer to "never had a refund" can be given."""
    return value is not None and not (value == 0 and direction > 0)


def _next_step(reasons: Sequence[Reason], risky: bool, language: Language) -> str:
    """The step for the first reason that raises risk and that a team can act on."""
    if not risky:
        return _NOTHING[language]
    for reason in reasons:
        if reason.effect == "raises" and reason.actionable and reason.theme in _STEPS:
            return _STEPS[reason.theme][language]
    return _ASK[language]
