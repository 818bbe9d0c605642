"""Properties that hold for any company: row order, truncation and doubled prices."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalogue import ALL
from features.leakage import changed_features
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table, supported_features
from tests.features.random_histories import CUTOFF, Rows, companies

MakeSnapshot = Callable[..., Snapshot]

MONEY = ("amount", "margin", "discount", "refund_amount", "monthly_price")

quick = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def opened(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> Iterator[Snapshot]:
    with tempfile.TemporaryDirectory() as folder:
        filled = {name: rows for name, rows in tables.items() if rows}
        snapshot = make_snapshot(Path(folder), filled)
        yield snapshot
        snapshot.connection.close()


def features_of(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> pa.Table:
    spine = pa.table([["ana", "bob"], [CUTOFF, CUTOFF]], schema=SPINE_SCHEMA)
    with opened(make_snapshot, tables) as snapshot:
        return feature_table(snapshot, spine)


@quick
@given(tables=companies, shuffler=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows], shuffler: Any
) -> None:
    shuffled = {name: shuffler.sample(rows, len(rows)) for name, rows in tables.items()}
    assert features_of(make_snapshot, shuffled).equals(features_of(make_snapshot, tables))


@quick
@given(tables=companies)
def test_truncation_changes_nothing(make_snapshot: MakeSnapshot, tables: dict[str, Rows]) -> None:
    with opened(make_snapshot, tables) as snapshot:
        assert changed_features(snapshot, [CUTOFF]) == []


@quick
@given(tables=companies)
def test_a_customer_alone_has_the_features_they_have_among_others(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows]
) -> None:
    anas = {name: [r for r in rows if r["customer_id"] == "ana"] for name, rows in tables.items()}
    alone = features_of(make_snapshot, anas).to_pylist()[0]
    among = features_of(make_snapshot, tables).to_pylist()[0]
    own = {feature.name for feature in ALL if not feature.company_relative} & alone.keys()
    assert {name: alone[name] for name in own} == {name: among[name] for name in own}


@quick
@given(tables=companies)
def test_doubling_amounts_doubles_money_features_and_no_other(
    make_snapshot: MakeSnapshot, tables: dict[str, Rows]
) -> None:
    doubled = {name: [_doubled(row) for row in rows] for name, rows in tables.items()}
    with opened(make_snapshot, tables) as snapshot:
        units = {feature.name: feature.unit for feature in supported_features(snapshot)}
    before = features_of(make_snapshot, tables).to_pylist()
    after = features_of(make_snapshot, doubled).to_pylist()
    for old, new in zip(before, after, strict=True):
        for name, unit in units.items():
            times = 2 if unit.startswith("money") and old[name] is not None else 1
            assert new[name] == (old[name] * times if times == 2 else old[name]), name


def _doubled(row: dict[str, Any]) -> dict[str, Any]:
    return {
        column: value * 2 if column in MONEY and value is not None else value
        for column, value in row.items()
    }
