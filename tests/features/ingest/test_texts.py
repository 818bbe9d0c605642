"""Texts become numbers while they are staged, and the words go no further."""

from pathlib import Path

import pytest

from features.contracts import TEXT_COLUMNS
from features.text.reading import read_text
from tests.features.ingest.shop import Shop

ORDERS = "customer_id,ordered_at,amount\na,2024-01-01,5\n"
TICKETS = """customer_id,ticket_id,opened_at,text
a,t1,2024-01-02,"Pelayanan buruk, kurir tidak ramah"
a,t2,2024-01-03,
b,t3,2024-01-04,Great service thank you
"""
SURVEYS = """customer_id,kind,sent_at,answered_at,score,text
a,nps,2024-01-02,2024-01-03,3,Terlalu mahal
b,nps,2024-01-02,,,
"""
COLUMNS = ", ".join(column.name for column in TEXT_COLUMNS)


def test_a_snapshot_holds_the_numbers_of_each_text(shop: Shop) -> None:
    shop.ingest({"orders": ORDERS, "tickets": TICKETS, "surveys": SURVEYS})
    texts = ["Pelayanan buruk, kurir tidak ramah", None, "Great service thank you"]
    assert shop.rows(COLUMNS, "tickets") == [tuple(read_text(text).values()) for text in texts]
    assert shop.rows(COLUMNS, "surveys") == [
        tuple(read_text(text).values()) for text in ("Terlalu mahal", None)
    ]
    assert "text" in shop.manifest().tables["tickets"].columns


def test_no_word_of_a_text_is_in_the_workspace(shop: Shop) -> None:
    shop.ingest({"orders": ORDERS, "tickets": TICKETS, "surveys": SURVEYS})
    workspace = shop.folder / "var"
    held = [path.read_bytes() for path in Path(workspace).rglob("*") if path.is_file()]
    assert held
    assert not any(word in content for content in held for word in (b"ramah", b"mahal", b"Great"))
    with pytest.raises(Exception, match='"text" not found'):
        shop.rows("text", "tickets")


def test_without_a_text_column_the_numbers_are_there_and_empty(shop: Shop) -> None:
    shop.ingest({"orders": ORDERS, "tickets": "customer_id,ticket_id,opened_at\na,t1,2024-01-02\n"})
    assert shop.rows(COLUMNS, "tickets") == [(None,) * len(TEXT_COLUMNS)]
    assert "text" not in shop.manifest().tables["tickets"].columns


def test_a_log_of_changes_keeps_numbers_in_every_state(shop: Shop) -> None:
    changes = (
        "customer_id,ticket_id,at,status,text\n"
        "a,t1,2024-01-02,new,harga mahal\n"
        "a,t1,2024-01-03,closed,harga mahal sekali\n"
    )
    trail = {"changed_at": "at", "status": "status", "waiting": ["new"], "resolved": ["closed"]}
    shop.ingest({"orders": ORDERS, "tickets": changes}, {"tickets": {"trail": trail}})
    lengths = shop.rows("text_length, text_price", "tickets")
    assert sorted(lengths) == [(11, True), (18, True)]
