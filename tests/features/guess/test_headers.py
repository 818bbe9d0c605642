import pytest

from features.guess.headers import (
    MEANINGS,
    currency_word,
    duration_unit,
    is_indonesian,
    name_score,
    words,
)


@pytest.mark.parametrize("header", ["InvoiceDate", "invoice_date", "Invoice Date", "INVOICE-DATE"])
def test_spellings_of_a_header_give_the_same_words(header: str) -> None:
    assert words(header) == ("invoice", "date")


@pytest.mark.parametrize(
    ("table", "canonical", "header"),
    [
        ("orders", "customer_id", "id_pelanggan"),
        ("orders", "customer_id", "KodePelanggan"),
        ("orders", "customer_id", "CUSTOMERID"),
        ("orders", "ordered_at", "tgl_transaksi"),
        ("orders", "ordered_at", "Waktu Pesanan Dibuat"),
        ("orders", "order_id", "No. Pesanan"),
        ("orders", "order_id", "Nomor Invoice"),
        ("orders", "discount", "Diskon"),
        ("tickets", "opened_at", "Created time"),
        ("tickets", "first_response_at", "respon_pertama"),
        ("tickets", "resolved_at", "Selesai"),
        ("tickets", "ticket_id", "CaseNumber"),
        ("subscriptions", "monthly_price", "harga_bulanan"),
        ("subscriptions", "started_at", "Start Date (UTC)"),
        ("subscriptions", "ended_at", "Canceled At (UTC)"),
        ("surveys", "score", "skor"),
        ("customers", "signed_up_at", "Tanggal Daftar"),
        ("customers", "email_consent", "Accepts Email Marketing"),
    ],
)
def test_known_headers_are_recognised_whole(table: str, canonical: str, header: str) -> None:
    assert name_score(header, MEANINGS[table][canonical]) > 0.85  # type: ignore[index]


def test_a_longer_header_scores_less_than_the_phrase_itself() -> None:
    phrases = ("order date",)
    assert name_score("order date", phrases) == 1.0
    assert name_score("order date local", phrases) == pytest.approx(0.45 + 0.4 * 2 / 3)
    assert name_score("delivery", phrases) == 0.0


def test_a_phrase_marked_whole_does_not_match_inside_a_longer_header() -> None:
    assert name_score("customer", ("=customer",)) == 1.0
    assert name_score("customer segment", ("=customer",)) == 0.0


def test_every_contract_column_has_phrases() -> None:
    from features.contracts import TABLES

    for name, table in TABLES.items():
        assert set(table.names) <= set(MEANINGS[name])


def test_two_indonesian_headers_make_a_file_indonesian() -> None:
    assert is_indonesian(("tanggal", "pelanggan", "total"))
    assert not is_indonesian(("date", "customer", "total"))


def test_currency_and_unit_are_read_from_headers() -> None:
    assert currency_word("refund_amount_usd") == "USD"
    assert duration_unit("first_response_time_minutes") == "minutes"
    assert duration_unit("Waktu penyelesaian (jam)") == "hours"
    assert duration_unit("resolution_time") is None
