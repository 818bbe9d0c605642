"""Files and databases are read whole and as text, or refused with what to change."""

import gzip
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.config import SourceConfig
from features.sources.source import RawTable, SourceError, open_source, sample_source
from tests.postgres_server import postgres_server

HEADER = "customer_id,ordered_at,amount\n"


class Opened:
    """A source opened on its own connection."""

    def __init__(self, source: SourceConfig, scratch: Path) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.raw: RawTable = open_source(self.connection, "orders", source, scratch)

    def rows(self) -> list[tuple[object, ...]]:
        """Rows in file order, without their file."""
        return self.connection.execute(
            f"SELECT * EXCLUDE source_file FROM {self.raw.relation} "
            "ORDER BY source_file, source_row"
        ).fetchall()

    def broken(self) -> list[tuple[object, ...]]:
        """Broken lines in file order."""
        return self.connection.execute(
            f"SELECT source_row, problem, line FROM {self.raw.broken} ORDER BY ALL"
        ).fetchall()


def opened(path: Path, **settings: object) -> Opened:
    source = SourceConfig.model_validate({"path": str(path), **settings})
    with tempfile.TemporaryDirectory() as scratch:
        return Opened(source, Path(scratch))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "   "])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "orders.txt"
    lines = [["customer_id", "ordered_at", "amount"], ["a", "2024-01-01", "5"]]
    path.write_text("\n".join(delimiter.join(line) for line in lines))
    assert opened(path).rows() == [(2, "a", "2024-01-01", "5")]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes((HEADER + "Zoë,2024-01-01,5\n").encode(encoding))
    found = opened(path)
    assert found.raw.columns == ("customer_id", "ordered_at", "amount")
    assert found.rows() == [(2, "Zoë", "2024-01-01", "5")]


def test_a_late_byte_that_is_not_utf8_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = "".join(f"c{number},2024-01-01,5\n" for number in range(20_000))
    path.write_bytes((HEADER + rows).encode() + "Zoë,2024-01-01,5\n".encode("cp1252"))
    assert opened(path).rows()[-1] == (20_002, "Zoë", "2024-01-01", "5")


def test_gzip_is_read_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(gzip.compress((HEADER + "a,2024-01-01,5\n").encode()))
    assert opened(path).rows() == [(2, "a", "2024-01-01", "5")]


def test_quotes_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('customer_id,text\r\na,"x, ""y""\nz"\r\nb,5" screen\r\n')
    assert opened(path).rows() == [(2, "a", 'x, "y"\nz'), (3, "b", '5" screen')]


def test_lines_that_do_not_split_are_kept_as_broken(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "a,2024-01-01,5\nb,2024-01-01\nc,2024-01-01,5,6,7\nd,2024-01-01,5\n")
    found = opened(path)
    assert found.rows() == [(2, "a", "2024-01-01", "5"), (5, "d", "2024-01-01", "5")]
    assert found.broken() == [
        (3, "missing columns", "b,2024-01-01"),
        (4, "too many columns", "c,2024-01-01,5,6,7"),
    ]


def test_row_numbers_hold_in_a_long_file_with_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    lines = [f"{row},x" if row % 1000 else f"{row},x,y" for row in range(2, 30_002)]
    path.write_text("n,v\n" + "\n".join(lines))
    found = opened(path)
    assert all(row == int(str(number)) for row, number, _ in found.rows())
    assert [row for row, _, _ in found.broken()] == list(range(1000, 30_001, 1000))


def test_a_quote_that_swallows_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + 'a,2024-01-01,"5\n' + "b,2024-01-01,5\n" * 2000)
    with pytest.raises(SourceError, match="line 2: a quote opens and swallows"):
        opened(path)


def test_a_header_alone_gives_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER)
    found = opened(path)
    assert found.raw.columns == ("customer_id", "ordered_at", "amount")
    assert found.rows() == []


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"orders: .*orders\.csv is empty"):
        opened(path)


def test_a_wrong_delimiter_names_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer_id;ordered_at;amount\na;2024-01-01;5\n")
    with pytest.raises(SourceError, match=r"does not split on ','.*set delimiter: ';'"):
        opened(path, delimiter=",")


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes((HEADER + "Zoë,2024-01-01,5\n").encode("latin-1"))
    with pytest.raises(SourceError, match="is not utf-8; leave encoding out"):
        opened(path, encoding="utf-8")
    with pytest.raises(SourceError, match="unknown encoding 'utf-9'"):
        opened(path, encoding="utf-9")


def test_a_cut_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "a,2024-01-01,5\n" * 500).encode())[:-20])
    with pytest.raises(SourceError, match="damaged or cut off"):
        opened(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\x00\x01\x02\xff\x00\x00" * 50, "is binary"),
        (b"SQLite format 3\x00", "SQLite database"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        opened(path)


def test_a_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"orders: .*cannot be read"):
        opened(path)


def test_a_path_with_nothing_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"nowhere\.csv does not exist"):
        opened(tmp_path / "nowhere.csv")
    with pytest.raises(SourceError, match="no file matches"):
        opened(tmp_path / "*.csv")
    with pytest.raises(SourceError, match="a folder without CSV or Parquet"):
        opened(tmp_path / "empty")


def test_parquet_comes_as_text_with_its_types_remembered(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {"id": [1.0, None], "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 2, "x": ["a", "b"]}
    )
    pq.write_table(table, path)
    found = opened(path)
    assert found.raw.typed == {"id", "at"}
    assert found.rows() == [
        (1, "1.0", "2024-01-01 00:00:00+00", "a"),
        (2, None, "2024-01-01 00:00:00+00", "b"),
    ]


def test_partitioned_folders_and_globs_are_read_together(tmp_path: Path) -> None:
    for region in ("007", "8"):
        folder = tmp_path / "orders" / f"region={region}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": [region]}), folder / "part.parquet")
    assert opened(tmp_path / "orders").rows() == [(1, "007", "007"), (1, "8", "8")]
    assert len(opened(tmp_path / "orders" / "*" / "part.parquet").rows()) == 2


def test_csv_files_of_a_glob_may_differ_in_dialect_and_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,2\n")
    (tmp_path / "b.csv").write_bytes("id;y\n3;é\n".encode("utf-16"))
    found = opened(tmp_path / "*.csv")
    assert found.raw.columns == ("id", "x", "y")
    assert found.rows() == [(2, "1", "2", None), (2, "3", None, "é")]


def test_a_header_name_that_comes_twice_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,ID,\n1,2,3\n")
    assert opened(path).raw.columns == ("id", "ID_2", "column_3")


def test_a_sample_gives_the_first_rows_and_the_dialect(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id;x\n1;\n2;b\n3;c\n", encoding="utf-8")
    sample = sample_source(SourceConfig(path=str(path)), rows=2)
    assert sample.columns == ("id", "x")
    assert sample.rows == [("1", None), ("2", "b")]
    assert (sample.delimiter, sample.encoding, sample.total_rows) == (";", "utf-8", None)
    assert sample_source(SourceConfig(path=str(path))).total_rows == 3


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE orders (id INTEGER, "at" TEXT, amount REAL, note TEXT)')
        rows = [(number, "2024-01-01", number / 2, None) for number in range(1, 4)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
        database.execute("CREATE VIEW big AS SELECT * FROM orders WHERE amount > 1")
    database.close()
    return f"sqlite:///{path}"


def test_an_sqlite_table_is_read(tmp_path: Path, sqlite_url: str) -> None:
    found = Opened(SourceConfig(url=sqlite_url, table="orders"), tmp_path)
    assert found.rows()[1] == (2, "2", "2024-01-01", "1.0", None)
    assert found.raw.typed == {"id", "amount"}


def test_an_sqlite_view_is_read(tmp_path: Path, sqlite_url: str) -> None:
    assert len(Opened(SourceConfig(url=sqlite_url, table="big"), tmp_path).rows()) == 1


def test_an_unknown_table_names_the_nearest(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(SourceError, match="no table 'order'; did you mean 'orders'"):
        Opened(SourceConfig(url=sqlite_url, table="order"), tmp_path)


def test_a_missing_sqlite_file_is_refused_and_not_created(tmp_path: Path) -> None:
    source = SourceConfig(url=f"sqlite:///{tmp_path}/none.db", table="orders")
    with pytest.raises(SourceError, match=r"none\.db does not exist"):
        Opened(source, tmp_path)
    assert not (tmp_path / "none.db").exists()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("runtime")) as url:
        with psycopg.connect(url) as connection:
            connection.execute(
                "CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint, at timestamptz, "
                "day date, amount numeric(12, 2), paid boolean, note text)"
            )
            connection.execute(
                "INSERT INTO shop.orders SELECT n, '2024-01-01 07:00+07', '2024-01-02', n / 4.0, "
                "n % 2 = 0, 'é' FROM generate_series(1, 45000) n"
            )
            connection.execute("CREATE TABLE shop.nothing (id bigint)")
        yield url


def test_a_postgres_table_is_read_in_batches(tmp_path: Path, postgres_url: str) -> None:
    rows = Opened(SourceConfig(url=postgres_url, table="shop.orders"), tmp_path).rows()
    assert len(rows) == 45_000
    assert rows[44_999] == (
        45_000, "45000", "2024-01-01 00:00:00+00:00", "2024-01-02", "11250.00", "True", "é",
    )  # fmt: skip


def test_an_empty_postgres_table_keeps_its_columns(tmp_path: Path, postgres_url: str) -> None:
    found = Opened(SourceConfig(url=postgres_url, table="shop.nothing"), tmp_path)
    assert (found.raw.columns, found.rows()) == (("id",), [])


def test_a_sample_of_a_postgres_table_is_short(postgres_url: str) -> None:
    sample = sample_source(SourceConfig(url=postgres_url, table="shop.orders"), rows=10)
    assert len(sample.rows) == 10
    assert sample.total_rows is None


def test_a_database_out_of_reach_is_refused_without_the_password(tmp_path: Path) -> None:
    source = SourceConfig(url="postgresql://me:s3cret@127.0.0.1:1/none", table="orders")
    with pytest.raises(SourceError, match="cannot be read") as refused:
        Opened(source, tmp_path)
    assert "s3cret" not in str(refused.value)
