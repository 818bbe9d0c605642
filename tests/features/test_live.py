"""Live features of one customer equal that customer's row of the feature table."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.aggregates import Formula, How
from features.catalogue import ALL
from features.company.generate import generate_company
from features.compile import sources_of
from features.config import load_config
from features.feature_contract import FeatureContract, FeatureMismatch
from features.ingest.run import ingest
from features.live.customer import LiveFeatures
from features.live.facts import FACTS
from features.live.formulas import FORMULAS
from features.live.kinds import KINDS
from features.live.rows import History
from features.snapshot import Snapshot, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import catalogue_contract, company_numbers, feature_table
from features.versions import versions_of
from features.windows import CutoffError, shift_days
from tests.features.test_versions import CUTOFFS as LOG_CUTOFFS
from tests.features.test_versions import logged, random_log

Rows = list[dict[str, Any]]
MakeSnapshot = Callable[..., Snapshot]
RandomCompany = Callable[[int, int], dict[str, Rows]]

UTC_ZONE = ZoneInfo("UTC")
OPTIONAL = {
    *("order_id", "product_id", "category", "channel", "quantity", "margin", "discount"),
    *("refund_amount", "value", "session_id", "plan", "monthly_price", "auto_renew", "contacts"),
    *("transfers", "segment", "age", "job"),
}
"""Columns of the random company that may be missing."""
CUTOFFS = [datetime(2024, month, 1, tzinfo=UTC) for month in (3, 6, 8)]


def rows_by_customer(tables: Mapping[str, Rows]) -> dict[str, dict[str, Rows]]:
    found: dict[str, dict[str, Rows]] = {}
    for name, rows in tables.items():
        for row in rows:
            found.setdefault(row["customer_id"], {}).setdefault(name, []).append(row)
    return found


def is_same(live: float | str | None, batch: float | str | None) -> bool:
    """Whole numbers, text and missing values must be equal, other numbers to 1e-9 of each."""
    if isinstance(live, float) and isinstance(batch, float) and not batch.is_integer():
        return math.isclose(live, batch, rel_tol=1e-9)
    return live == batch


def differences(
    snapshot: Snapshot, tables: Mapping[str, Rows], cutoffs: Sequence[datetime]
) -> dict[str, list[tuple[str, str, Any, Any]]]:
    """Feature to (customer, cutoff, live, batch) wherever the two differ."""
    live = LiveFeatures(catalogue_contract(snapshot), snapshot.zone)
    company = {cutoff: company_numbers(snapshot, cutoff) for cutoff in cutoffs}
    mine = rows_by_customer(tables)
    asked = [(customer, cutoff) for cutoff in cutoffs for customer in [*sorted(mine), "nobody"]]
    spine = pa.table(dict(zip(SPINE_SCHEMA.names, zip(*asked, strict=True), strict=True)))
    found: dict[str, list[tuple[str, str, Any, Any]]] = {}
    for row in feature_table(snapshot, spine.cast(SPINE_SCHEMA)).to_pylist():
        customer, cutoff = row.pop("customer_id"), row.pop("cutoff")
        values = live(mine.get(customer, {}), cutoff, company[cutoff])
        assert list(values) == list(row)
        for name, batch in row.items():
            if not is_same(values[name], batch):
                found.setdefault(name, []).append((customer, str(cutoff), values[name], batch))
    return found


def canonical(snapshot: Snapshot) -> dict[str, Rows]:
    """Every row or state of the snapshot; the day, which a call does not give, is left out."""
    return {
        name: [
            {key: value for key, value in row.items() if key != "day"}
            for row in snapshot.connection.execute(f"SELECT * FROM {relation}")
            .to_arrow_table()
            .to_pylist()
        ]
        for name, entry in snapshot.manifest.tables.items()
        for relation in [versions_of(name) if entry.is_versioned else name]
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_live_features_equal_the_feature_table_on_a_random_company(
    seed: int, make_snapshot: MakeSnapshot, random_company: RandomCompany, tmp_path: Path
) -> None:
    tables = random_company(30, seed)
    assert differences(make_snapshot(tmp_path, tables), tables, CUTOFFS) == {}


@pytest.mark.parametrize("timezone", ["Asia/Jakarta", "Europe/Berlin", "America/St_Johns"])
def test_live_days_are_those_of_the_company(
    timezone: str, make_snapshot: MakeSnapshot, random_company: RandomCompany, tmp_path: Path
) -> None:
    tables, zone = random_company(12, 4), ZoneInfo(timezone)
    cutoffs = [shift_days(cutoff, 0, zone) for cutoff in CUTOFFS]
    assert differences(make_snapshot(tmp_path, tables, timezone), tables, cutoffs) == {}


def test_live_features_equal_the_feature_table_when_all_happens_at_once(
    make_snapshot: MakeSnapshot, random_company: RandomCompany, tmp_path: Path
) -> None:
    # Whole days and few values: ties in every order, equal keys, returns, missing values.
    dice, tables = random.Random(9), random_company(20, 9)
    for rows in tables.values():
        for row in rows:
            for column, value in row.items():
                if isinstance(value, datetime):
                    row[column] = value.replace(hour=0, minute=0, second=0)
                elif column in OPTIONAL and dice.random() < 0.3:
                    row[column] = None
    for row in tables["orders"]:
        row["is_return"] = dice.random() < 0.1
    for row in tables["surveys"]:
        row["ticket_id"] = "c0.0" if dice.random() < 0.5 else None
    for row in tables["customers"]:
        row["valid_from"] = row["signed_up_at"]
    assert differences(make_snapshot(tmp_path, tables), tables, CUTOFFS) == {}


def test_live_features_equal_the_feature_table_on_the_generated_company(tmp_path: Path) -> None:
    config = load_config(generate_company(tmp_path, 300, days=500).config)
    ingest(config)
    snapshot = open_snapshot(config.workspace / "snapshots")
    last = snapshot.manifest.watermark
    cutoffs = [shift_days(last, -days, snapshot.zone) for days in (0, 90, 240)]
    assert differences(snapshot, canonical(snapshot), cutoffs) == {}


def test_live_features_equal_the_feature_table_on_a_log_of_ticket_changes(tmp_path: Path) -> None:
    snapshot = logged(tmp_path, random_log(6))
    assert snapshot.manifest.tables["tickets"].is_versioned
    assert differences(snapshot, canonical(snapshot), LOG_CUTOFFS) == {}


@settings(max_examples=15, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_no_live_feature(
    dice: random.Random, random_company: RandomCompany
) -> None:
    tables = rows_by_customer(random_company(3, 5))["c0"]
    shuffled = {name: dice.sample(rows, len(rows)) for name, rows in tables.items()}
    live = LiveFeatures(contract_of(ALL), UTC_ZONE)
    company = dict.fromkeys(live.company_numbers, 0.5)
    cutoff = CUTOFFS[-1]
    assert live(shuffled, cutoff, company) == live(tables, cutoff, company)


def contract_of(declared: Sequence[Any]) -> FeatureContract:
    return FeatureContract.model_validate(
        {
            "columns": [
                {"name": each.name, "kind": each.kind, "definition": each.definition}
                for each in declared
            ]
        }
    )


def test_a_ticket_counts_in_the_state_it_had_before_the_cutoff() -> None:
    opened, solved = CUTOFFS[1] - timedelta(days=4), CUTOFFS[1] - timedelta(days=1)
    state = {"customer_id": "ana", "ticket_id": "t", "opened_at": opened, "channel": "phone"}
    states = [
        {**state, "known_from": opened, "known_until": solved},
        {**state, "resolved_at": solved, "known_from": solved, "known_until": None},
    ]
    asked = [each for each in ALL if each.name in ("tickets_open", "tickets_count_30d")]
    live = LiveFeatures(contract_of(asked), UTC_ZONE)
    at_resolution = live({"tickets": states}, solved, {})
    after = live({"tickets": states}, CUTOFFS[1], {})
    assert at_resolution == {"tickets_count_30d": 1, "tickets_open": 1}
    assert after == {"tickets_count_30d": 1, "tickets_open": 0}


def test_every_kind_of_aggregate_has_a_python_twin() -> None:
    assert set(get_args(How)) == set(KINDS)


def test_every_kind_of_formula_has_a_python_twin() -> None:
    kinds = {kind.__name__ for kind in get_args(Formula)}
    assert kinds - {"Aggregate"} == {kind.__name__ for kind in FORMULAS}


def test_every_source_has_its_facts_in_python() -> None:
    assert [source.name for source in sources_of(ALL) if source not in FACTS] == []


def test_facts_in_python_have_every_column_of_their_source() -> None:
    nobody = History({}, CUTOFFS[0], UTC_ZONE)
    lacking = {
        source.name: {"ts", *source.columns} - set(roll(nobody)) for source, roll in FACTS.items()
    }
    assert {name: columns for name, columns in lacking.items() if columns} == {}


def test_live_features_load_no_engine() -> None:
    code = "import sys, features.live.customer; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {"duckdb", "pandas", "pyarrow", "sklearn"} & set(loaded) == set()


def test_a_contract_made_by_another_declaration_is_refused() -> None:
    column = {"name": "orders_T", "kind": "numeric", "definition": "of old"}
    contract = FeatureContract.model_validate({"columns": [column]})
    with pytest.raises(FeatureMismatch, match=r"first: 'orders_T'.*retrain"):
        LiveFeatures(contract, UTC_ZONE)


def test_a_cutoff_within_a_day_is_refused_with_the_one_to_use() -> None:
    live = LiveFeatures(contract_of(ALL[:1]), UTC_ZONE)
    with pytest.raises(CutoffError, match="use 2024-03-01T00:00:00"):
        live({}, CUTOFFS[0] + timedelta(hours=5), {})


def test_a_number_of_the_company_that_is_not_given_is_named() -> None:
    live = LiveFeatures(contract_of(ALL), UTC_ZONE)
    with pytest.raises(FeatureMismatch, match="score the company again"):
        live({}, CUTOFFS[0], {})
