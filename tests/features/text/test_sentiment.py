"""Language and sentiment by hand on small weights, and what the shipped ones say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.company.texts import SURVEY_TEXTS, SURVEY_VARIANTS, TICKET_TEXTS
from features.text.sentiment import Classifier, Weights, shipped_classifier
from features.text.words import words_of

SMALL = Weights(
    grams={"_ok_": (-700, 900), "!_ok": (800, -100), "buru": (1000, -500), "_bur": (1000, 0)},
    bias=(100, -200),
    scale=1000,
    threshold=0.5,
    indonesian=frozenset({"buruk", "tidak", "sekali"}),
    english=frozenset({"is", "ok", "not"}),
)


def test_a_score_is_the_sum_of_known_ngrams_over_the_root_of_how_many() -> None:
    # buruk: _bur and buru are known, so 2000 and -500 over the root of 2.
    negative = math.exp((100 + 2000 / math.sqrt(2)) / 1000)
    positive = math.exp((-200 - 500 / math.sqrt(2)) / 1000)
    total = negative + 1 + positive
    assert Classifier(SMALL).shares(["buruk"]) == pytest.approx(
        (negative / total, 1 / total, positive / total), rel=1e-12
    )
    expected = round((positive - negative) / total, 4)
    assert Classifier(SMALL).sentiment(["buruk"]) == expected == -0.6488


def test_a_negated_word_has_weights_of_its_own() -> None:
    classifier = Classifier(SMALL)
    assert classifier.shares(["not", "ok"]) == classifier.shares(["tidak", "ok"])
    said, denied = classifier.shares(["ok"]), classifier.shares(["not", "ok"])
    assert said is not None
    assert denied is not None
    assert said[2] > said[0]
    assert denied[0] > denied[2]


def test_it_abstains_below_the_threshold_and_when_it_knows_nothing() -> None:
    classifier = Classifier(SMALL)
    # ok: odds exp(-0.6) = 0.5488, 1 and exp(0.7) = 2.0138, of which the last is 0.5653 of all.
    assert classifier.sentiment(["ok"]) == round((2.0138 - 0.5488) / 3.5626, 4)
    assert Classifier(Weights(**{**vars(SMALL), "threshold": 0.6})).sentiment(["ok"]) is None
    assert classifier.sentiment(["zzz"]) is None
    assert classifier.sentiment([]) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("buruk sekali", "id"),
        ("it is not ok", "en"),
        ("ok buruk", "id"),
        ("it is what zzz yyy", "unknown"),
        ("is a b", "en"),
        ("is a b c", "unknown"),
        ("123 !!", "unknown"),
    ],
)
def test_a_language_needs_a_third_of_the_words_and_the_most_of_them(
    text: str, language: str
) -> None:
    assert Classifier(SMALL).language(words_of(text)) == language


WORDS = ("pelayanan", "buruk", "good", "service", "ramah", "terima", "kasih", "slow", "7", "!")


@given(st.lists(st.sampled_from(WORDS)))
def test_the_order_of_words_without_negation_changes_nothing(words: list[str]) -> None:
    classifier = shipped_classifier()
    assert classifier.sentiment(words) == classifier.sentiment(words[::-1])
    assert classifier.language(words) == classifier.language(sorted(words))


def test_generated_survey_texts_are_never_judged_the_wrong_way_round() -> None:
    classifier = shipped_classifier()
    judged: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for place, text in enumerate(SURVEY_TEXTS):
        tone = classifier.sentiment(words_of(text))
        if tone is not None:
            judged[place // SURVEY_VARIANTS % 3].append(tone)
    assert len(judged[0]) >= 5
    assert max(judged[0]) < -0.5
    assert min(judged[2]) > 0.5


def test_generated_tickets_are_never_judged_happy() -> None:
    tones = [shipped_classifier().sentiment(words_of(text)) for text in TICKET_TEXTS]
    told = [tone for tone in tones if tone is not None]
    assert len(told) >= len(TICKET_TEXTS) / 2
    assert max(told) < 0.1
    assert sum(told) / len(told) < -0.35
