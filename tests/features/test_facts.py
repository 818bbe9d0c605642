"""Kept facts: the same bits as facts made anew, and made anew only where something changed."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pydantic import ValidationError

from features.catalogue import ALL
from features.compile import sources_of
from features.config import PipelineConfig, SourceConfig
from features.day_digests import day_digests, first_changed_day, write_day_digests
from features.engine import configured_snapshot
from features.facts import REOPENED_DAYS, grows_by_day, provide_facts
from features.ingest.run import ingest
from features.snapshot import Snapshot, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table, supported_features, write_features
from features.windows import day_number

Rows = list[dict[str, Any]]
Tables = dict[str, Rows]
MakeSnapshot = Callable[..., Snapshot]
RandomCompany = Callable[[int, int], Tables]

LAST = datetime(2024, 7, 31, tzinfo=UTC)
"""The last whole day of the random company; the watermark is the day after."""
END = LAST + timedelta(days=1)
GROWING = {"purchase_days", "basket", "usage_days", "event_kinds"}


class Nights:
    """One workspace through several nights: each brings a snapshot and keeps the same facts."""

    def __init__(self, make: MakeSnapshot, folder: Path, timezone: str = "UTC") -> None:
        self.make, self.folder, self.timezone = make, folder, timezone
        self.facts = folder / "facts"
        self.count = 0

    def bring(self, tables: Tables) -> Snapshot:
        self.count += 1
        place = self.folder / f"night{self.count}"
        filled = {name: rows for name, rows in tables.items() if rows}
        self.make(place, filled, timezone=self.timezone, watermark=END).connection.close()
        made = open_snapshot(place, self.facts)
        write_day_digests(made.connection, place, made.manifest.tables)
        return made

    def features(self, tables: Tables, at: datetime = END) -> tuple[pa.Table, pa.Table]:
        """The feature table from kept facts, and from facts made anew."""
        snapshot = self.bring(tables)
        ids = sorted({row["customer_id"] for rows in tables.values() for row in rows})
        spine = pa.table([ids, [at] * len(ids)], schema=SPINE_SCHEMA)
        kept = feature_table(snapshot, spine)
        anew = feature_table(replace(snapshot, facts=None), spine)
        snapshot.connection.close()
        return kept, anew

    def files(self, source: str) -> set[str]:
        return {file.name for file in self.facts.glob(f"{source}-*.parquet")}


@pytest.fixture
def nights(make_snapshot: MakeSnapshot, tmp_path: Path) -> Nights:
    return Nights(make_snapshot, tmp_path)


def before(tables: Tables, day: datetime) -> Tables:
    """The tables as they stood at the start of `day`."""
    mains = {"orders": "ordered_at", "events": "occurred_at", "tickets": "opened_at"}
    mains |= {"subscriptions": "started_at", "surveys": "sent_at"}
    return {
        name: [_known(row, day) for row in rows if name == "customers" or row[mains[name]] < day]
        for name, rows in tables.items()
    }


def _known(row: dict[str, Any], day: datetime) -> dict[str, Any]:
    late = ("refunded_at", "resolved_at", "ended_at", "answered_at", "first_response_at")
    return {
        key: None if key in late and value and value >= day else value for key, value in row.items()
    }


def order(customer: str, day: datetime, amount: float = 10.0) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": day, "amount": amount, "order_id": str(day)}


def history(*days_ago: int) -> Tables:
    return {"orders": [order("ana", LAST - timedelta(days=days)) for days in days_ago]}


def test_kept_facts_give_the_same_bits(nights: Nights, random_company: RandomCompany) -> None:
    kept, anew = nights.features(random_company(25, 3))
    assert kept.equals(anew)


def test_a_night_with_no_news_writes_nothing(nights: Nights, random_company: RandomCompany) -> None:
    tables = random_company(10, 3)
    nights.features(tables)
    times = {file: file.stat().st_mtime_ns for file in nights.facts.iterdir()}
    kept, anew = nights.features(tables)
    assert kept.equals(anew)
    assert {file: file.stat().st_mtime_ns for file in nights.facts.iterdir()} == times


def test_new_days_are_added_beside_what_is_kept(
    nights: Nights, random_company: RandomCompany
) -> None:
    tables = random_company(25, 4)
    tables["orders"].append(order("c1", LAST) | {"product_id": "new"})
    tables["events"].append({"customer_id": "c1", "occurred_at": LAST, "event": "new"})
    nights.features(before(tables, LAST), LAST)
    first = {source: nights.files(source) for source in GROWING}
    kept, anew = nights.features(tables)
    assert kept.equals(anew)
    for source in GROWING:
        assert first[source] < nights.files(source), source


def test_a_day_that_was_only_half_there_is_made_again(nights: Nights) -> None:
    nights.features(history(40, 9, 0))
    tables = history(40, 9, 0)
    tables["orders"].append(order("ana", LAST + timedelta(hours=9)))
    kept, anew = nights.features(tables)
    assert kept.equals(anew)
    assert len(nights.files("purchase_days")) == 2


def test_an_order_that_arrives_late_makes_all_anew(nights: Nights) -> None:
    nights.features(history(60, 9, 1))
    old = nights.files("purchase_days")
    kept, anew = nights.features(history(60, REOPENED_DAYS + 12, 9, 1, 0))
    assert kept.equals(anew)
    assert len(nights.files("purchase_days")) == 1
    assert not old & nights.files("purchase_days")


def test_a_changed_old_amount_makes_all_anew(nights: Nights) -> None:
    nights.features(history(60, 9, 1))
    tables = history(60, 9, 1, 0)
    tables["orders"][0]["amount"] = 99.0
    kept, anew = nights.features(tables)
    assert kept.equals(anew)
    assert len(nights.files("purchase_days")) == 1


def test_a_refund_of_an_old_order_adds_to_the_days_kept(nights: Nights) -> None:
    nights.features(history(60, 9, 1))
    tables = history(60, 9, 1, 0)
    tables["orders"][0] |= {"refunded_at": LAST, "refund_amount": 10.0}
    kept, anew = nights.features(tables)
    assert kept.equals(anew)
    assert kept["orders_refund_count_90d"].to_pylist() == [1.0]
    assert len(nights.files("purchase_days")) == 2


def test_other_sql_makes_all_anew(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.features(history(60, 9))
    old = nights.files("purchase_days")
    source = next(each for each in sources_of(ALL) if each.name == "purchase_days")
    facts = f"SELECT * FROM ({source.facts}) x WHERE value >= 0"
    monkeypatch.setitem(source.__dict__, "facts", facts)
    kept, anew = nights.features(history(60, 9, 0))
    assert kept.equals(anew)
    assert len(nights.files("purchase_days")) == 1
    assert not old & nights.files("purchase_days")


def test_a_deleted_file_is_made_again(nights: Nights) -> None:
    nights.features(history(60, 9))
    next(nights.facts.glob("purchase_days-*.parquet")).unlink()
    kept, anew = nights.features(history(60, 9))
    assert kept.equals(anew)


def test_many_parts_become_one_again(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.facts.MOST_PARTS", 3)
    sizes = []
    for night in range(5):
        kept, anew = nights.features(history(50, *range(40, 39 - night, -1)))
        assert kept.equals(anew)
        sizes.append(len(nights.files("purchase_days")))
    assert sizes == [1, 2, 3, 1, 2]


def test_an_earlier_snapshot_does_not_see_later_facts(
    nights: Nights, random_company: RandomCompany
) -> None:
    tables = random_company(10, 8)
    nights.features(tables)
    kept, anew = nights.features(before(tables, LAST - timedelta(days=30)), LAST)
    assert kept.equals(anew)


def test_facts_by_day_of_one_table_grow() -> None:
    growing = {source.name for source in sources_of(ALL) if grows_by_day(source)}
    assert growing >= GROWING
    assert not growing & {"tickets", "refunds", "answers", "subscriptions"}


def test_facts_are_kept_in_the_type_they_have(
    make_snapshot: MakeSnapshot, tmp_path: Path, random_company: RandomCompany
) -> None:
    # Parquet has no 128-bit integer: DuckDB would silently keep a double.
    snapshot = make_snapshot(tmp_path, random_company(5, 1))
    connection = snapshot.connection
    connection.execute("CREATE MACRO epoch_seconds(t) AS CAST(floor(epoch(t)) AS BIGINT)")
    sources = sources_of(supported_features(snapshot))
    provide_facts(connection, snapshot, sources)
    wide = [
        (source.name, row[0])
        for source in sources
        for row in connection.execute(f"DESCRIBE facts_{source.name}").fetchall()
        if "HUGEINT" in row[1] or "DECIMAL" in row[1]
    ]
    assert wide == []


def test_a_table_written_part_by_part_is_the_same_table(
    make_snapshot: MakeSnapshot,
    tmp_path: Path,
    random_company: RandomCompany,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot = make_snapshot(tmp_path, random_company(20, 5))
    cutoffs = [END - timedelta(days=30), END]
    rows = [(f"c{n}", cutoff) for cutoff in cutoffs for n in range(20)]
    ids, times = zip(*rows, strict=True)
    spine = pa.table([list(ids), list(times)], schema=SPINE_SCHEMA)
    whole = feature_table(snapshot, spine)
    monkeypatch.setattr("features.table.ROWS_AT_ONCE", 7)
    told: list[tuple[str, int, int]] = []
    target = tmp_path / "out" / "features.parquet"
    count = write_features(snapshot, spine, target, lambda *step: told.append(step))
    assert parquet.read_table(target).equals(whole)
    assert count == whole.num_columns - 2
    assert told[-1] == ("features", 6, 6)
    write_features(snapshot, spine, tmp_path / "features.csv")
    assert len((tmp_path / "features.csv").read_text().splitlines()) == 41


def test_the_first_changed_day_is_the_earliest_of_added_gone_and_other_days() -> None:
    kept = {1: "a", 2: "b", 3: "c"}
    assert first_changed_day(kept, dict(kept)) is None
    assert first_changed_day(kept, {**kept, 4: "d"}) == 4
    assert first_changed_day(kept, {1: "a", 3: "c"}) == 2
    assert first_changed_day(kept, {1: "a", 2: "x", 3: "y"}) == 2


def test_day_digests_ignore_row_order_and_what_becomes_known_later(nights: Nights) -> None:
    tables = history(3, 2, 2)
    refunded = [row | {"refunded_at": END, "refund_amount": 1.0} for row in tables["orders"][::-1]]
    one, other = (
        day_digests(nights.bring({"orders": rows}).folder, "orders")
        for rows in (
            [row | {"refunded_at": None, "refund_amount": None} for row in tables["orders"]],
            refunded,
        )
    )
    assert one is not None
    assert one == other
    assert len(one) == 2
    assert day_digests(nights.folder, "tickets") is None


def test_ingest_leaves_digests_of_its_days(tmp_path: Path) -> None:
    lines = ["customer_id,ordered_at,amount", "ana,2024-05-01,3", "bob,2024-05-03,4"]
    (tmp_path / "orders.csv").write_text("\n".join([*lines, ""]))
    config = PipelineConfig(
        name="shop",
        currency="EUR",
        workspace=tmp_path / "var",
        sources={"orders": SourceConfig(path=str(tmp_path / "orders.csv"))},
    )
    ingest(config, now=END)
    found = day_digests(config.workspace / "snapshots", "orders")
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in (1, 3)]
    assert sorted(found or {}) == [day_number(day, config.zone) for day in days]


def test_the_engine_takes_no_more_memory_than_it_may(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    make_snapshot(tmp_path / "snapshots", history(3)).connection.close()
    config = PipelineConfig(
        name="shop", currency="EUR", workspace=tmp_path, memory_limit="1GB", sources={}
    )
    connection = configured_snapshot(config).connection
    asked = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    assert connection.execute(asked).fetchall() == [
        ("953.6 MiB", str(tmp_path / "facts" / ".spill"))
    ]
    with pytest.raises(ValidationError, match="memory_limit"):
        PipelineConfig(name="shop", currency="EUR", memory_limit="lots", sources={})


dates = st.integers(0, 40).map(lambda days: LAST - timedelta(days=days, hours=-5))
rows = st.lists(
    st.builds(order, st.sampled_from(["ana", "bob", "cem"]), dates, st.sampled_from([1.25, 7.5])),
    min_size=1,
    max_size=12,
)
uses = st.lists(
    st.builds(
        lambda who, when, what: {"customer_id": who, "occurred_at": when, "event": what},
        st.sampled_from(["ana", "bob", "cem"]),
        dates,
        st.sampled_from("uvw"),
    ),
    max_size=12,
)


@contextmanager
def workspace(make: MakeSnapshot, timezone: str) -> Iterator[Nights]:
    with tempfile.TemporaryDirectory() as folder:
        yield Nights(make, Path(folder), timezone)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(orders=rows, events=uses, late=rows, nights=st.lists(st.integers(0, 20), max_size=3))
def test_any_sequence_of_nights_ends_with_the_bits_of_facts_made_anew(
    make_snapshot: MakeSnapshot, orders: Rows, events: Rows, late: Rows, nights: list[int]
) -> None:
    tables = {"orders": orders, "events": events}
    with workspace(make_snapshot, "Asia/Jakarta") as place:
        for days in sorted(nights, reverse=True):
            so_far = before(tables, LAST - timedelta(days=days))
            if so_far["orders"]:
                place.bring(so_far).connection.close()
                _compare(place, so_far)
        _compare(place, tables)
        _compare(place, tables | {"orders": orders + late})


def _compare(place: Nights, tables: Tables) -> None:
    jakarta_midnight = END - timedelta(hours=7)
    kept, anew = place.features(tables, jakarta_midnight)
    assert kept.equals(anew)
