"""The sentiment trainer by hand, on nonsense it must learn, and on NusaX."""

from importlib.resources import files
from pathlib import Path

import pytest

from features.text.sentiment import WEIGHTS_FILE, Classifier, shipped_weights
from features.text.words import words_of
from tests.shared_data import shared_data
from training.text.sentiment import (
    LANGUAGES,
    WANTED_ACCURACY,
    Example,
    MissingData,
    judge,
    learn,
    read_phrases,
    read_split,
    with_threshold,
    write_weights,
)

MADE_UP = [
    *(Example(f"gorb zug {n} pelk", "negative", "id") for n in "abcd"),
    *(Example(f"table lamp {n} pelk", "neutral", "id") for n in "abcd"),
    *(Example(f"fimble wheek {n} soo", "positive", "en") for n in "abcd"),
]


def test_what_is_planted_is_learned_again() -> None:
    weights = learn(MADE_UP)
    classifier = Classifier(weights)
    guesses = [classifier.shares(words_of(each)) for each in ("zug gorb", "lamp", "wheek fimble")]
    assert [shares.index(max(shares)) for shares in guesses if shares] == [0, 1, 2]
    assert {"gorb", "pelk", "table"} <= weights.indonesian
    assert {"fimble", "soo"} <= weights.english
    assert "a" not in weights.indonesian | weights.english


def test_a_judgement_by_hand() -> None:
    weights = learn(MADE_UP)
    asked = [
        Example("gorb zug", "negative", "id"),
        Example("gorb zug", "neutral", "id"),
        Example("table lamp", "neutral", "id"),
        Example("qqqq", "neutral", "id"),
        Example("fimble wheek", "positive", "en"),
    ]
    found = judge(weights, asked, "id")
    # Guesses: negative, negative, neutral, and neutral for want of any known n-gram.
    assert (found.texts, found.accuracy, found.language_found) == (4, 0.75, 0.75)
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert found.abstained == 0.25
    assert found.answered_accuracy == pytest.approx(2 / 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"indonesian_train\.csv is not there; give the folder"):
        read_split(tmp_path, "train")


def test_the_shipped_weights_are_what_the_trainer_makes_from_nusax(tmp_path: Path) -> None:
    folder = shared_data("nusax-sentiment")
    learned = learn([*read_split(folder, "train"), *read_phrases()])
    weights = with_threshold(learned, read_split(folder, "valid"))
    write_weights(weights, tmp_path / WEIGHTS_FILE)
    shipped = Path(str(files("features.text").joinpath(WEIGHTS_FILE)))
    assert (tmp_path / WEIGHTS_FILE).read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_the_nusax_test_texts_it_is_as_good_as_the_docs_say(language: str) -> None:
    examples = read_split(shared_data("nusax-sentiment"), "test")
    found = judge(shipped_weights(), examples, language)
    stated = {"id": (0.750, 0.731, 0.308, 0.863, 0.834), "en": (0.770, 0.752, 0.305, 0.892, 0.872)}
    assert (
        found.accuracy,
        found.macro_f1,
        found.abstained,
        found.answered_accuracy,
        found.answered_macro_f1,
    ) == pytest.approx(stated[language], abs=6e-4)
    assert found.language_found > 0.99
    assert found.answered_accuracy > WANTED_ACCURACY


def test_no_phrase_of_ours_is_a_text_of_the_generated_company() -> None:
    from features.company.texts import SURVEY_TEXTS, TICKET_TEXTS

    own = {" ".join(each.words) for each in read_phrases()}
    generated = {" ".join(words_of(text)) for text in (*SURVEY_TEXTS, *TICKET_TEXTS)}
    assert not own & generated
