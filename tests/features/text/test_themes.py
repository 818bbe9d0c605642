"""Themes by hand, in both languages."""

import pytest

from features.company.texts import CATEGORIES, TICKET_TEXTS, TICKET_VARIANTS
from features.text.themes import THEMES, themes_of
from features.text.words import words_of


@pytest.mark.parametrize(
    ("text", "themes"),
    [
        ("Harganya mahal", {"price"}),
        ("way too expensive", {"price"}),
        ("Pengiriman terlambat, kurirnya tidak ramah", {"delivery", "service"}),
        ("not delivered yet", {"delivery"}),
        ("jarak antara rumah dan kantor", set()),
        ("barangnya cacat", {"quality"}),
        ("arrived broken", {"delivery", "quality"}),
        ("agent was rude", {"service"}),
        ("gagal login, aplikasi eror", {"technical"}),
        ("please fix the app", {"technical"}),
        ("minta pengembalian dana, saya ditagih dua kali", {"billing"}),
        ("billed twice", {"billing"}),
        ("selamat pagi", set()),
        ("", set()),
    ],
)
def test_a_text_speaks_of_the_themes_of_its_words(text: str, themes: set[str]) -> None:
    assert themes_of(words_of(text)) == themes


def test_the_words_of_a_theme_are_lower_case_and_in_one_theme_only() -> None:
    listed = [word for words in THEMES.values() for word in words.split()]
    assert sorted(listed) == sorted(set(listed))
    assert all(word == word.lower() for word in listed)


def test_most_generated_tickets_speak_of_what_their_category_says() -> None:
    fitting = {
        "delivery": "delivery",
        "product_quality": "quality",
        "payment": "billing",
        "refund": "billing",
        "account": "technical",
        "promotion": "price",
    }
    told = [
        fitting[CATEGORIES[place // TICKET_VARIANTS % len(CATEGORIES)]] in themes_of(words_of(text))
        for place, text in enumerate(TICKET_TEXTS)
    ]
    assert sum(told) >= 0.85 * len(told)
