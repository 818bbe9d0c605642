"""Labels that a table of the user's own states."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.config import ChurnConfig
from features.given_labels import LabelError, given_labels

CUTOFF = datetime(2024, 1, 1, tzinfo=UTC)


def spine(*customers: str) -> pa.Table:
    cutoffs = pa.array([CUTOFF] * len(customers), pa.timestamp("us", tz="UTC"))
    return pa.table({"customer_id": pa.array(customers, pa.string()), "cutoff": cutoffs})


def test_a_given_label_reads_any_case_and_numbers(tmp_path: Path, make_snapshot: Any) -> None:
    customers = [
        {"customer_id": "a", "Churn": "YES ", "left": 1.0},
        {"customer_id": "b", "Churn": "no", "left": 0.0},
    ]
    snapshot = make_snapshot(tmp_path, {"customers": customers})
    asked = spine("b", "a")
    for column in ("Churn", "left"):
        labels = given_labels(snapshot, ChurnConfig(label="column", column=column), asked)
        assert labels["churned"].to_pylist() == [0, 1]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("Chrun", r"'Chrun' is not an attribute of customers.*declared: Churn, blank, many"),
        ("Churn", r"never says churned: it has 'left' \(12\), 'stayed' \(8\)"),
        ("many", "20 different values, which is no label"),
        ("blank", r"19 of 20 customers have no value in churn.column 'blank' \(first: 'c1'\)"),
    ],
)
def test_a_column_that_is_no_label_is_refused_with_counts(
    tmp_path: Path, make_snapshot: Any, column: str, message: str
) -> None:
    customers = [
        {
            "customer_id": f"c{i}",
            "Churn": "Left" if i < 12 else "Stayed",
            "many": f"v{i}",
            "blank": "yes" if i == 0 else None,
        }
        for i in range(20)
    ]
    snapshot = make_snapshot(tmp_path, {"customers": customers})
    asked = spine(*(f"c{i}" for i in range(20)))
    with pytest.raises(LabelError, match=message):
        given_labels(snapshot, ChurnConfig(label="column", column=column), asked)


def test_the_latest_version_of_a_customer_gives_the_label(
    tmp_path: Path, make_snapshot: Any
) -> None:
    customers = [
        {"customer_id": "a", "left": "yes", "valid_from": datetime(2023, 6, 1, tzinfo=UTC)},
        {"customer_id": "a", "left": "no", "valid_from": None},
        {"customer_id": "b", "left": "no", "valid_from": datetime(2023, 6, 1, tzinfo=UTC)},
    ]
    snapshot = make_snapshot(tmp_path, {"customers": customers})
    labels = given_labels(snapshot, ChurnConfig(label="column", column="left"), spine("a", "b"))
    assert labels["churned"].to_pylist() == [1, 0]
