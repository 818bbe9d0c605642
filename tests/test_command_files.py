"""Files as companies have them, good and bad, through `setia check` and `setia init`."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.command import HEADER, buyers, setia, shop

GOOD = HEADER + "".join(f"c{n},2024-0{1 + n % 9}-05,{n}.5\n" for n in range(20))


def orders_of(config: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(
        config.parent / "var" / "snapshots" / "orders.parquet"
    ).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("", "is empty: it has neither a header nor rows", id="empty"),
        pytest.param(HEADER, "orders: a header without rows", id="header only"),
        pytest.param(random.Random(1).randbytes(4000), "is binary, not a CSV file", id="binary"),
        pytest.param(b"PK\x03\x04" + b"\0" * 99, "save the sheet as CSV", id="Excel"),
        pytest.param('[{"customer_id": 1}]', "is not a CSV file but JSON", id="JSON"),
        pytest.param("<!DOCTYPE html><p>Log in", "but a web page", id="web page"),
        pytest.param(
            GOOD.replace("amount", "total"),
            "nothing fills the required column 'amount'; set sources.orders.columns.amount to one "
            "of: customer_id, ordered_at, total",
            id="column missing",
        ),
        pytest.param(
            GOOD + "c1,05/06/2024,3\n" * 3,
            "have an unreadable ordered_at (first: '05/06/2024'); the column mixes formats",
            id="mixed dates",
        ),
        pytest.param(
            HEADER + "c1,23/04/2024,3\nc2,05/04/2024,4\n",
            "set sources.orders.date_format: '%d/%m/%Y'",
            id="day first",
        ),
        pytest.param(
            HEADER.replace(",", ";") + "c1;2024-03-05;1.000,50\nc2;2024-03-06;2.000,50\n",
            "they use ',' before the fraction; set sources.orders.decimal: ','",
            id="decimal commas",
        ),
        pytest.param(
            HEADER + "c1,2024-03-05,$ 10.50\n",
            "have an amount in another currency (first: '$ 10.50')",
            id="another currency",
        ),
        pytest.param(
            GOOD + ",2024-03-05,4\n", "have no customer_id; if these are guest", id="no id"
        ),
        pytest.param(
            GOOD + "c1,2999-03-05,4\n",
            "have an ordered_at in the future (first: '2999-03-05')",
            id="future",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_what_to_change(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    answer = setia("check", "-c", shop(tmp_path, content)).refused(said)
    assert "orders" in answer.err
    assert not (tmp_path / "var" / "snapshots").exists()


def test_a_wrong_delimiter_is_refused_with_the_right_one(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD, "delimiter: ';'")
    setia("check", "-c", config).refused("does not split on ';'", "set delimiter: ','")


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD.replace("c1,", "cé,").encode("latin-1"), "encoding: utf-8")
    setia("check", "-c", config).refused("is not utf-8; leave encoding out")


def test_a_folder_without_tables_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD)
    (tmp_path / "orders.csv").unlink()
    setia("check", "-c", config).refused("orders.csv does not exist; correct the path")
    (tmp_path / "orders.csv").mkdir()
    setia("check", "-c", config).refused("orders.csv is a folder without CSV or Parquet files")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_other_encodings_keep_their_letters(tmp_path: Path, encoding: str) -> None:
    config = shop(tmp_path, GOOD.replace("c1,", "José,").encode(encoding))
    setia("check", "-c", config).done()
    assert "José" in {row["customer_id"] for row in orders_of(config)}


def test_naive_and_zoned_times_become_one_clock(tmp_path: Path) -> None:
    """Ten o'clock in Jakarta is three in UTC, however it is written."""
    times = ("2024-03-01T10:00:00", "2024-03-01T03:00:00Z", "2024-03-01T05:00:00+02:00")
    content = HEADER + "".join(f"c{n},{time},3\n" for n, time in enumerate(times))
    config = shop(tmp_path, content, settings="timezone: Asia/Jakarta\n")
    setia("check", "-c", config).done()
    assert {str(row["ordered_at"]) for row in orders_of(config)} == {"2024-03-01 03:00:00+00:00"}


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (HEADER + 'c1,2024-03-05,"1,234.50"\n', ""),
        (HEADER + 'c1,2024-03-05,"€ 1,234.50"\n', ""),
        (HEADER.replace(",", ";") + "c1;2024-03-05;1.234,50\n", "decimal: ','"),
        (HEADER.replace(",", ";") + "c1;2024-03-05;1 234,50 €\n", "decimal: ','"),
    ],
)
def test_amounts_are_read_as_people_write_them(tmp_path: Path, content: str, source: str) -> None:
    config = shop(tmp_path, content, source)
    setia("check", "-c", config).done()
    assert [row["amount"] for row in orders_of(config)] == [1234.5]


def test_a_negative_quantity_is_a_return_and_counted(tmp_path: Path) -> None:
    header = "customer_id,ordered_at,amount,quantity\n"
    config = shop(tmp_path, header + "c1,2024-03-05,9,2\nc1,2024-03-08,-4.5,-1\n")
    answer = setia("check", "-c", config).done()
    assert "orders: 1 row: negative amounts or quantities read as returns" in answer.out
    returned = [row for row in orders_of(config) if row["is_return"]]
    assert [(row["amount"], row["refund_amount"]) for row in returned] == [(0.0, 4.5)]


def test_exact_copies_are_kept_and_told(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD + "c1,2024-02-05,1.5\n")
    answer = setia("check", "-c", config).done()
    assert "are exact copies of another and were kept" in answer.out


def test_a_repeated_ticket_is_rejected_and_json_still_says_why(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD, settings="  tickets:\n    path: tickets.csv\n")
    rows = "customer_id,ticket_id,opened_at\nc1,t1,2024-03-01\nc1,t1,2024-03-02\n"
    (tmp_path / "tickets.csv").write_text(rows)
    answer = setia("check", "-c", config, "--json").refused(
        "repeat the ticket_id of an earlier row (first: 't1')"
    )
    tables = {table["table"]: table for table in yaml.safe_load(answer.out)["tables"]}
    assert [each["code"] for each in tables["tickets"]["rejections"]] == ["duplicate_id"]


def test_a_value_that_looks_like_markup_or_an_emoji_is_shown_as_written(tmp_path: Path) -> None:
    config = shop(tmp_path, GOOD + "c1,2024-03-05,[b]:100:[/]\n")
    answer = setia("check", "-c", config).refused("an amount that is no number")
    assert answer.out.count("(first: '[b]:100:[/]')") == 1
    assert answer.err.count("(first: '[b]:100:[/]')") == 1


def test_init_guesses_day_first_dates_and_its_configuration_works(tmp_path: Path) -> None:
    rows = "".join(f"c{n};{10 + n}/03/2024;1.234,{n}\n" for n in range(20))
    (tmp_path / "sales.csv").write_text("Client ID;Order date;Total\n" + rows)
    answer = setia("init", tmp_path, "--orders", tmp_path / "sales.csv").done()
    assert "day-first order" in answer.out
    assert "run `setia check -c" in answer.out
    config = tmp_path / "pipeline.yaml"
    source = yaml.safe_load(config.read_text())["sources"]["orders"]
    assert (source["date_format"], source["decimal"]) == ("%d/%m/%Y", ",")
    setia("check", "-c", config).done()
    assert orders_of(config)[0]["amount"] == 1234.0


def test_init_without_a_required_column_names_it_and_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "paint.csv").write_text("shade,weight\n" + "".join(f"red,{n}\n" for n in range(30)))
    answer = setia("init", tmp_path, "--orders", tmp_path / "paint.csv").refused(
        "no column looks like customer_id, which is required; choose one of 'shade', 'weight'",
        "choose the columns of orders in it",
    )
    assert "ordered_at" in answer.out
    config = tmp_path / "pipeline.yaml"
    setia("check", "-c", config).refused("CHOOSE_A_COLUMN", "there are: shade, weight")


def test_init_leaves_out_a_second_file_it_cannot_use_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(buyers(30, 10, 60))
    (tmp_path / "paint.csv").write_text("shade,weight\nred,1\nblue,2\n")
    files = ("--orders", tmp_path / "orders.csv", "--tickets", tmp_path / "paint.csv")
    setia("init", tmp_path, *files).refused("tickets: no column looks like ticket_id")
    setia("check", "-c", tmp_path / "pipeline.yaml").done()


def test_init_asks_for_a_file_and_never_overwrites_unasked(tmp_path: Path) -> None:
    setia("init", tmp_path).refused("name at least one file, such as --orders", code=2)
    (tmp_path / "orders.csv").write_text(GOOD)
    again = ("init", tmp_path, "--orders", tmp_path / "orders.csv")
    setia(*again).done()
    (tmp_path / "pipeline.yaml").write_text("mine")
    setia(*again).refused("exists; add --force to overwrite it", code=2)
    assert (tmp_path / "pipeline.yaml").read_text() == "mine"
    setia(*again, "--force").done()
    assert "sources:" in (tmp_path / "pipeline.yaml").read_text()


def test_init_refuses_files_it_cannot_read_and_writes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "new"
    setia("init", place, "--orders", tmp_path / "nope.csv").refused("nope.csv does not exist")
    (tmp_path / "empty.csv").write_text(HEADER)
    setia("init", place, "--orders", tmp_path / "empty.csv").refused("holds no rows to guess from")
    setia("init", tmp_path / "empty.csv", "--orders", "x.csv").refused("is a file", code=2)
    assert not place.exists()
