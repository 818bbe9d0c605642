"""Rows given in a call become what ingest makes of the same rows in a file."""

import csv
import io
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from features.config import ChurnConfig
from features.contracts import TABLES
from features.ingest.normalise import choice_of, choice_value, cleaned, cleaned_text, time_value
from features.live.admission import Admission, RowsRefused
from features.live.eligible import is_eligible
from features.live.readings import instant
from features.live.rows import History
from features.live.shape import CompanyShape
from features.text.reading import with_text_read
from tests.features.ingest.shop import NOW, Shop

Row = dict[str, Any]

ZONE = "America/New_York"
KEYS = {
    "orders": "order_id",
    "tickets": "ticket_id",
    "surveys": "ticket_id",
    "events": "session_id",
}
SCALES = {"csat": (0.0, 100.0), "ces": (1.0, 5.0)}
TIMES = (
    "2025-03-04",
    "2025-03-04T10:15:00+07:00",
    "2025-03-04 23:30:00",
    "2025-03-09 02:30:00",
    "2025-11-02 01:30:00",
    "2025-03-04T10:15:00.123456Z",
    "2025-03-04 18:00:00+0700",
    "N/A",
)
WORDS = ("", " ", "n/a", "NA", "toko", "Delivery late", "\u00a0x ", "null", "None", "a,b", "é")
CHANNELS = ("WhatsApp", "Live Chat", "in-person", "fax", "EMAIL", "n/a", "walk in")


def shape(**members: Any) -> CompanyShape:
    return CompanyShape.model_validate(
        {
            "timezone": ZONE,
            "columns": {name: table.names for name, table in TABLES.items()},
            "attributes": {"age": "numeric", "city": "category"},
            "scales": SCALES,
            "largest": {},
            "churn": ChurnConfig(),
            **members,
        }
    )


def admit(
    table: str, *rows: Row, company: CompanyShape | None = None
) -> Sequence[Mapping[str, Any]]:
    return Admission(company or shape())("ana", {table: rows}, NOW)[table]


def refused(table: str, *rows: Row, company: CompanyShape | None = None) -> dict[str, str]:
    """Column to what is said of it, for rows that break the contract."""
    with pytest.raises(RowsRefused) as error:
        admit(table, *rows, company=company)
    return {fault.column: fault.detail for fault in error.value.faults}


def random_order(dice: random.Random, number: int) -> Row:
    return {
        "ordered_at": dice.choice(TIMES[:-1]),
        "order_id": f"{number}.0" if number % 5 == 0 else f"o{number}",
        "amount": dice.choice([-20.5, 0.0, 19.99, 1e6]),
        "quantity": dice.choice([-1.0, 1.0, 2.5, None]),
        "margin": dice.choice([-3.0, 4.0, None]),
        "discount": dice.choice([0.5, None]),
        "category": dice.choice(WORDS),
        "channel": dice.choice(WORDS),
        "refunded_at": dice.choice([None, "2025-12-01", "N/A"]),
        "refund_amount": dice.choice([None, 3.25]),
    }


def random_event(dice: random.Random, number: int) -> Row:
    return {
        "occurred_at": dice.choice(TIMES[:-1]),
        "event": dice.choice(["login", " export ", "NA"]),
        "session_id": f"e{number}",
        "value": dice.choice([1.5, -2.0, None]),
    }


def random_ticket(dice: random.Random, number: int) -> Row:
    return {
        "ticket_id": f"t{number}",
        "opened_at": "2025-03-04T10:15:00-05:00",
        # A bare date of the same local day is read as the moment of opening.
        "first_response_at": dice.choice([None, "2025-03-04", "2025-03-05", "2025-03-04 11:00"]),
        "resolved_at": dice.choice([None, "2025-03-04", "2025-04-01T00:00:00Z"]),
        "channel": dice.choice(CHANNELS),
        "category": dice.choice(WORDS),
        "contacts": dice.choice([1.0, None]),
        "text": dice.choice([None, "Barang belum sampai, tolong bantu", "Great service, thanks"]),
    }


def random_survey(dice: random.Random, number: int) -> Row:
    kind = dice.choice(["nps", "CSAT", "customer effort"])
    return {
        "kind": kind,
        "ticket_id": f"s{number}",
        "sent_at": "2025-05-01",
        "answered_at": dice.choice([None, "2025-05-01", "2025-05-02 08:00"]),
        "score": dice.choice([None, 1.0, 4.0]) if kind != "CSAT" else dice.choice([0.0, 73.0]),
        "text": dice.choice([None, "bagus"]),
    }


RANDOM = {
    "orders": random_order,
    "events": random_event,
    "tickets": random_ticket,
    "surveys": random_survey,
}


@pytest.mark.parametrize("seed", [1, 2])
def test_rows_of_a_call_are_shaped_as_ingest_shapes_the_same_file(
    seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    tables = {
        name: [{"customer_id": "ana", **row(dice, number)} for number in range(120)]
        for name, row in RANDOM.items()
    }
    shop = Shop(tmp_path)
    sources = {"surveys": {"scales": SCALES}}
    report = shop.ingest(
        {name: written(rows) for name, rows in tables.items()}, sources, timezone=ZONE
    )
    assert {table.table: table.rejected for table in report.tables} == dict.fromkeys(RANDOM, 0)
    admitted = Admission(shape())("ana", tables, NOW)
    for name, key in KEYS.items():
        names = [column.name for column in TABLES[name].kept]
        names += ["is_return"] if name == "orders" else []
        batch = {row[key]: row for row in in_snapshot(tmp_path, name)}
        for given in admitted[name]:
            row = with_text_read(given)
            assert {each: row.get(each) for each in names} == {
                each: batch[row[key]][each] for each in names
            }
        assert len(admitted[name]) == len(batch)


def written(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    file = csv.DictWriter(out, list(rows[0]))
    file.writeheader()
    file.writerows(rows)
    return out.getvalue()


def in_snapshot(folder: Path, table: str) -> list[Row]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return (
            connection.execute(f"SELECT * FROM '{folder}/var/snapshots/{table}.parquet'")
            .to_arrow_table()
            .to_pylist()
        )


@pytest.mark.parametrize("hour", range(5))
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Jakarta"])
@pytest.mark.parametrize("day", ["2025-03-09", "2025-03-30", "2025-10-26", "2025-11-02"])
def test_a_wall_time_is_the_instant_the_engine_takes_it_for(day: str, zone: str, hour: int) -> None:
    text = f"{day} {hour:02}:30:00"
    with duckdb.connect() as connection:
        query = "SELECT epoch_us(timezone(?, CAST(? AS TIMESTAMP)))"
        (microseconds,) = connection.execute(query, [zone, text]).fetchall()[0]
    assert instant(text, ZoneInfo(zone)) == datetime.fromtimestamp(microseconds / 1e6, UTC)


@pytest.mark.parametrize("seconds", ["", ":00", ":30.5"])
@pytest.mark.parametrize("clock", ["2026-01-01T10:05", "2026-01-01 23:59"])
@pytest.mark.parametrize("offset", ["", "Z", "+07:00", "+0700", "+07", "-03:30"])
def test_an_iso_time_is_the_instant_that_ingest_reads(
    clock: str, seconds: str, offset: str
) -> None:
    text = f"{clock}{seconds}{offset}"
    with duckdb.connect() as connection:
        query = f"SELECT epoch_us({time_value('t', 'Asia/Jakarta', None)}) FROM (SELECT ? AS t)"
        (microseconds,) = connection.execute(query, [text]).fetchall()[0]
    found = instant(text, ZoneInfo("Asia/Jakarta"))
    assert found == datetime.fromtimestamp(microseconds / 1e6, UTC)


def test_missing_words_and_choices_are_those_of_ingest() -> None:
    channel = TABLES["tickets"].column("channel")
    cells = [*WORDS, *CHANNELS, "Web-Form", "call / center", "  -  ", "#N/A", "longer than a word"]
    with duckdb.connect() as connection:
        for cell in cells:
            for kind in ("text", "choice"):
                query = f"SELECT {cleaned('$1', kind)}"
                assert connection.execute(query, [cell]).fetchall() == [(cleaned_text(cell, kind),)]
            query = f"SELECT {choice_value('CAST($1 AS VARCHAR)', channel)}"
            assert connection.execute(query, [cell]).fetchall() == [(choice_of(cell, channel),)]


def test_a_return_is_a_refund_of_the_moment_it_was_booked() -> None:
    (row,) = admit("orders", {"ordered_at": "2025-03-04T05:00:00Z", "amount": -12.5})
    assert (row["amount"], row["refund_amount"], row["is_return"]) == (0.0, 12.5, True)
    assert row["refunded_at"] == row["ordered_at"] == datetime(2025, 3, 4, 5, tzinfo=UTC)


def test_a_score_on_the_companys_scale_is_moved_to_the_standard_one() -> None:
    (row,) = admit("surveys", {"kind": "csat", "answered_at": "2025-03-04", "score": 75.0})
    assert row["score"] == 4.0


def test_every_value_that_breaks_the_contract_is_named_with_what_would_be_right() -> None:
    good = {"ordered_at": "2025-03-04", "amount": 5.0}
    assert refused("orders", {**good, "ammount": 5.0}) == {
        "ammount": "not a column of orders; did you mean 'amount'?"
    }
    assert refused("orders", {"ordered_at": "yesterday", "amount": 5.0}) == {
        "ordered_at": "'yesterday' is not a time; write it as 2026-06-29T10:30:00+07:00 or "
        "2026-06-29"
    }
    assert refused("orders", {**good, "ordered_at": "2025-02-30"})["ordered_at"].startswith("'2025")
    assert refused("orders", {**good, "ordered_at": "2026-01-02"}) == {
        "ordered_at": "2026-01-02T05:00:00+00:00 lies in the future; send it once it has happened"
    }
    assert "no date" in refused("orders", {**good, "ordered_at": "1970-01-01T00:00Z"})["ordered_at"]
    assert refused("orders", {"amount": 5.0, "ordered_at": "n/a"}) == {
        "ordered_at": "every row of orders needs it"
    }
    assert refused("orders", {**good, "refunded_at": "2025-03-01"})["refunded_at"] == (
        "2025-03-01T05:00:00+00:00 is before ordered_at, 2025-03-04T05:00:00+00:00"
    )
    assert refused("orders", {**good, "customer_id": "bob"}) == {
        "customer_id": "'bob' is another customer than 'ana'"
    }
    assert refused("surveys", {"kind": "nps", "score": 11.0, "answered_at": "2025-03-04"}) == {
        "score": "nps goes from 0 to 10, not 11"
    }
    assert refused("surveys", {"kind": "stars", "sent_at": "2025-03-04"}) == {
        "kind": "'stars' is none of: nps, csat, ces"
    }
    assert refused("surveys", {"kind": "nps", "score": 9.0}) == {
        "sent_at": "one of sent_at and answered_at is needed"
    }
    ticket = {"ticket_id": "t", "opened_at": "2025-03-04"}
    assert refused("tickets", {**ticket, "contacts": 1.5}) == {
        "contacts": "1.5 is not a whole number"
    }
    assert refused("tickets", ticket, ticket) == {
        "ticket_id": "'t' is given twice; send each row once, as it stands now"
    }


def test_an_amount_far_beyond_the_companys_largest_is_refused() -> None:
    company = shape(largest={"orders": {"amount": 250.0}})
    rows = [{"ordered_at": "2025-03-04", "amount": amount} for amount in (2_500.0, -2_500.0)]
    assert len(admit("orders", *rows, company=company)) == 2
    too_much = {"ordered_at": "2025-03-04", "amount": 1e9}
    assert refused("orders", too_much, company=company) == {
        "amount": "1e+09 is not between -2500 and 2500, 10 times the largest the company has had"
    }


def test_what_the_company_has_no_data_of_is_refused_since_the_model_never_saw_it() -> None:
    company = shape(columns={"orders": ("customer_id", "ordered_at", "amount")})
    order = {"ordered_at": "2025-03-04", "amount": 5.0, "margin": 1.0}
    assert refused("orders", order, company=company) == {
        "margin": "this company's orders have no margin, so the model knows none; leave it out"
    }
    event = {"occurred_at": "2025-03-04", "event": "login"}
    assert "no events" in refused("events", event, company=company)["event"]


def test_attributes_of_a_customer_are_read_as_the_configuration_says() -> None:
    (row,) = admit("customers", {"age": 41.0, "city": " Bandung ", "segment": "home"})
    assert (row["age"], row["city"]) == (41.0, "Bandung")
    assert refused("customers", {"age": "old", "city": 7.0}) == {
        "age": "'old' is not a number",
        "city": "7.0 is not text",
    }


def test_eligible_are_those_whom_the_nightly_run_asks_about() -> None:
    cutoff = datetime(2025, 6, 1, 4, tzinfo=UTC)

    def asked(label: str, company: Row, **rows: list[Row]) -> bool:
        of = shape(churn={"label": label, "eligible_days": 10, **company})
        return is_eligible(History(rows, cutoff, ZoneInfo(ZONE)), cutoff, of)

    day, before = datetime(2025, 5, 22, 4, tzinfo=UTC), datetime(2025, 5, 22, 3, tzinfo=UTC)
    assert asked("inactivity", {}, orders=[{"ordered_at": day}])
    assert not asked("inactivity", {}, orders=[{"ordered_at": before}])
    assert not asked("inactivity", {}, orders=[{"ordered_at": cutoff}])
    assert not asked("inactivity", {}, orders=[{"ordered_at": day, "is_return": True}])
    assert asked("inactivity", {"activity": "events"}, events=[{"occurred_at": day}])
    assert asked("subscription", {}, subscriptions=[{"started_at": before, "ended_at": None}])
    assert asked("subscription", {}, subscriptions=[{"started_at": before, "ended_at": cutoff}])
    assert not asked("subscription", {}, subscriptions=[{"started_at": before, "ended_at": day}])
    assert asked("column", {})
