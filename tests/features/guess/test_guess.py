import gzip
import sqlite3
from pathlib import Path

import pytest

from features.config import TrailConfig
from features.guess.guess import GuessError, SourceGuess, guess_source
from tests.shared_data import shared_data


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def mapped(guess: SourceGuess) -> dict[str, str]:
    return dict(guess.source.columns)


def confidence(guess: SourceGuess, canonical: str) -> str:
    column = guess.column(canonical)
    assert column is not None
    return column.confidence


def test_indonesian_semicolons_decimal_commas_and_day_first_dates_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "penjualan.csv",
        "No Pesanan;Kode Pelanggan;Tanggal Pesanan;Kode Barang;Kategori;Kuantitas;Total Harga",
        "P1;C1;31/01/2024;B1;buku;1;Rp 125.000,00",
        "P2;C2;01/02/2024;B2;pena;3;Rp 1.250.000,50",
        "P3;C1;15/02/2024;B1;buku;2;Rp 250.000,00",
    )
    guess = guess_source("orders", path)
    assert mapped(guess) == {
        "customer_id": "Kode Pelanggan",
        "ordered_at": "Tanggal Pesanan",
        "amount": "Total Harga",
        "order_id": "No Pesanan",
        "product_id": "Kode Barang",
        "category": "Kategori",
        "quantity": "Kuantitas",
    }
    assert guess.source.delimiter == ";"
    assert guess.source.decimal == ","
    assert guess.source.date_format == "%d/%m/%Y"
    assert guess.currency == "IDR"
    assert guess.indonesian
    assert not guess.problems
    assert {column.confidence for column in guess.columns} == {"sure"}


def test_jumlah_is_the_quantity_when_small_and_the_amount_when_large(tmp_path: Path) -> None:
    small = write(
        tmp_path / "a.csv",
        "id_pelanggan,tanggal,jumlah,harga",
        "1,2024-01-01,2,15000",
        "2,2024-01-02,1,20000",
    )
    large = write(
        tmp_path / "b.csv",
        "id_pelanggan,tanggal,jumlah",
        "1,2024-01-01,150000",
        "2,2024-01-02,99000",
    )
    assert mapped(guess_source("orders", small))["amount"] == "jumlah * harga"
    assert mapped(guess_source("orders", large))["amount"] == "jumlah"


def test_american_dates_are_month_first_when_a_day_is_above_twelve(tmp_path: Path) -> None:
    path = write(
        tmp_path / "sales.csv",
        "CustomerID,OrderDate,Amount",
        'a,1/2/2024 3:05 PM,"$1,200.50"',
        "b,1/31/2024 11:00 AM,$3.00",
    )
    guess = guess_source("orders", path)
    assert guess.source.date_format == "%m/%d/%Y %I:%M %p"
    assert guess.source.decimal == "."
    assert guess.currency == "USD"
    assert confidence(guess, "ordered_at") == "sure"


def test_dates_that_fit_both_orders_are_unsure_and_say_so(tmp_path: Path) -> None:
    path = write(
        tmp_path / "sales.csv", "customer_id,date,amount", "a,01/02/2024,5", "b,03/04/2024,7"
    )
    guess = guess_source("orders", path)
    assert confidence(guess, "ordered_at") == "unsure"
    assert guess.source.date_format == "%d/%m/%Y"
    assert any("day-first is only assumed" in note for note in guess.notes)


def test_dates_always_on_the_first_of_a_month_settle_their_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        "customer_id,subscription_id,start_date,end_date,plan",
        "a,1,03/01/2024,,pro",
        "b,2,04/01/2024,05/01/2024,pro",
    )
    guess = guess_source("subscriptions", path)
    assert guess.source.date_format == "%m/%d/%Y"
    assert confidence(guess, "started_at") == "sure"


def test_epoch_seconds_are_recognised(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.csv", "user_id,timestamp,event", "a,1704067200,login", "b,1704153600,login"
    )
    guess = guess_source("events", path)
    assert guess.source.date_format == "%s"
    assert guess.extent.days == 1


SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,"
    "Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Refunded Amount,Source"
)


def test_shopify_totals_blank_on_later_lines_give_way_to_price_times_quantity(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path / "orders_export.csv",
        SHOPIFY,
        "#1,a@x.org,paid,2024-01-05 10:00:00 -0500,GBP,30,5,0,35,0,2024-01-05 10:00:00 -0500,"
        "1,Mug,10.00,MUG,0,web",
        "#1,a@x.org,,,,,,,,,2024-01-05 10:00:00 -0500,2,Pen,10.00,PEN,,web",
        "#2,b@x.org,paid,2024-01-25 10:00:00 -0500,GBP,8,5,0,13,0,2024-01-25 10:00:00 -0500,"
        "1,Cup,8.00,CUP,8.00,web",
    )
    guess = guess_source("orders", path)
    columns = mapped(guess)
    assert columns["amount"] == "Lineitem quantity * Lineitem price"
    assert columns["customer_id"] == "Email"
    assert columns["ordered_at"] == "Created at"
    assert columns["order_id"] == "Name"
    assert columns["product_id"] == "Lineitem sku"
    assert guess.currency == "GBP"
    assert "refund_amount" not in columns
    assert any("'Refunded Amount' looks like refund_amount" in note for note in guess.notes)


def test_an_order_total_repeated_on_each_line_is_not_added_up(tmp_path: Path) -> None:
    lines = [
        f"{order},c{order % 3},2024-01-{order + 10},{line},{line * 5},{35}"
        for order in range(1, 6)
        for line in (1, 2)
    ]
    path = write(tmp_path / "o.csv", "order_id,customer_id,order_date,qty,price,total", *lines)
    guess = guess_source("orders", path)
    assert mapped(guess)["amount"] == "qty * price"
    amount = guess.column("amount")
    assert amount is not None
    assert "'total' repeats on every line of an order" in amount.why


def test_a_line_total_that_equals_price_times_quantity_is_sure(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv",
        "customer_id,order_date,qty,unit_price,line_total",
        "a,2024-01-01,2,2.50,5.00",
        "b,2024-01-02,3,1.00,3.00",
    )
    guess = guess_source("orders", path)
    amount = guess.column("amount")
    assert amount is not None
    assert amount.source == "line_total"
    assert "equals qty * unit_price on 100% of the rows" in amount.why


def test_two_candidate_amounts_are_both_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv",
        "customer_id,order_date,net_amount,gross_amount",
        "a,2024-01-01,10.00,11.90",
        "b,2024-01-02,20.00,23.80",
    )
    guess = guess_source("orders", path)
    assert mapped(guess)["amount"] == "net_amount"
    assert guess.notes == ("amount could also be 'gross_amount': check which to add up",)


def test_a_missing_required_column_is_named_with_the_files_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "shade,order_date,amount", "red,2024-01-01,3.5")
    guess = guess_source("orders", path)
    assert guess.problems == (
        "orders: no column looks like customer_id, which is required; choose one of 'shade', "
        "'order_date', 'amount' and write it under sources.orders.columns.customer_id",
    )


def test_oddly_named_time_and_amount_are_found_by_their_values_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "client_id,q1,q2", "7,2024-03-01,12.50", "8,2024-03-09,3.25")
    guess = guess_source("orders", path)
    assert mapped(guess) == {"customer_id": "client_id", "ordered_at": "q1", "amount": "q2"}
    assert confidence(guess, "ordered_at") == confidence(guess, "amount") == "unsure"


def test_orders_without_customers_beyond_the_tolerated_share_become_guests(tmp_path: Path) -> None:
    rows = [f"{i if i % 5 else ''},2024-01-{i:02},10.5" for i in range(1, 29)]
    path = write(tmp_path / "o.csv", "customer_id,order_date,amount", *rows)
    guess = guess_source("orders", path)
    assert guess.source.guests
    assert guess.extent.without_customer == 5


def test_zendesk_durations_become_instants_counted_from_the_opening(tmp_path: Path) -> None:
    path = write(
        tmp_path / "tickets.csv",
        "Id,Requester id,Status,Priority,Via,Created at,Updated at,Assignee,Solved at,Subject,"
        "First reply time in minutes",
        "1,77,Solved,High,Email,2024-01-31 10:00,2024-02-02 10:00,Ana,2024-02-01 10:00,Hi,12",
        "2,78,Open,Low,Web form,2024-02-11 10:00,2024-02-12 10:00,Budi,,Help,45",
    )
    guess = guess_source("tickets", path)
    assert mapped(guess) == {
        "customer_id": "Requester id",
        "ticket_id": "Id",
        "opened_at": "Created at",
        "first_response_at": "Created at + First reply time in minutes minutes",
        "resolved_at": "Solved at",
        "channel": "Via",
        "priority": "Priority",
        "agent_id": "Assignee",
        "text": "Subject",
    }


def test_a_ticket_change_log_is_recognised_by_repeating_ids(tmp_path: Path) -> None:
    rows = [f"T{i // 3},c{i % 4},2024-01-{i + 1:02} 10:00" for i in range(27)]
    path = write(tmp_path / "log.csv", "ticket_id,customer_id,opened_at", *rows)
    notes = guess_source("tickets", path).notes
    assert any("'ticket_id' repeats 3.0 times; is it a log of changes" in note for note in notes)


def test_a_log_of_changes_with_statuses_is_mapped_as_a_trail(tmp_path: Path) -> None:
    rows = [
        f"T{i // 4},c{i % 3},2024-01-{1 + i // 4:02} 08:00,2024-01-{i + 1:02} 10:00,{i % 4},"
        f"{['New', 'Active', 'Resolved', 'Closed'][i % 4]},2024-02-01 10:00"
        for i in range(28)
    ]
    header = "number,caller_id,opened_at,sys_updated_at,sys_mod_count,incident_state,resolved_at"
    guess = guess_source("tickets", write(tmp_path / "log.csv", header, *rows))
    assert guess.source.trail == TrailConfig(
        changed_at="sys_updated_at",
        sequence="sys_mod_count",
        status="incident_state",
        waiting=["New"],
        resolved=["Closed", "Resolved"],
    )
    assert set(mapped(guess)) == {"customer_id", "ticket_id", "opened_at"}
    assert guess.unused == ("resolved_at",)
    assert any("it is taken for a log of changes" in note for note in guess.notes)


def test_events_keyed_by_subscription_look_their_customer_up(tmp_path: Path) -> None:
    path = write(
        tmp_path / "usage.csv", "subscription_id,usage_date,feature_name", "s1,2024-01-01,export"
    )
    assert mapped(guess_source("events", path))["customer_id"] == "subscription_id -> subscriptions"


def test_a_survey_without_a_kind_takes_it_from_the_highest_score(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        "customer_id,submitted_at,rating,comment",
        "a,2024-01-01,9,good",
        "b,2024-01-02,3,bad",
    )
    assert guess_source("surveys", path).source.constants == {"kind": "nps"}


def test_a_column_named_like_a_time_that_holds_none_is_pointed_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        "ticket_id,customer_id,opened_at,escalated_at",
        "1,a,2024-01-01,yes",
        "2,b,2024-01-02,no",
    )
    guess = guess_source("tickets", path)
    assert "escalated_at" not in mapped(guess)
    assert any("'escalated_at' is named like escalated_at" in note for note in guess.notes)


def test_a_second_time_column_in_another_format_is_left_out_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv",
        "customer_id,order_date,amount,refund_date",
        "a,2024-01-01,5.5,25/01/2024",
        "b,2024-01-02,6.5,",
    )
    guess = guess_source("orders", path)
    assert "refunded_at" not in mapped(guess)
    assert any("not ISO; a source has one date_format" in note for note in guess.notes)


def test_ids_written_as_decimals_are_noticed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv",
        "customer_id,date,amount",
        "13085.0,2024-01-01,5",
        "13086.0,2024-01-02,5",
    )
    assert any("written as decimals (13085.0)" in n for n in guess_source("orders", path).notes)


def test_latin_encoded_and_gzipped_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "o.csv.gz"
    text = "customer_id;date;amount;category\na;2024-01-01;5,50;Café\nb;2024-01-02;6,50;Thé\n"
    path.write_bytes(gzip.compress(text.encode("cp1252")))
    guess = guess_source("orders", str(path))
    assert guess.source.decimal == ","
    assert guess.source.encoding not in (None, "utf-8")
    assert mapped(guess)["category"] == "category"


def test_a_table_in_sqlite_is_guessed_from_a_url_with_a_fragment(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE sales (customer_id TEXT, sold_on TEXT, amount REAL)")
        connection.execute("INSERT INTO sales VALUES ('a', '2024-01-01', 5.5)")
    connection.close()
    guess = guess_source("orders", f"sqlite:///{tmp_path}/shop.db#sales")
    assert guess.source.table == "sales"
    assert mapped(guess) == {
        "customer_id": "customer_id",
        "ordered_at": "sold_on",
        "amount": "amount",
    }


def test_a_url_without_a_table_is_refused_without_showing_its_password() -> None:
    with pytest.raises(GuessError, match="names no table; write it after a #") as caught:
        guess_source("orders", "postgresql://me:secret@host/shop")
    assert "secret" not in str(caught.value)


def test_a_file_with_only_a_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GuessError, match="holds no rows to guess from"):
        guess_source("orders", write(tmp_path / "o.csv", "customer_id,date,amount"))


def test_the_listing_says_column_source_confidence_and_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "customer_id,date,amount", "a,2024-01-01,5.5")
    assert guess_source("orders", path).listing()[0] == (
        "customer_id",
        "customer_id",
        "sure (1.00)",
        "by name; 1 ids in the sample, 1.0 rows for each",
    )


def test_cdnow_is_guessed_right() -> None:
    path = shared_data("cdnow/CDNOW_master.txt.gz")
    guess = guess_source("orders", str(path))
    assert mapped(guess) == {
        "customer_id": "customer_id",
        "ordered_at": "date",
        "amount": "dollar_value",
        "quantity": "number_of_cds",
    }
    assert guess.source.date_format == "%Y%m%d"
    assert (guess.extent.rows, guess.extent.days) == (69_659, 545)
    assert not guess.source.guests


def test_online_retail_is_guessed_right() -> None:
    path = shared_data("online-retail-year-one/lines.parquet")
    guess = guess_source("orders", str(path))
    assert mapped(guess) == {
        "customer_id": "Customer ID",
        "ordered_at": "InvoiceDate",
        "amount": "Quantity * Price",
        "order_id": "Invoice",
        "product_id": "StockCode",
        "quantity": "Quantity",
    }
    assert guess.source.date_format is None
    assert guess.source.guests
    assert {"POST", "M", "C2", "TEST001"} <= set(guess.odd_products)
