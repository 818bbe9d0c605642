"""Trains the sentiment classifier of `features.text` on NusaX files, and judges it.

    python -m training.text.sentiment FOLDER

FOLDER holds `<language>_<split>.csv` (or .csv.gz) with columns text and label (negative, neutral,
positive), for indonesian and english, and the splits train, valid and test.
"""

import argparse
import csv
import gzip
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from features.text.sentiment import WEIGHTS_FILE, Classifier, Weights
from features.text.words import is_spoken, negated, ngrams, words_of

LANGUAGES = {"id": "indonesian", "en": "english"}
LABELS = ("negative", "neutral", "positive")
PHRASES_FILE = "sentiment_phrases.csv"

WANTED_ACCURACY = 0.85
"""Of the valid texts it answers, so many must be right in each language."""

_KEPT_GRAMS = 12_000
_INVERSE_PENALTY = 5.0
_SCALE = 1_000
_OWN_WORD = 4
"""A word tells a language when it is in so many times more of its texts than of the other's."""

_SOURCE = (
    "Learned from NusaX sentiment (Winata et al. 2023), https://github.com/IndoNLP/nusax, "
    "CC BY-SA 4.0, and from training/text/sentiment_phrases.csv of this project."
)

Language = Literal["id", "en"]


class MissingData(ValueError):
    """A file of the data set is not there; the message names it."""


@dataclass(frozen=True)
class Example:
    """One labelled text."""

    text: str
    label: str
    language: str

    @property
    def words(self) -> list[str]:
        """Its words, as the classifier reads them."""
        return words_of(self.text)


@dataclass(frozen=True)
class Judgement:
    """How the classifier does on the texts of one language; rates are fractions."""

    texts: int
    accuracy: float
    """Of all texts, were it never to abstain."""
    macro_f1: float
    abstained: float
    answered_accuracy: float
    answered_macro_f1: float
    language_found: float


def read_split(folder: Path, split: str) -> list[Example]:
    """The examples of both languages in one split.

    Raises MissingData when a file is not in `folder`.
    """
    return [example for language in LANGUAGES for example in _read(folder, language, split)]


def _read(folder: Path, language: str, split: str) -> list[Example]:
    plain = folder / f"{LANGUAGES[language]}_{split}.csv"
    packed = plain.with_name(f"{plain.name}.gz")
    opened: Callable[..., object] = gzip.open if packed.exists() else open
    path = packed if packed.exists() else plain
    if not path.exists():
        raise MissingData(f"{path} is not there; give the folder that holds the NusaX files")
    with opened(path, "rt", encoding="utf-8", newline="") as file:  # type: ignore[attr-defined]
        return [Example(row["text"], row["label"], language) for row in csv.DictReader(file)]


def read_phrases() -> list[Example]:
    """The project's own short support texts, which reviews and tweets lack."""
    text = files("training.text").joinpath(PHRASES_FILE).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return [Example(row["text"], row["label"], row["language"]) for row in rows]


def learn(examples: Sequence[Example]) -> Weights:
    """Weights fitted to `examples`, which answer every text: the threshold is 0."""
    counts = [_grams(example) for example in examples]
    seen = Counter(gram for count in counts for gram in count)
    candidates = sorted(gram for gram, texts in seen.items() if texts > 1)
    labels = np.array([LABELS.index(example.label) for example in examples])
    first = _matrix(counts, candidates)
    reach = np.sqrt(np.asarray((first > 0).sum(axis=0)).ravel())
    weight = np.abs(_fitted(first, labels).coef_).max(axis=0) * reach
    kept = sorted(candidates[place] for place in np.argsort(-weight, kind="stable")[:_KEPT_GRAMS])
    model = _fitted(_matrix(counts, kept), labels)
    return Weights(
        grams=dict(zip(kept, map(_pair, model.coef_.T), strict=True)),
        bias=_pair(model.intercept_),
        scale=_SCALE,
        threshold=0.0,
        indonesian=_own_words(examples, "id"),
        english=_own_words(examples, "en"),
    )


def _grams(example: Example) -> Counter[str]:
    spoken = negated(example.words)
    return Counter(gram for word, is_negated in spoken for gram in ngrams(word, is_negated))


def _matrix(counts: Sequence[Counter[str]], grams: Sequence[str]) -> csr_matrix:
    """Counts of known n-grams over the root of how many the text has, as when scoring."""
    place = {gram: column for column, gram in enumerate(grams)}
    rows, columns, values = [], [], []
    for row, count in enumerate(counts):
        known = {gram: number for gram, number in count.items() if gram in place}
        long = np.sqrt(sum(known.values()))
        rows += [row] * len(known)
        columns += [place[gram] for gram in known]
        values += [number / long for number in known.values()]
    return csr_matrix((values, (rows, columns)), shape=(len(counts), len(grams)))


def _fitted(matrix: csr_matrix, labels: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000).fit(matrix, labels)


def _pair(weights: np.ndarray) -> tuple[int, int]:
    """Whole weights of negative and positive against neutral."""
    negative, neutral, positive = weights
    return round(_SCALE * (negative - neutral)), round(_SCALE * (positive - neutral))


def _own_words(examples: Sequence[Example], language: Language) -> frozenset[str]:
    texts = {own: _texts_with(examples, own) for own in LANGUAGES}
    other = next(name for name in LANGUAGES if name != language)
    return frozenset(
        word for word, number in texts[language].items() if number >= _OWN_WORD * texts[other][word]
    )


def _texts_with(examples: Sequence[Example], language: str) -> Counter[str]:
    """Word to how many texts of the language have it."""
    own = [example for example in examples if example.language == language]
    return Counter(word for each in own for word in set(each.words) if is_spoken(word))


def with_threshold(weights: Weights, valid: Sequence[Example]) -> Weights:
    """The weights with the least threshold at which answers are right often enough.

    Often enough is WANTED_ACCURACY in each language of `valid`.
    """
    for percent in range(34, 100):
        chosen = replace(weights, threshold=percent / 100)
        if all(
            judge(chosen, valid, language).answered_accuracy >= WANTED_ACCURACY
            for language in LANGUAGES
        ):
            return chosen
    return replace(weights, threshold=1.0)


def judge(weights: Weights, examples: Sequence[Example], language: str) -> Judgement:
    """How the classifier with `weights` does on the examples in `language`."""
    own = [example for example in examples if example.language == language]
    classifier = Classifier(weights)
    truth = np.array([LABELS.index(example.label) for example in own])
    shares = np.array([classifier.shares(each.words) or (0.0, 1.0, 0.0) for each in own])
    guess = shares.argmax(axis=1)
    told = [classifier.language(each.words) for each in own]
    sure = (shares.max(axis=1) >= weights.threshold) & (np.array(told) != "unknown")
    return Judgement(
        texts=len(own),
        accuracy=_accuracy(truth, guess),
        macro_f1=_macro_f1(truth, guess),
        abstained=float(1 - sure.mean()),
        answered_accuracy=_accuracy(truth[sure], guess[sure]),
        answered_macro_f1=_macro_f1(truth[sure], guess[sure]),
        language_found=float(np.mean([found == language for found in told])),
    )


def _accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    return float((truth == guess).mean()) if len(truth) else float("nan")


def _macro_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean over the classes of 2 hits / (guessed + true); a class in neither counts as 0."""
    pairs = [(guess == label, truth == label) for label in range(len(LABELS))]
    scores = [2 * (g & t).sum() / max(g.sum() + t.sum(), 1) for g, t in pairs]
    return float(np.mean(scores))


def write_weights(weights: Weights, path: Path) -> None:
    """Write `weights` as compact JSON, the same bytes for the same weights."""
    document = {
        "source": _SOURCE,
        "scale": weights.scale,
        "threshold": weights.threshold,
        "bias": weights.bias,
        "words": {
            "id": " ".join(sorted(weights.indonesian)),
            "en": " ".join(sorted(weights.english)),
        },
        "grams": weights.grams,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"{text}\n", encoding="utf-8")


def main() -> None:
    """Train on train, choose the threshold on valid, write the weights, judge on test."""
    parser = argparse.ArgumentParser(prog="python -m training.text.sentiment")
    parser.add_argument("folder", type=Path, help="folder with the NusaX files")
    folder = parser.parse_args().folder
    learned = learn([*read_split(folder, "train"), *read_phrases()])
    weights = with_threshold(learned, read_split(folder, "valid"))
    target = Path(str(files("features.text").joinpath(WEIGHTS_FILE)))
    write_weights(weights, target)
    print(f"{target}: {len(weights.grams)} n-grams, threshold {weights.threshold}")
    test = read_split(folder, "test")
    for language in LANGUAGES:
        print(language, judge(weights, test, language))


if __name__ == "__main__":
    main()
