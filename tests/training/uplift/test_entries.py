"""The trial of a company's contacts: what was known before each, and who stayed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import ChurnConfig, PipelineConfig, SourceConfig
from features.feature_contract import FeatureContract
from features.snapshot import Snapshot
from features.table import catalogue_contract
from tests.conftest import MakeSnapshot
from training.contacts import randomised_contacts
from training.uplift.entries import contact_trial
from training.uplift.trial import NoTrial, Trial

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 6, 1, tzinfo=UTC)
WAVE = datetime(2024, 3, 1, 15, tzinfo=UTC)


def config(**churn: Any) -> PipelineConfig:
    settings = {"horizon_days": 30, "eligible_days": 59} | churn
    return PipelineConfig(
        name="shop",
        currency="EUR",
        sources={"orders": SourceConfig(path="orders.csv")},
        churn=ChurnConfig(**settings),
    )


def order(customer: str, day: datetime, amount: float = 10.0) -> dict[str, Any]:
    return {"customer_id": customer, "ordered_at": day, "amount": amount}


def entry(customer: str, arm: str, at: datetime = WAVE, campaign: str = "care") -> dict[str, Any]:
    return {"customer_id": customer, "contacted_at": at, "campaign": campaign, "arm": arm}


def trial_of(snapshot: Snapshot, contract: FeatureContract | None = None) -> Trial:
    contacts = randomised_contacts(snapshot, None)
    return contact_trial(snapshot, config(), contract or catalogue_contract(snapshot), contacts)


def tables(later: float = 20.0) -> dict[str, list[dict[str, Any]]]:
    """a and b come back within 30 days of the wave, c a day too late, d never; e is long gone."""
    orders = [order("e", FIRST), order("d", FIRST + timedelta(days=20))]
    orders += [order(name, FIRST + timedelta(days=30), 10.0) for name in "abc"]
    orders += [order("a", WAVE + timedelta(hours=1), later), order("b", WAVE + timedelta(days=20))]
    orders += [order("c", WAVE + timedelta(days=30, hours=1))]
    arms = ["treatment", "holdout", "treatment", "holdout", "holdout"]
    return {
        "orders": orders,
        "contacts": [entry(*pair) for pair in zip("abcde", arms, strict=True)],
    }


def test_each_eligible_entry_has_its_arm_and_whether_the_customer_stayed(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    trial = trial_of(make_snapshot(tmp_path, tables(), watermark=END))
    assert trial.customer_id.tolist() == ["a", "b", "c", "d"]
    assert trial.treated.tolist() == [1.0, 0.0, 1.0, 0.0]
    assert trial.outcome.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert set(trial.chance) == {0.4}
    assert trial.value.tolist() == [10.0] * 4
    assert set(trial.cutoff) == {np.datetime64("2024-03-01", "us")}


def test_nothing_from_the_day_of_the_contact_on_is_known(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    """The first order after the wave is ten hours later or a hundred times larger: no matter."""
    one = trial_of(make_snapshot(tmp_path / "one", tables(), watermark=END))
    two = trial_of(make_snapshot(tmp_path / "two", tables(later=2_000.0), watermark=END))
    np.testing.assert_array_equal(one.X, two.X)
    assert one.value.tolist() == two.value.tolist()


def test_an_entry_whose_horizon_is_not_over_waits(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    rows = tables()
    late = END - timedelta(days=20)
    rows["contacts"] += [entry("a", "treatment", late, "may"), entry("b", "holdout", late, "may")]
    trial = trial_of(make_snapshot(tmp_path, rows, watermark=END))
    assert set(trial.cutoff) == {np.datetime64("2024-03-01", "us")}


def test_two_campaigns_on_one_day_are_one_row(make_snapshot: MakeSnapshot, tmp_path: Path) -> None:
    rows = tables()
    rows["contacts"] += [entry("a", "holdout", campaign="x"), entry("b", "treatment", campaign="x")]
    trial = trial_of(make_snapshot(tmp_path, rows, watermark=END))
    assert trial.customer_id.tolist() == ["a", "b", "c", "d"]


def test_labels_without_a_time_and_contacts_too_fresh_are_no_trial(
    make_snapshot: MakeSnapshot, tmp_path: Path
) -> None:
    snapshot = make_snapshot(tmp_path, tables(), watermark=datetime(2024, 3, 20, tzinfo=UTC))
    contacts, contract = randomised_contacts(snapshot, None), catalogue_contract(snapshot)
    with pytest.raises(NoTrial, match="old enough"):
        contact_trial(snapshot, config(), contract, contacts)
    with pytest.raises(NoTrial, match="labels given in a column"):
        contact_trial(snapshot, config(label="column", column="left"), contract, contacts)
