"""Values as they read inside a sentence."""

import pytest

from features.wording import Language, number_text, value_text


@pytest.mark.parametrize(
    ("value", "unit", "language", "expected"),
    [
        (0.0, "days", "en", "0 days"),
        (0.4, "days", "en", "10 hours"),
        (1.0, "days", "en", "1 day"),
        (30.9, "days", "id", "30 hari"),
        (0.25, "hours", "en", "15 minutes"),
        (0.999, "hours", "en", "1 hour"),
        (1.2, "hours", "en", "1 hour"),
        (47.0, "hours", "id", "47 jam"),
        (72.0, "hours", "en", "3 days"),
        (0.0, "tickets", "en", "no tickets"),
        (1.0, "tickets", "en", "1 ticket"),
        (0.0, "tickets", "id", "tidak ada tiket"),
        (1500.0, "orders", "id", "1.500 pesanan"),
        (0.4, "tickets", "en", "0.4 tickets"),
        (0.175, "share", "en", "18%"),
        (0.0, "share", "en", "0%"),
        (0.2, "change", "en", "up 20%"),
        (-1.0, "change", "id", "turun 100%"),
        (0.0, "change", "en", "unchanged"),
        (-0.0001, "change", "en", "down 0.01%"),
        (-1.25, "trend", "en", "falling by 1.2"),
        (0.0, "trend", "id", "stabil"),
        (-2.0, "points", "en", "down 2"),
        (2.5, "times", "id", "2,5 kali"),
        (12.5, "money", "en", "12.50 EUR"),
        (-3.0, "money", "en", "-3 EUR"),
        (1234567.0, "money", "id", "1.234.567 EUR"),
        (-30.5, "money trend", "en", "falling by 30.50 EUR"),
        (6.5, "score", "id", "6,5"),
        ("basic", "text", "en", "basic"),
    ],
)
def test_a_value_reads_well(value: float, unit: str, language: Language, expected: str) -> None:
    assert value_text(value, unit, language, "EUR") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.0, "0"), (0.031, "0.03"), (0.999, "1"), (9.96, "10"), (1234.5, "1,234")],
)
def test_a_number_keeps_the_digits_that_matter(value: float, expected: str) -> None:
    assert number_text(value, "en") == expected
