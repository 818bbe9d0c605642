"""Every row of a source is accepted, rejected with its reason, or set aside, and none is lost."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import PipelineConfig
from features.contracts import ContractError
from features.ingest.report import IngestReport, TableReport
from features.ingest.run import TooManyRejects, ingest
from tests.features.ingest.shop import NOW, Shop, reasons
from tests.shared_data import shared_data

ORDERS = "customer_id,ordered_at,amount\n"


def test_good_rows_are_accepted_in_customer_and_time_order(shop: Shop) -> None:
    report = shop.orders(ORDERS + "b,2024-02-01,5\na,2024-03-01,7\na,2024-01-01,0\n")
    assert (report.rows_read, report.accepted, report.rejected) == (3, 3, 0)
    assert shop.rows("customer_id, strftime(ordered_at, '%Y-%m-%d'), amount, day, is_return") == [
        ("a", "2024-01-01", 0.0, 19723, False),
        ("a", "2024-03-01", 7.0, 19783, False),
        ("b", "2024-02-01", 5.0, 19754, False),
    ]


def test_every_contract_column_is_there_and_the_manifest_names_the_mapped(shop: Shop) -> None:
    shop.orders(ORDERS + "a,2024-01-01,5\n")
    assert shop.rows("order_id, margin, refunded_at") == [(None, None, None)]
    assert shop.manifest().tables["orders"].columns == ("customer_id", "ordered_at", "amount")


def test_naive_times_are_local_and_zoned_ones_are_converted(shop: Shop) -> None:
    times = ["2024-01-01", "2024-01-02 03:00", "2024-01-03T03:00:00Z", "2024-01-04 03:00:00+02:00"]
    rows = "".join(f"a,{time},1\n" for time in times)
    shop.ingest({"orders": ORDERS + rows}, timezone="Asia/Jakarta")
    assert shop.rows("CAST(ordered_at AS VARCHAR), day") == [
        ("2023-12-31 17:00:00+00", 19723),
        ("2024-01-01 20:00:00+00", 19724),
        ("2024-01-03 03:00:00+00", 19725),
        ("2024-01-04 01:00:00+00", 19726),
    ]


def test_day_first_dates_are_read_by_their_format(shop: Shop) -> None:
    shop.orders(ORDERS + "a,3/4/2024 10:30,1\na,31/12/2024,1\n", date_format="%d/%m/%Y %H:%M")
    assert shop.rows("CAST(ordered_at AS VARCHAR)") == [
        ("2024-04-03 10:30:00+00",),
        ("2024-12-31 00:00:00+00",),
    ]


def test_day_first_dates_without_a_format_are_rejected_with_the_format(shop: Shop) -> None:
    with pytest.raises(ContractError, match="has a single accepted row"):
        shop.orders(ORDERS + "a,03/04/2024,1\na,31/12/2024,1\n")
    with pytest.raises(TooManyRejects, match=r"date_format: '%d/%m/%Y'"):
        shop.orders(ORDERS + "a,03/04/2024,1\na,31/12/2024,1\n", max_reject_rate=0.01)


def test_dates_that_can_be_either_way_round_name_both_formats(shop: Shop) -> None:
    with pytest.raises(TooManyRejects, match=r"either way round.*'%d/%m/%Y' or '%m/%d/%Y'"):
        shop.orders(ORDERS + "a,03/04/2024,1\n", max_reject_rate=0.01)


def test_mixed_formats_are_named_with_the_value_that_does_not_fit(shop: Shop) -> None:
    report = shop.orders(
        ORDERS + "a,31/12/2024,1\na,2024-12-30,1\nb,01/02/2024,1\n", date_format="%d/%m/%Y"
    )
    (rejection,) = report.rejections
    assert rejection.sentence == (
        "1 row (33.3 %) have an unreadable ordered_at (first: '2024-12-30')"
    )
    assert "mixes formats ('%Y-%m-%d' reads the rest)" in rejection.advice


def test_a_format_that_is_none_is_refused(shop: Shop) -> None:
    with pytest.raises(ContractError, match=r"sources\.orders\.date_format: '%Q' is no strptime"):
        shop.orders(ORDERS + "a,2024-01-01,1\n", date_format="%Q")


def test_epoch_times_are_read_when_said_so(shop: Shop) -> None:
    shop.orders(ORDERS + "a,1700000000,1\nb,1700000000000,1\n", date_format="%s")
    assert set(shop.rows("CAST(ordered_at AS VARCHAR)")) == {("2023-11-14 22:13:20+00",)}


@pytest.mark.parametrize(
    ("decimal", "written", "meant"),
    [
        (".", "1,234.50", 1234.5),
        (".", "Rp 1,250", 1250.0),
        (".", "12.5 IDR", 12.5),
        (".", "1 234.5", 1234.5),
        (",", "1.234,50", 1234.5),
        (",", "Rp1.250.000,00", 1_250_000.0),
        (",", "Rp. 1.250,-", 1250.0),
        (",", "1\u00a0234,5", 1234.5),
    ],
)
def test_amounts_are_read_as_people_write_them(
    shop: Shop, decimal: str, written: str, meant: float
) -> None:
    shop.orders(ORDERS + f'a,2024-01-01,"{written}"\n', decimal=decimal)
    assert shop.rows("amount") == [(meant,)]


def test_a_decimal_comma_unannounced_is_rejected_with_the_setting(shop: Shop) -> None:
    report = shop.orders(ORDERS + 'a,2024-01-01,"12,50"\na,2024-01-01,3\n')
    (rejection,) = report.rejections
    assert (rejection.code, rejection.example) == ("unreadable_number", "12,50")
    assert "set sources.orders.decimal: ','" in rejection.advice


def test_amounts_that_may_be_grouped_by_points_are_doubted(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,50.000\nb,2024-01-01,125.000\n")
    assert any("if the point groups thousands" in warning for warning in report.warnings)


def test_another_currency_is_rejected_and_the_own_sign_is_not(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,Rp5\nb,2024-01-01,€5\nc,2024-01-01,5 USD\n")
    assert reasons(report) == {("other_currency", "amount"): 2}


def test_missing_customers_are_rejected_unless_they_are_guests(shop: Shop) -> None:
    content = ORDERS + ",2024-01-01,5\nnan,2024-01-01,5\n a ,2024-01-01,5\n"
    report = shop.orders(content)
    assert reasons(report) == {("missing_customer_id", "customer_id"): 2}
    assert "sources.orders.guests: true" in report.rejections[0].advice
    report = shop.orders(content, guests=True, max_reject_rate=0)
    assert (report.rejected, sum(report.set_aside.values())) == (0, 2)
    assert shop.rows("customer_id") == [("a",)]


def test_excluded_rows_are_set_aside_before_anything_is_asked_of_them(shop: Shop) -> None:
    content = "customer_id,ordered_at,amount,sku\na,2024-01-01,5,x\n,never,?,POST\n"
    report = shop.orders(content, exclude={"sku": ["POST"]}, max_reject_rate=0)
    assert dict(report.set_aside) == {"excluded by the configuration": 1}
    assert report.accepted == 1


def test_ids_keep_their_zeros_and_lose_an_exported_fraction(shop: Shop) -> None:
    report = shop.orders(ORDERS + "007,2024-01-01,5\n12345.0,2024-01-01,5\nA.0,2024-01-01,5\n")
    assert shop.rows("customer_id") == [("007",), ("12345",), ("A.0",)]
    assert report.normalised == {"customer_id like 12345.0 read as 12345": 1}


def test_negative_amounts_and_quantities_become_returns(shop: Shop) -> None:
    content = (
        "customer_id,ordered_at,qty,price,margin\n"
        "a,2024-01-01,2,10,5\na,2024-01-02,-1,10,-2\na,2024-01-03,3,-1,4\na,2024-01-04,-1,0,\n"
    )
    report = shop.orders(content, columns={"amount": "qty * price", "quantity": "qty"})
    assert shop.rows("amount, refund_amount, is_return, margin, refunded_at = ordered_at") == [
        (20.0, None, False, 5.0, None),
        (0.0, 10.0, True, -2.0, True),
        (0.0, 3.0, True, 0.0, True),
        (0.0, 0.0, True, 0.0, True),
    ]
    assert report.normalised["negative amounts or quantities read as returns"] == 3
    assert {"refunded_at", "refund_amount"} <= set(shop.manifest().tables["orders"].columns)


def test_future_times_are_rejected_and_do_not_move_the_watermark(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,5\na,2026-01-02,5\n")
    assert reasons(report) == {("future_time", "ordered_at"): 1}
    assert shop.manifest().watermark == datetime(2024, 1, 2, tzinfo=UTC)


def test_a_mistyped_year_far_past_the_rest_is_rejected(shop: Shop) -> None:
    days = (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(300))
    rows = "".join(f"a,{day:%Y-%m-%d},1\n" for day in days)
    report = shop.orders(ORDERS + rows + "a,2024-06-01,1\n")
    assert reasons(report) == {("beyond_span", "ordered_at"): 1}
    assert shop.manifest().watermark == datetime(2020, 10, 27, tzinfo=UTC)


@pytest.mark.parametrize("empty", ["1900-01-01", "0001-01-01", "1970-01-01"])
def test_what_empty_dates_turn_into_is_rejected(shop: Shop, empty: str) -> None:
    report = shop.orders(ORDERS + f"a,2024-01-01,5\na,{empty},5\n")
    assert reasons(report) == {("implausible_time", "ordered_at"): 1}


def test_absurd_and_infinite_amounts_are_rejected(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,1e15\nb,2024-01-01,inf\nc,2024-01-01,5\n")
    assert reasons(report) == {
        ("absurd_number", "amount"): 1,
        ("unreadable_number", "amount"): 1,
    }


def test_exact_copies_are_kept_and_counted(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,5\nb,2024-01-01,5\n" * 2)
    assert report.accepted == 4
    assert report.warnings[0].startswith("2 rows (50.0 %) of the source are exact copies")


def test_lines_that_do_not_parse_are_rejected(shop: Shop) -> None:
    report = shop.orders(ORDERS + "a,2024-01-01,5\nb,2024-01-01\nc,2024-01-01,5,6\n")
    assert (report.rows_read, report.accepted, report.rejected) == (3, 1, 2)
    assert {each.code for each in report.rejections} == {"broken_line"}
    assert shop.rejects("source_row, reason, raw") == [
        (3, "broken_line", '"b,2024-01-01"'),
        (4, "broken_line", '"c,2024-01-01,5,6"'),
    ]


def test_rejected_rows_are_kept_with_reason_and_raw_values(shop: Shop) -> None:
    shop.orders("customer_id,ordered_at,amount,note\na,2024-01-01,5,x\nb,soon,5,y\n")
    ((file, row, reason, column, value, raw),) = shop.rejects(
        'source_file, source_row, reason, "column", value, raw'
    )
    assert (Path(file).name, row) == ("orders.csv", 3)
    assert (reason, column, value) == ("unreadable_time", "ordered_at", "soon")
    assert json.loads(raw) == {"customer_id": "b", "ordered_at": "soon", "amount": "5", "note": "y"}


TICKETS = "customer_id,ticket_id,opened_at,resolved_at,channel\n"


def tickets(shop: Shop, content: str, orders: str = "a,2024-01-01,5\n") -> TableReport:
    return shop.ingest({"orders": ORDERS + orders, "tickets": TICKETS + content}).table("tickets")


def test_duplicate_tickets_keep_the_first(shop: Shop) -> None:
    rows = "a,t1,2024-01-01,,chat\na,t1,2024-01-02,,phone\na,,2024-01-03,,phone\n"
    report = tickets(shop, rows)
    assert reasons(report) == {("duplicate_id", "ticket_id"): 1, ("missing_value", "ticket_id"): 1}
    assert shop.rows("channel", "tickets") == [("chat",)]


def test_a_ticket_resolved_before_it_was_opened_is_rejected(shop: Shop) -> None:
    report = tickets(
        shop,
        "a,t1,2024-01-02 10:00,2024-01-02 09:00,chat\n"
        "a,t2,2024-01-02 10:00,2024-01-02,chat\na,t3,2024-01-02 10:00,2024-01-01,chat\n",
    )
    assert reasons(report) == {("out_of_order", "resolved_at"): 2}
    assert shop.rows("ticket_id, resolved_at = opened_at", "tickets") == [("t2", True)]
    assert report.normalised["a bare date read as the earlier time of its day"] == 1


def test_overlapping_subscriptions_of_one_plan_are_kept_and_counted(shop: Shop) -> None:
    rows = (
        "customer_id,subscription_id,started_at,ended_at,plan\n"
        "ana,s1,2024-01-01,2024-03-01,basic\n"
        "ana,s2,2024-02-01,,basic\n"  # while s1 runs
        "ana,s3,2024-02-01,,extra\n"  # another plan
        "ana,s4,2024-05-01,,basic\n"  # while s2 runs
        "bob,s5,2024-01-01,2024-02-01,basic\n"
        "bob,s6,2024-02-01,,basic\n"  # when s5 has ended
    )
    report = shop.ingest({"subscriptions": rows}).table("subscriptions")
    (warning,) = report.warnings
    assert warning.startswith(
        "2 rows (33.3 %) start while another of the same customer and plan is running; both count"
    )
    assert (report.accepted, report.rejected) == (6, 0)


def test_channels_are_folded_onto_the_list(shop: Shop) -> None:
    written = ["E-Mail", "WhatsApp", "Live chat", "fax", ""]
    rows = "".join(f"a,t{n},2024-01-0{n + 1},,{name}\n" for n, name in enumerate(written))
    report = tickets(shop, rows)
    assert [row[0] for row in shop.rows("channel", "tickets")] == [
        "email", "messaging", "chat", "other", None,
    ]  # fmt: skip
    assert report.normalised == {"channel outside the list read as 'other'": 1}


def surveys(shop: Shop, content: str, **source: Any) -> TableReport:
    files = {"orders": ORDERS + "a,2024-01-01,5\n", "surveys": content}
    return shop.ingest(files, {"surveys": source}).table("surveys")


def test_scores_off_their_scale_and_unknown_kinds_are_rejected(shop: Shop) -> None:
    content = (
        "customer_id,kind,answered_at,score\na,NPS,2024-01-01,10\na,csat,2024-01-01,6\n"
        "a,mood,2024-01-01,3\na,ces,2024-01-01,\na,csat,,4\n"
    )
    assert reasons(surveys(shop, content)) == {
        ("off_scale", "score"): 1,
        ("unknown_value", "kind"): 1,
        ("missing_value", "answered_at"): 1,
    }


def test_another_scale_is_moved_to_the_standard_one(shop: Shop) -> None:
    content = "customer_id,answered_at,score\na,2024-01-01,1\na,2024-01-02,5.5\na,2024-01-03,10\n"
    surveys(shop, content, constants={"kind": "csat"}, scales={"csat": [1, 10]})
    assert shop.rows("kind, score", "surveys") == [("csat", 1.0), ("csat", 3.0), ("csat", 5.0)]


def test_a_score_that_never_became_known_is_doubted(shop: Shop) -> None:
    report = surveys(shop, "customer_id,kind,sent_at,score\na,nps,2024-01-01,9\n")
    assert "have a score but no answered_at" in report.warnings[0]


def test_consent_is_read_in_indonesian_and_refused_when_unclear(shop: Shop) -> None:
    people = "customer_id,email_consent\na,Ya\nb,TIDAK\nc,mungkin\nd,\na,ya\n"
    report = shop.ingest({"orders": ORDERS + "a,2024-01-01,5\n", "customers": people})
    assert reasons(report.table("customers")) == {
        ("unreadable_boolean", "email_consent"): 1,
        ("duplicate_id", "customer_id"): 1,
    }
    assert shop.rows("customer_id, email_consent", "customers") == [
        ("a", True), ("b", False), ("d", None),
    ]  # fmt: skip


def test_attributes_are_kept_under_their_own_names(shop: Shop) -> None:
    people = "customer_id,Plan Name,seats\na,Pro,12\nb,NA,\n"
    attributes = {"Plan Name": "category", "seats": "numeric"}
    files = {"orders": ORDERS + "a,2024-01-01,5\n", "customers": people}
    shop.ingest(files, {"customers": {"attributes": attributes}})
    assert shop.rows('"Plan Name", seats', "customers") == [("Pro", 12.0), ("NA", None)]
    assert shop.manifest().tables["customers"].attributes == attributes


def test_a_duration_is_added_to_its_time(shop: Shop) -> None:
    content = "customer_id,ticket_id,opened_at,mins\na,t,2024-01-01,90\nb,u,2024-01-01,\n"
    columns = {"first_response_at": "opened_at + mins minutes"}
    files = {"orders": ORDERS + "a,2024-01-01,5\n", "tickets": content}
    shop.ingest(files, {"tickets": {"columns": columns}})
    assert shop.rows("CAST(first_response_at AS VARCHAR)", "tickets") == [
        ("2024-01-01 01:30:00+00",),
        (None,),
    ]


def test_events_find_their_customer_through_the_subscription(shop: Shop) -> None:
    files = {
        "events": "sub,occurred_at,event\ns1,2024-01-05,x\ns1,2023-12-01,x\ns9,2024-01-05,x\n",
        "subscriptions": "customer_id,subscription_id,started_at\na,s1,2024-01-01\n",
    }
    report = shop.ingest(files, {"events": {"columns": {"customer_id": "sub -> subscriptions"}}})
    assert shop.rows("customer_id", "events") == [("a",), ("a",)]
    assert reasons(report.table("events")) == {("unknown_key", "customer_id"): 1}
    assert any("1 row (50.0 %) happened before the start" in each for each in report.warnings)


def test_tables_that_do_not_fit_together_are_told(shop: Shop) -> None:
    report = shop.ingest(
        {
            "customers": "customer_id,signed_up_at\na,2024-02-01\n",
            "orders": ORDERS + "a,2024-02-02,5\nb,2024-02-02,5\n",
            "tickets": "customer_id,ticket_id,opened_at\na,t1,2024-01-01\n",
            "contacts": "customer_id,contacted_at\na,2024-01-01\n",
            "surveys": "customer_id,kind,answered_at,ticket_id\na,nps,2024-02-03,t9\n",
            "events": "customer_id,occurred_at,event\na,2023-11-01,login\n",
            "subscriptions": "customer_id,subscription_id,started_at\na,s,2024-02-01\n",
        }
    )
    told = "\n".join(report.warnings)
    assert "orders: 1 row (50.0 %) belong to 1 customers whom the customers table" in told
    assert "tickets: 1 row (100.0 %) are dated before their customer's signup" in told
    assert "contacts: 1 row (100.0 %) are dated before" in told
    assert "surveys: 1 row (100.0 %) name a ticket" in told
    assert "events: 1 row (100.0 %) happened before the start of their customer's first" in told
    assert "events end 93 days before orders do" in told
    assert not any(table.rejected for table in report.tables)


def test_an_agreed_end_ahead_does_not_move_the_watermark(shop: Shop) -> None:
    rows = "a,s1,2024-01-01,2024-01-20\nb,s2,2024-01-10,2025-01-10\nc,s3,2024-01-10,2027-01-10\n"
    shop.ingest({"subscriptions": "customer_id,subscription_id,started_at,ended_at\n" + rows})
    assert shop.manifest().watermark == datetime(2024, 1, 21, tzinfo=UTC)


def test_the_watermark_is_the_local_day_after_the_last_fact(shop: Shop) -> None:
    content = ORDERS + "a,2024-01-01T20:00:00Z,5\n"
    report = shop.ingest({"orders": content}, timezone="Asia/Jakarta")
    assert report.watermark == datetime(2024, 1, 2, 17, tzinfo=UTC)


def test_one_customer_is_enough(shop: Shop) -> None:
    assert shop.orders(ORDERS + "a,2024-01-01,5\n").accepted == 1


def test_no_activity_table_is_refused(shop: Shop) -> None:
    with pytest.raises(ContractError, match="none of orders, events and subscriptions is conf"):
        shop.ingest({"customers": "customer_id\na\n"})


def test_a_header_without_rows_is_refused_as_activity_and_told_otherwise(shop: Shop) -> None:
    with pytest.raises(ContractError, match="has a single accepted row"):
        shop.orders(ORDERS)
    assert tickets(shop, "").warnings == (
        "no row was accepted; give it rows, or remove sources.tickets",
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"columns": {"amount": "amout"}}, "no column 'amout'; did you mean 'amount'"),
        ({"columns": {"amunt": "amount"}}, "no column 'amunt'; did you mean 'amount'"),
        ({"columns": {"amount": "amount * pris"}}, "no column 'pris'"),
        ({"columns": {"customer_id": "x -> subscriptions"}}, "which is not configured"),
        ({"exclude": {"sku": ["a"]}}, r"orders\.exclude: the source has no column 'sku'"),
        ({"attributes": {"note": "category"}}, "only customers can have attributes"),
        ({"constants": {"amount": "1"}, "columns": {"amount": "amount"}}, "keep one"),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(
    shop: Shop, source: dict[str, Any], said: str
) -> None:
    with pytest.raises(ContractError, match=said):
        shop.orders("customer_id,ordered_at,amount,note\na,2024-01-01,5,x\n", **source)


def test_a_required_column_that_nothing_fills_is_named(shop: Shop) -> None:
    with pytest.raises(ContractError, match=r"orders: nothing fills the required column 'amount'"):
        shop.orders("customer_id,ordered_at,total\na,2024-01-01,5\n")


def test_too_many_rejects_leave_the_old_snapshot_and_carry_the_report(shop: Shop) -> None:
    shop.orders(ORDERS + "a,2024-01-01,5\n")
    before = shop.manifest()
    with pytest.raises(TooManyRejects, match=r"orders: 50\.0% of the rows are rej") as stopped:
        shop.orders(ORDERS + "a,2024-01-01,5\n,2024-01-01,5\n", max_reject_rate=0.01)
    assert stopped.value.report.table("orders").rejected == 1
    assert shop.manifest() == before
    assert shop.rejects("reason") == [("missing_customer_id",)]


def test_nothing_is_left_behind_beside_snapshots_and_rejects(shop: Shop) -> None:
    shop.orders(ORDERS + "a,2024-01-01,5\n")
    shop.orders(ORDERS + "b,2024-01-01,5\n")
    assert sorted(path.name for path in (shop.folder / "var").iterdir()) == ["rejects", "snapshots"]


def test_row_order_and_file_splitting_change_nothing(tmp_path: Path) -> None:
    rows = [f"c{number % 7},2024-01-{number % 28 + 1:02},{number}\n" for number in range(200)]
    whole, parts = Shop(tmp_path / "whole"), Shop(tmp_path / "parts")
    whole.folder.mkdir()
    (parts.folder / "in").mkdir(parents=True)
    whole.orders(ORDERS + "".join(rows))
    for place, chunk in enumerate((rows[150:], rows[:150])):
        (parts.folder / "in" / f"{place}.csv").write_text(ORDERS + "".join(reversed(chunk)))
    parts.orders("", path=str(parts.folder / "in"))
    assert whole.manifest() == parts.manifest()
    one, other = (each.folder / "var/snapshots/orders.parquet" for each in (whole, parts))
    assert one.read_bytes() == other.read_bytes()


def test_another_value_changes_the_fingerprint(shop: Shop) -> None:
    shop.orders(ORDERS + "a,2024-01-01,5\n")
    before = shop.manifest().fingerprint
    shop.orders(ORDERS + "a,2024-01-01,6\n")
    assert shop.manifest().fingerprint != before


FIELD = st.sampled_from(
    ["", "a", "b", "2024-01-01", "2030-01-01", "31/12/2024", "5", "-5", "1,5", "€5", "x y", "nan"]
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=12), guests=st.booleans())
def test_no_row_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory, rows: Sequence[Sequence[str]], guests: bool
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    lines = ["z,2024-01-01,1", *(";".join(row).replace(",", ".").replace(";", ",") for row in rows)]
    report = shop.orders(ORDERS + "\n".join(lines) + "\n", guests=guests)
    assert report.rows_read == len(lines)
    assert report.accepted + report.rejected + sum(report.set_aside.values()) == len(lines)
    assert len(shop.rows("1")) == report.accepted


def real(folder: Path, sources: Mapping[str, Any], **config: Any) -> IngestReport:
    settled = {"name": "real", "currency": "GBP", "workspace": folder, "sources": sources}
    return ingest(PipelineConfig.model_validate({**settled, **config}), now=NOW)


RETAIL = {
    "customer_id": "Customer ID",
    "ordered_at": "InvoiceDate",
    "order_id": "Invoice",
    "product_id": "StockCode",
    "quantity": "Quantity",
    "amount": "Quantity * Price",
}


def test_a_year_of_real_retail_lines_is_accounted_for(tmp_path: Path) -> None:
    path = str(shared_data("online-retail-year-one/lines.parquet"))
    source = {"path": path, "columns": RETAIL, "guests": True}
    report = real(tmp_path, {"orders": source}, timezone="Europe/London").table("orders")
    assert report.rows_read == 502_938
    assert dict(report.set_aside) == {"guests, without a customer": 100_207}
    assert (report.accepted, report.rejected) == (402_731, 0)
    assert report.last == datetime(2010, 11, 30, 19, 35, tzinfo=UTC)


def test_real_retail_lines_without_guests_stop_with_the_setting(tmp_path: Path) -> None:
    path = str(shared_data("online-retail-year-one/lines.parquet"))
    with pytest.raises(TooManyRejects, match=r"100,207 rows \(19\.9 %\).*orders\.guests: true"):
        real(tmp_path, {"orders": {"path": path, "columns": RETAIL}})


def test_the_cdnow_purchases_are_read_as_they_come(tmp_path: Path) -> None:
    columns = {"ordered_at": "date", "amount": "dollar_value", "quantity": "number_of_cds"}
    source = {"path": str(shared_data("cdnow/CDNOW_master.txt.gz")), "columns": columns}
    report = real(tmp_path, {"orders": source}, currency="USD")
    assert report.table("orders").accepted == 69_659
    assert report.watermark == datetime(1998, 7, 1, tzinfo=UTC)


def test_ravenstack_is_told_that_its_times_do_not_fit(tmp_path: Path) -> None:
    def source(name: str, **columns: str) -> dict[str, Any]:
        return {
            "path": str(shared_data(f"ravenstack/ravenstack_{name}.csv.gz")),
            "columns": columns,
        }

    report = real(
        tmp_path,
        {
            "customers": source("accounts", customer_id="account_id", signed_up_at="signup_date"),
            "subscriptions": source(
                "subscriptions",
                customer_id="account_id",
                started_at="start_date",
                ended_at="end_date",
                monthly_price="mrr_amount",
                auto_renew="auto_renew_flag",
            ),
            "events": source(
                "feature_usage",
                customer_id="subscription_id -> subscriptions",
                occurred_at="usage_date",
                event="feature_name",
            ),
            "tickets": source(
                "support_tickets",
                customer_id="account_id",
                opened_at="submitted_at",
                first_response_at="submitted_at + first_response_time_minutes minutes",
                resolved_at="closed_at",
            ),
        },
    )
    told = "\n".join(report.warnings)
    assert "tickets: 1,077 rows (53.9 %) are dated before their customer's signup" in told
    assert "events: 19,142 rows (76.6 %) happened before the start of the subscription" in told
    assert not any(table.rejected for table in report.tables)
