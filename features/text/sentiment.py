"""The language and the sentiment of words and texts, by weights learned elsewhere and kept as data.

`training.text.sentiment` writes the weights. A text's score is a sum of whole numbers over its
words, so it is the same in every order, in batch and for one row.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from features.text.words import is_spoken, negated, ngrams

Language = Literal["id", "en", "unknown"]

WEIGHTS_FILE = "weights.json"
KNOWN_SHARE = 1 / 3
"""Of a text's words, so many must be known for its language to be told."""

_CACHED_WORDS = 65_536


@dataclass(frozen=True)
class Weights:
    """What was learned: n-grams to whole weights, and the words that tell each language.

    The two weights of an n-gram, and the two of the bias, are those of negative and of positive
    against neutral, times `scale`.
    """

    grams: dict[str, tuple[int, int]]
    bias: tuple[int, int]
    scale: int
    threshold: float
    """The least probability of the likeliest class; below it the classifier abstains."""
    indonesian: frozenset[str]
    english: frozenset[str]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Weights":
        """The weights as the JSON file holds them."""
        return cls(
            grams={gram: (pair[0], pair[1]) for gram, pair in document["grams"].items()},
            bias=(document["bias"][0], document["bias"][1]),
            scale=document["scale"],
            threshold=document["threshold"],
            indonesian=frozenset(document["words"]["id"].split()),
            english=frozenset(document["words"]["en"].split()),
        )


@cache
def shipped_weights() -> Weights:
    """The weights that came with this version."""
    text = files("features.text").joinpath(WEIGHTS_FILE).read_text(encoding="utf-8")
    return Weights.from_document(json.loads(text))


class Classifier:
    """Tells language and sentiment with one set of weights; every word is worked out once."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self._word = lru_cache(_CACHED_WORDS)(self._weigh)

    def language(self, words: Sequence[str]) -> Language:
        """The language most known words belong to; unknown when too few words are known.

        Equally many count as Indonesian, in which English words are common.
        """
        spoken = [word for word in words if is_spoken(word)]
        indonesian = sum(word in self.weights.indonesian for word in spoken)
        english = sum(word in self.weights.english for word in spoken)
        if not spoken or indonesian + english < KNOWN_SHARE * len(spoken):
            return "unknown"
        return "en" if english > indonesian else "id"

    def sentiment(self, words: list[str]) -> float | None:
        """Probability of positive less that of negative, -1 to 1; None when unsure.

        Unsure is when no class reaches the threshold, or no n-gram is known.
        """
        shares = self.shares(words)
        if shares is None or max(shares) < self.weights.threshold:
            return None
        return round(shares[2] - shares[0], 4)

    def shares(self, words: list[str]) -> tuple[float, float, float] | None:
        """Probabilities of negative, neutral and positive; None when no n-gram is known."""
        negative, positive, known = 0, 0, 0
        for word, is_negated in negated(words):
            towards_negative, towards_positive, grams = self._word(word, is_negated)
            negative += towards_negative
            positive += towards_positive
            known += grams
        if not known:
            return None
        scale, bias = self.weights.scale, self.weights.bias
        long = math.sqrt(known)
        odds = (
            math.exp((bias[0] + negative / long) / scale),
            1.0,
            math.exp((bias[1] + positive / long) / scale),
        )
        total = sum(odds)
        return odds[0] / total, odds[1] / total, odds[2] / total

    def _weigh(self, word: str, is_negated: bool) -> tuple[int, int, int]:
        """Summed weights of the word's known n-grams, and how many they are."""
        found = self.weights.grams
        pairs = [found[gram] for gram in ngrams(word, is_negated) if gram in found]
        return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs), len(pairs)


@cache
def shipped_classifier() -> Classifier:
    """The classifier with the weights that came with this version."""
    return Classifier(shipped_weights())
