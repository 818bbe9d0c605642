"""Words, negation and n-grams by hand."""

from hypothesis import given
from hypothesis import strategies as st

from features.text.words import READ_CHARACTERS, negated, ngrams, words_of


def test_words_are_lower_case_with_numbers_and_marks_and_without_links() -> None:
    text = "Resi JNE 123 TIDAK bisa!! cek https://x.id/a?b=1 atau tulis ke ani@toko.id, don\u2019t"
    assert words_of(text) == [
        *("resi", "jne", "123", "tidak", "bisa", "!!"),
        *("cek", "atau", "tulis", "ke", "don't"),
    ]


def test_letters_outside_latin_are_words_of_their_own_and_full_width_ones_are_latin() -> None:
    assert words_of("\uff2f\uff2b \u8377\u7269") == ["ok", "\u8377", "\u7269"]


def test_a_negation_turns_the_next_two_words_round() -> None:
    words = words_of("kurir tidak ramah sama sekali, isn't it good")
    turned = [word for word, is_negated in negated(words) if is_negated]
    assert turned == ["ramah", "sama", "it", "good"]


def test_ngrams_of_a_short_and_a_long_word() -> None:
    assert ngrams("ok", False) == ["_ok", "ok_", "_ok_"]
    expected = ["_bag", "bagu", "agus", "gus_", "_bagu", "bagus", "agus_", "_bagus_"]
    assert ngrams("bagus", True)[5:] == [f"!{gram}" for gram in expected]


@given(st.text(max_size=300))
def test_any_text_has_words_and_case_does_not_matter_in_ascii(text: str) -> None:
    ascii_only = text.encode("ascii", "ignore").decode()
    assert words_of(ascii_only.upper()) == words_of(ascii_only)
    assert all(1 <= len(word) <= 40 for word in words_of(text))


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert words_of("a " * READ_CHARACTERS) == ["a"] * (READ_CHARACTERS // 2)
