from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import (
    TABLE_NAMES,
    PipelineConfig,
    SourceConfig,
    TableName,
    load_config,
)
from features.guess.guess import guess_sheet, guess_source
from features.guess.matching import read_sheet
from features.guess.starter import starter_config
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from tests.shared_data import shared_data

EXAMPLES = Path(__file__).parents[3] / "examples"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def started(folder: Path, **files: Path | str) -> tuple[str, PipelineConfig]:
    """The starter configuration for `files`, as text and as loaded from `folder`."""
    names: dict[str, TableName] = {table: table for table in files}  # type: ignore[misc]
    guesses = [guess_source(names[table], str(path)) for table, path in files.items()]
    text = starter_config("Toko Maju: cabang 1", guesses, folder)
    path = folder / "pipeline.yaml"
    path.write_text(text, encoding="utf-8")
    return text, load_config(path)


def orders(folder: Path, days: int, step: int = 10) -> Path:
    """Two customers buying every `step` days over `days` days from 2020 on."""
    from datetime import date, timedelta

    dates = [date(2020, 1, 1) + timedelta(days=day) for day in range(0, days + 1, step)]
    rows = [f"c{i},{day},{i}.50" for day in dates for i in (1, 2)]
    return write(folder / "orders.csv", "customer_id,order_date,amount", *rows)


def test_the_written_configuration_loads_and_holds_the_guess(tmp_path: Path) -> None:
    text, config = started(tmp_path, orders=orders(tmp_path, 700))
    assert config.name == "Toko Maju: cabang 1"
    assert config.sources["orders"].columns == {
        "customer_id": "customer_id",
        "ordered_at": "order_date",
        "amount": "amount",
    }
    assert config.sources["orders"].path == str(tmp_path / "orders.csv")
    assert "path: orders.csv" in text
    assert "currency: USD  # not stated in the data: check" in text
    assert "#   tickets: support experience" in text


@pytest.mark.parametrize(
    ("days", "churn", "clv"), [(1_100, 90, 365), (700, 90, 180), (300, 75, 75), (400, 90, 90)]
)
def test_horizons_fit_the_span_of_the_data(tmp_path: Path, days: int, churn: int, clv: int) -> None:
    _, config = started(tmp_path, orders=orders(tmp_path, days))
    assert config.churn.horizon_days == churn
    assert config.clv.horizon_days == clv
    assert config.churn.eligible_days <= days


def test_rare_buyers_get_a_longer_churn_horizon_and_are_told_why(tmp_path: Path) -> None:
    text, config = started(tmp_path, orders=orders(tmp_path, 1_200, step=120))
    assert config.churn.horizon_days == 180
    assert "come back do so after 120 days (median)" in text


def test_indonesian_headers_suggest_the_time_zone_of_jakarta(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "pelanggan;tanggal;nilai", "a;31/01/2024;Rp 15.000,00")
    text, config = started(tmp_path, orders=path)
    assert (config.timezone, config.currency) == ("Asia/Jakarta", "IDR")
    assert "unsure: only because the headers are Indonesian" in text
    assert config.sources["orders"].decimal == ","


def test_a_column_nobody_could_guess_is_left_to_choose(tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", "shade,order_date,amount", "red,2024-01-01,3.5")
    _, config = started(tmp_path, orders=path)
    assert config.sources["orders"].columns["customer_id"] == "CHOOSE_A_COLUMN"


def test_a_table_that_can_be_done_without_is_commented_out_when_it_lacks_a_key(
    tmp_path: Path,
) -> None:
    tickets = write(tmp_path / "t.csv", "ticket_id,opened_at", "1,2024-01-01")
    text, config = started(tmp_path, orders=orders(tmp_path, 400), tickets=tickets)
    assert list(config.sources) == ["orders"]
    assert "# Left out: tickets: no column looks like customer_id" in text


def test_a_wide_table_alone_becomes_the_column_label(tmp_path: Path) -> None:
    rows = [f"{i},{i * 1.5},{('a', 'b')[i % 2]},{('Yes', 'No')[i % 2]}" for i in range(9)]
    path = write(tmp_path / "c.csv", "customerID,tenure,Contract,Churn", *rows)
    _, config = started(tmp_path, customers=path)
    assert (config.churn.label, config.churn.column) == ("column", "Churn")
    assert config.sources["customers"].attributes == {
        "tenure": "numeric",
        "Contract": "category",
        "Churn": "category",
    }


def test_attributes_beside_orders_stay_commented_out_lest_they_tell_the_future(
    tmp_path: Path,
) -> None:
    customers = write(tmp_path / "c.csv", "customer_id,churn_flag", "c1,yes", "c2,no")
    text, config = started(tmp_path, orders=orders(tmp_path, 400), customers=customers)
    assert config.sources["customers"].attributes == {}
    assert "#   churn_flag: category  # the outcome itself" in text


def test_subscriptions_make_churn_the_end_of_a_subscription(tmp_path: Path) -> None:
    path = write(
        tmp_path / "s.csv",
        "customer_id,subscription_id,started_at,ended_at,mrr",
        "a,1,2023-01-01,,9.5",
        "b,2,2024-01-01,2024-05-01,9.5",
    )
    text, config = started(tmp_path, subscriptions=path)
    assert config.churn.label == "subscription"
    assert "without orders there is no value model" in text


def test_a_password_in_a_url_is_never_written() -> None:
    sheet = read_sheet("orders", ("customer_id", "date", "amount"), [("a", "2024-01-01", "1.5")])
    source = SourceConfig(url="postgresql://me:hunter2@host/shop", table="sales")
    text = starter_config("shop", [guess_sheet(sheet, source)], Path())
    assert "hunter2" not in text
    assert "url: ${SETIA_ORDERS_URL}" in text


def test_awkward_headers_are_quoted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.csv",
        '"Customer: id #",date,"yes",amount',
        "a,2024-01-01,1,2.5",
        "b,2024-01-20,1,3",
    )
    _, config = started(tmp_path, orders=path)
    assert config.sources["orders"].columns["customer_id"] == "Customer: id #"


def test_what_is_guessed_ingests_without_an_edit(tmp_path: Path) -> None:
    path = write(
        tmp_path / "penjualan.csv",
        "no_faktur;id_pelanggan;tgl_transaksi;kuantitas;harga",
        "F1;C1;31/01/2024 08:15;2;Rp 12.500,50",
        "F2;C2;02/02/2024 09:30;-1;Rp 12.500,50",
        "F3;;03/02/2024 09:30;1;Rp 12.500,50",
    )
    _, config = started(tmp_path, orders=path)
    report = ingest(config)
    assert (report.tables[0].rows_read, report.tables[0].accepted) == (3, 2)
    amounts = open_snapshot(config.workspace / "snapshots").connection.execute(
        "SELECT customer_id, amount, refund_amount, strftime(ordered_at, '%Y-%m-%d %H:%M') "
        "FROM orders ORDER BY customer_id"
    )
    assert amounts.fetchall() == [
        ("C1", 25_001.0, None, "2024-01-31 01:15"),
        ("C2", 0.0, 12_500.5, "2024-02-02 02:30"),
    ]


def test_cdnow_is_guessed_and_ingested_whole(tmp_path: Path) -> None:
    path = shared_data("cdnow/CDNOW_master.txt.gz")
    text, config = started(tmp_path, orders=path)
    assert "unsure" not in text.split("columns:")[1]
    assert ingest(config).tables[0].accepted == 69_659


@pytest.mark.parametrize("example", ["cdnow", "online-retail", "ravenstack"])
def test_an_example_says_what_its_data_says(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETIA_DATA", str(shared_data()))
    config = load_config(EXAMPLES / example / "pipeline.yaml")
    for table, source in config.sources.items():
        guess = guess_source(table, str(source.path))
        assert guess.source.columns.items() <= source.columns.items()
        assert (guess.source.date_format, guess.source.guests) == (
            source.date_format,
            source.guests,
        )


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(["2024-01-31", "31/12/2024", "01/02/24", "1.500", "1,5", "-3", "Rp 5", "yes"]),
)


@settings(max_examples=60, deadline=None)
@given(
    table=st.sampled_from(TABLE_NAMES),
    headers=st.lists(
        st.one_of(
            st.text(max_size=15).filter(lambda text: all(ord(c) < 0xD800 for c in text)),
            st.sampled_from(["customer_id", "date", "qty", "price", "total", "Churn", "score"]),
        ),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    data=st.data(),
)
def test_any_file_gives_yaml_that_says_what_was_guessed(
    table: TableName, headers: list[str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(headers)), min_size=1, max_size=8))
    guess = guess_sheet(read_sheet(table, headers, rows), SourceConfig(path="file.csv"))
    document = yaml.safe_load(starter_config("any", [guess], Path()))
    written = document["sources"][table]["columns"] or {}
    assert {k: v for k, v in written.items() if v != "CHOOSE_A_COLUMN"} == guess.source.columns
