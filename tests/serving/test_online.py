"""The online snapshot: what batch writes is what serving reads."""

import io
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
from pyarrow import parquet

from serving.at_risk import LIST_COLUMNS
from serving.online import ListFilter, OnlineError, OnlineSnapshot
from serving.scoring import score_record
from tests.serving.scored_company import NOW, Company, publish, score_company


@pytest.fixture
def snapshot(company: Company) -> OnlineSnapshot:
    return OnlineSnapshot(company.workspace / "scores" / "online.db")


def test_every_customer_is_found_with_its_features_and_score_to_the_bit(
    company: Company, snapshot: OnlineSnapshot
) -> None:
    for score, row in zip(company.scores, company.X, strict=True):
        found = snapshot.find(score.customer_id)
        assert found is not None
        assert found.features.tobytes() == np.ascontiguousarray(row).tobytes()
        record = score_record(score, f"snap_20260102T030405000000_{found.rank}")
        assert orjson.loads(found.score) == orjson.loads(orjson.dumps(record))


def test_an_unknown_customer_is_not_found(snapshot: OnlineSnapshot) -> None:
    assert snapshot.find("c_9999") is None
    assert snapshot.find("' OR 1=1 --") is None


def test_many_are_found_at_once_as_one_by_one(company: Company, snapshot: OnlineSnapshot) -> None:
    ids = [score.customer_id for score in company.scores]
    found = snapshot.find_many([*ids, ids[0], "nobody", "c_0000\0"])
    assert sorted(found) == sorted(ids)
    for customer_id in ids[::17]:
        alone = snapshot.find(customer_id)
        assert alone is not None
        assert found[customer_id].score == alone.score
        assert found[customer_id].features.tobytes() == alone.features.tobytes()
    assert snapshot.find_many([]) == {}


def test_the_parquet_export_holds_the_list(company: Company, snapshot: OnlineSnapshot) -> None:
    table = parquet.read_table(io.BytesIO(b"".join(snapshot.parquet())))
    assert tuple(table.column_names) == LIST_COLUMNS
    listed = [orjson.loads(score) for _, score in snapshot.page(ListFilter(), 0, 1_000)]
    assert table["customer_id"].to_pylist() == [score["customer_id"] for score in listed]
    assert table["value_at_risk"].to_pylist() == [score["value_at_risk"] for score in listed]
    assert table["rank"].to_pylist() == list(range(1, 301))


def test_a_file_of_an_older_layout_is_refused(tmp_path: Path) -> None:
    score_company(tmp_path, customers=5)
    path = tmp_path / "scores" / "online.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE customers DROP COLUMN timing")
    with pytest.raises(OnlineError, match="run `setia score` again"):
        OnlineSnapshot(path)


@pytest.mark.parametrize(
    "filters",
    [
        ListFilter(),
        ListFilter(tier="high"),
        ListFilter(min_value=20.0),
        ListFilter(min_probability=0.45),
        ListFilter(tier="medium", min_value=15.0, min_probability=0.4),
        ListFilter(min_value=1e9),
        ListFilter(min_value=-1.0),
    ],
)
def test_pages_hold_exactly_the_customers_that_pass_the_filters_in_order(
    company: Company, snapshot: OnlineSnapshot, filters: ListFilter
) -> None:
    expected = sorted(
        (
            s
            for s in company.scores
            if filters.tier in (None, s.risk_tier)
            and (filters.min_value is None or s.value_at_risk >= filters.min_value)
            and (filters.min_probability is None or s.churn_probability >= filters.min_probability)
        ),
        key=lambda s: (s.risk_tier == "low", -s.value_at_risk, s.customer_id),
    )
    read: list[tuple[int, bytes]] = []
    while page := snapshot.page(filters, read[-1][0] if read else 0, 7):
        read += page
    ids = [orjson.loads(score)["customer_id"] for _, score in read]
    assert ids == [s.customer_id for s in expected]


def test_a_reader_keeps_the_file_it_opened_while_a_new_one_takes_its_place(
    tmp_path: Path,
) -> None:
    company = score_company(tmp_path, customers=30)
    path = tmp_path / "scores" / "online.db"
    before = OnlineSnapshot(path)
    score_company(tmp_path, customers=10, now=NOW + timedelta(days=1))
    after = OnlineSnapshot(path)
    assert (before.about.customers, after.about.customers) == (30, 10)
    assert len(before.page(ListFilter(), 0, 100)) == 30
    assert before.find("c_0029") is not None
    assert after.find("c_0029") is None
    assert [file.name for file in path.parent.iterdir()] == ["online.db"]
    assert company.scores[29].customer_id == "c_0029"


def test_a_run_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    company = score_company(tmp_path, customers=10)
    twice = Company(
        tmp_path,
        company.bundle,
        company.serving,
        np.concatenate([company.X, company.X]),
        company.scores * 2,
    )
    with pytest.raises(sqlite3.IntegrityError):
        publish(twice)
    assert OnlineSnapshot(tmp_path / "scores" / "online.db").about.customers == 10
    assert [file.name for file in (tmp_path / "scores").iterdir()] == ["online.db"]


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OnlineError, match="run `setia score`"):
        OnlineSnapshot(tmp_path / "online.db")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_text("not a database, but long enough to be read as one" * 9)
    with pytest.raises(OnlineError, match="is no snapshot"):
        OnlineSnapshot(tmp_path / "online.db")
