"""Words in a company's own labels that tell what a ticket or an event was about."""

from collections.abc import Mapping

Vocabulary = Mapping[str, tuple[tuple[str, ...], ...]]
"""Topic to groups of words; a label is on the topic when it has a word of every group.

Words are sought anywhere in the label, in any case, with - and _ as spaces; the first topic
that fits is the label's. English and Indonesian.
"""

TICKET_TOPICS: Vocabulary = {
    "refund": (("refund", "return", "retur", "pengembalian", "money back", "chargeback"),),
    "complaint": (
        ("complain", "keluh", "komplain", "quality", "kualitas", "defect", "damage", "rusak"),
    ),
    "billing": (("bill", "invoice", "payment", "charge", "tagihan", "faktur", "bayar", "biaya"),),
    "delivery": (
        ("deliver", "shipping", "shipment", "courier", "kirim", "pengirim", "kurir", "pengantaran"),
    ),
    "technical": (
        ("techni", "teknis", "bug", "error", "crash", "outage", "login", "gangguan", "aplikasi"),
    ),
}
"""What the category of a ticket says it was about."""

_FAILED = ("fail", "error", "declin", "reject", "abandon", "gagal", "ditolak", "batal")

FRICTION: Vocabulary = {
    "checkout": (("checkout", "payment", "bayar", "pembelian"), _FAILED),
    "search": (("search", "pencarian"), (*_FAILED, "no result", "empty", "zero", "nihil")),
    "help": (("help", "bantuan", "faq"),),
    "error": (("error", "crash", "fail", "exception", "timeout", "gagal", "galat"),),
}
"""What the name of an event says went wrong on the way."""


def topic_sql(label: str, vocabulary: Vocabulary) -> str:
    """SQL for the topic of the column `label`; null when no topic fits."""
    text = f"replace(replace(lower({label}), '_', ' '), '-', ' ')"
    cases = [f"WHEN {_fits(text, groups)} THEN '{topic}'" for topic, groups in vocabulary.items()]
    return f"CASE {' '.join(cases)} END"


def _fits(text: str, groups: tuple[tuple[str, ...], ...]) -> str:
    found = [[f"{text} LIKE '%{word}%'" for word in words] for words in groups]
    return " AND ".join(f"({' OR '.join(words)})" for words in found)


def topic_of(label: str | None, vocabulary: Vocabulary) -> str | None:
    """The topic of one label, as the SQL finds it; None when no topic fits."""
    if label is None:
        return None
    text = label.lower().replace("_", " ").replace("-", " ")
    for topic, groups in vocabulary.items():
        if all(any(word in text for word in words) for words in groups):
            return topic
    return None
