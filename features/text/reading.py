"""What is kept of a text: its length, language, sentiment and themes, never its words."""

from collections.abc import Mapping
from typing import Any

from features.contracts import TEXT_COLUMNS
from features.text.sentiment import shipped_classifier
from features.text.themes import THEMES, themes_of
from features.text.words import words_of

TextNumber = int | str | float | bool | None


def read_text(text: str | None) -> dict[str, TextNumber]:
    """The values of the contract's TEXT_COLUMNS for one text; all None without a text.

    The length is in characters; the language id, en or unknown; the sentiment from -1 to 1,
    None when unsure or in an unknown language; a theme is whether the text speaks of it.
    """
    given = (text or "").strip()
    if not given:
        return dict.fromkeys(column.name for column in TEXT_COLUMNS)
    words = words_of(given)
    classifier = shipped_classifier()
    language = classifier.language(words)
    themes = themes_of(words)
    return {
        "text_length": len(given),
        "text_language": language,
        "text_sentiment": None if language == "unknown" else classifier.sentiment(words),
        **{f"text_{theme}": theme in themes for theme in THEMES},
    }


def with_text_read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table with what is kept of its `text` in place of it."""
    if "text" not in row:
        return dict(row)
    kept = {name: value for name, value in row.items() if name != "text"}
    return {**kept, **read_text(row["text"])}
