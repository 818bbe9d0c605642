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

Effect: TypeAlias = Literal["raises", "lowers"]
Vector: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.intp]

SHOWN = 3

_EFFECT_WORDS: dict[Language, dict[Effect, str]] = {
    "en": {"raises": "raises risk", "lowers": "lowers risk"},
    "id": {"raises": "menaikkan risiko", "lowers": "menurunkan risiko"},
}
_STEPS: dict[str, dict[Language, str]] = {
    "support": {
        "en": "Call about the open problem before making any offer",
        "id": "Telepon soal masalah yang belum selesai sebelum memberi penawaran apa pun",
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

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The catalogue's words for each column of the contract."""
        return tuple(feature_named(name) for name in self.contract.names)

    @cached_property
    def themes(self) -> dict[str, Places]:
        """Each theme's column positions, in the contract's order."""
        themes = [_theme(feature) for feature in self.features]
        names = np.array(themes)
        return {theme: np.flatnonzero(names == theme) for theme in dict.fromkeys(themes)}

    def explain(
        self, X: Matrix, contributions: Matrix, at_risk: Sequence[bool]
    ) -> Iterator[Explanation]:
        """Explain each row of `X` from its `contributions` (log odds of churn, rows x features).

        A theme's effect is the sum over its features. For customers at risk the themes that
        raise risk come first; for the others the largest effect does, whichever way it goes.
        """
        for row, parts, risky in zip(X, contributions, at_risk, strict=True):
            reasons = [
                self._reason(theme, places, row, parts)
                for theme, places in self.themes.items()
                if parts[places].sum() != 0.0
            ]
            reasons.sort(key=lambda reason: -abs(reason.log_odds))
            step = _next_step(reasons, risky, self.language)
            if risky:
                reasons.sort(key=lambda reason: reason.effect == "lowers")
            yield Explanation(tuple(reasons[:SHOWN]), step)

    def _reason(self, theme: str, places: Places, row: Vector, parts: Vector) -> Reason:
        total = float(parts[places].sum())
        effect: Effect = "raises" if total > 0.0 else "lowers"
        place = int(places[np.argmax(parts[places] * np.sign(total))])
        feature = self.features[place]
        value = _value(self.contract.columns[place], float(row[place]))
        sentence = feature.sentence(value, self.language, self.currency)
        text = f"{sentence} ({_EFFECT_WORDS[self.language][effect]})"
        actionable = feature.actionable and _is_told(value, feature.direction)
        return Reason(theme, effect, text, actionable, total)


def _theme(feature: Feature) -> str:
    """Attributes have nothing in common but their table, so each is a theme of its own."""
    return feature.name if feature.group == "profile" else feature.group


def _value(column: FeatureColumn, encoded: float) -> float | str | None:
    if math.isnan(encoded):
        return None
    return column.categories[int(encoded)] if column.kind == "category" else encoded


def _is_told(value: float | str | None, direction: int) -> bool:
    """Whether there is something to act on: no answer to "never had a refund" can be given."""
    return value is not None and not (value == 0 and direction > 0)


def _next_step(reasons: Sequence[Reason], risky: bool, language: Language) -> str:
    """The step for the strongest theme that raises risk and that a team can act on."""
    if not risky:
        return _NOTHING[language]
    for reason in reasons:
        if reason.effect == "raises" and reason.actionable and reason.theme in _STEPS:
            return _STEPS[reason.theme][language]
    return _ASK[language]
