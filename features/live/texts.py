"""Facts of what customers write in Python: the twins of the SQL roll-ups."""

from features.live.rows import Facts, History, in_order
from features.text.themes import THEMES

_NO_TONE = 2
"""Stands for a missing sentiment where comments of one moment are put in order."""


def ticket_texts(history: History) -> Facts:
    """One row for each ticket with a text, by when it was opened."""
    tickets = history["tickets"].written
    columns = {
        "ts": tickets.seconds("opened_at"),
        "opened_at": tickets.column("opened_at"),
        "ticket_id": tickets.column("ticket_id"),
        "language": tickets.column("text_language"),
        "length": tickets.whole("text_length"),
        "sentiment": tickets.fixed("text_sentiment"),
        **{theme: tickets.whole(f"text_{theme}") for theme in THEMES},
    }
    return in_order(columns, "opened_at", "ticket_id")


def comments(history: History) -> Facts:
    """One row for each survey answer with a text, by when it was given."""
    surveys = history["surveys"].where("answered_at").written
    tones = surveys.column("text_sentiment")
    columns = {
        "ts": surveys.seconds("answered_at"),
        "answered_at": surveys.column("answered_at"),
        "kind": surveys.column("kind"),
        "tone": [_NO_TONE if tone is None else tone for tone in tones],
        "length": surveys.whole("text_length"),
        "sentiment": surveys.fixed("text_sentiment"),
    }
    return in_order(columns, "answered_at", "kind", "tone", "length")
