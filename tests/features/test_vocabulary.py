"""Topics of tickets and events by the words of their labels, in SQL and in Python alike."""

import duckdb
import pytest

from features.vocabulary import FRICTION, TICKET_TOPICS, Vocabulary, topic_of, topic_sql

LABELS = [
    ("Refund request", TICKET_TOPICS, "refund"),
    ("PENGEMBALIAN_DANA", TICKET_TOPICS, "refund"),
    ("Complaint about quality", TICKET_TOPICS, "complaint"),
    ("keluhan-pengiriman", TICKET_TOPICS, "complaint"),
    ("pembayaran", TICKET_TOPICS, "billing"),
    ("Late delivery", TICKET_TOPICS, "delivery"),
    ("pengiriman", TICKET_TOPICS, "delivery"),
    ("Gangguan aplikasi", TICKET_TOPICS, "technical"),
    ("account", TICKET_TOPICS, None),
    ("", TICKET_TOPICS, None),
    (None, TICKET_TOPICS, None),
    ("payment_failed", FRICTION, "checkout"),
    ("Pembayaran gagal", FRICTION, "checkout"),
    ("checkout", FRICTION, None),
    ("search-no-results", FRICTION, "search"),
    ("search", FRICTION, None),
    ("open_help", FRICTION, "help"),
    ("app_crash", FRICTION, "error"),
    ("upload failed", FRICTION, "error"),
    ("visit", FRICTION, None),
]


@pytest.mark.parametrize(("label", "vocabulary", "topic"), LABELS)
def test_a_label_is_on_the_first_topic_whose_words_it_has(
    label: str | None, vocabulary: Vocabulary, topic: str | None
) -> None:
    assert topic_of(label, vocabulary) == topic
    with duckdb.connect() as connection:
        query = f"SELECT {topic_sql('label', vocabulary)} FROM (SELECT CAST(? AS VARCHAR) AS label)"
        assert connection.execute(query, [label]).fetchone() == (topic,)
