"""`setia train` learns what contact changes: tracked, gated, promoted and served from files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.engine import configured_snapshot
from features.trials import CONTACTS_SCHEMA
from tests.conftest import write_snapshot
from tests.training.contacted_shop import KINDS, contacted_shop, shop_config, write_shop
from training.bundle import load_bundle
from training.contacts import randomised_contacts
from training.dataset import unlabelled_rows
from training.registry import UPLIFT_MODEL, champion_bundle, rollback, tracking
from training.run import TrainReport, train


def silent(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TrainReport]]:
    workspace = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("SETIA_BUNDLE_KEY", raising=False)
        write_shop(workspace, 1_020, 1)
        yield workspace, train(shop_config(workspace), True, silent)


def test_planted_changes_pass_the_gate_and_are_served(shop: tuple[Path, TrainReport]) -> None:
    workspace, report = shop
    assert report.promoted is not None
    assert report.uplift is not None
    assert report.uplift.is_used
    bundle = load_bundle(workspace / "bundle")
    uplift = bundle.models.uplift
    assert uplift is not None
    config = shop_config(workspace)
    snapshot = configured_snapshot(config)
    rows = unlabelled_rows(snapshot, config, snapshot.manifest.watermark, bundle.contract)
    changes, flags = uplift.foreseen(rows.X)
    price = rows.X[:, rows.contract.names.index("orders_value_mean")]
    assert changes is not None
    for amount, (left, contacted) in KINDS.items():
        kind = np.isclose(price, amount)
        assert changes[kind].mean() == pytest.approx(contacted - left, abs=0.2)
    dogs = np.isclose(price, 17.0)
    assert flags[dogs].mean() > 0.5
    assert dogs[flags].mean() > 0.5
    assert flags[np.isclose(price, 30.0)].mean() < 0.1


def test_it_is_a_model_of_the_registry_with_its_metrics_card_and_curve(
    shop: tuple[Path, TrainReport],
) -> None:
    workspace, report = shop
    client, run = tracking(shop_config(workspace)), report.registered.run_id
    champion = client.get_model_version_by_alias(UPLIFT_MODEL, "champion")
    assert str(champion.version) == report.registered.uplift_version == "1"
    metrics, verdict = client.get_run(run).data.metrics, report.uplift
    assert verdict is not None
    assert metrics["uplift_qini"] == verdict.qini[verdict.learner].point
    assert metrics["uplift_qini_vs_value_at_risk_low"] == verdict.gains["value at risk"].low > 0
    names = {Path(file.path).name for file in client.list_artifacts(run, "report")}
    assert "qini.png" in names
    card = load_bundle(workspace / "bundle").card
    assert "## What contact changes" in card
    assert str(verdict) in card
    assert "later than the outcomes that their models had learned from" in card


def test_contacted_customers_are_set_apart_in_the_same_run(
    shop: tuple[Path, TrainReport],
) -> None:
    _, report = shop
    assert any("training rows are of customers contacted" in note for note in report.notes)


def test_a_campaign_that_changes_nothing_abstains_and_takes_the_champion_down(
    shop: tuple[Path, TrainReport],
) -> None:
    """The arms are drawn anew, so they have nothing to do with who stayed."""
    workspace, _ = shop
    orders, contacts = contacted_shop(1_020, 1)
    rng = np.random.default_rng(9)
    for one in contacts:
        one["arm"] = "treatment" if rng.random() < 0.5 else "holdout"
    end = configured_snapshot(shop_config(workspace)).manifest.watermark
    tables = {"orders": orders, "contacts": contacts}
    write_snapshot(workspace / "snapshots", tables, watermark=end)
    report = train(shop_config(workspace), True, silent)
    assert report.uplift is not None
    assert not report.uplift.is_used
    client = tracking(shop_config(workspace))
    assert "champion" not in client.get_registered_model(UPLIFT_MODEL).aliases
    assert (
        client.get_model_version(UPLIFT_MODEL, "2").tags["gate_refused"].startswith('["Uplift abs')
    )
    served = load_bundle(workspace / "bundle").models.uplift
    assert served is not None
    assert not served.ranks
    assert served.verdict.startswith("Uplift abstains")
    assert rollback(shop_config(workspace)).models.uplift.ranks  # type: ignore[union-attr]
    assert client.get_model_version_by_alias(UPLIFT_MODEL, "champion").version == 1
    assert champion_bundle(shop_config(workspace)) is not None


def test_own_decisions_teach_as_the_contacts_source_does(tmp_path: Path) -> None:
    orders, contacts = contacted_shop(120, 2)
    write_snapshot(tmp_path / "one" / "snapshots", {"orders": orders, "contacts": contacts})
    other = write_snapshot(tmp_path / "two" / "snapshots", {"orders": orders})
    own = CONTACTS_SCHEMA.empty_table().from_pylist(contacts, CONTACTS_SCHEMA)
    theirs = randomised_contacts(configured_snapshot(shop_config(tmp_path / "one")), None)
    ours = randomised_contacts(other, own)
    for name in ("customer_id", "cutoff", "treated", "chance"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_too_few_contacts_are_said_and_churn_is_trained_all_the_same(tmp_path: Path) -> None:
    orders, contacts = contacted_shop(120, 3)
    first = contacts[0]["contacted_at"]
    few = [one for one in contacts if one["contacted_at"] == first][:12]
    write_snapshot(tmp_path / "snapshots", {"orders": orders, "contacts": few})
    report = train(shop_config(tmp_path, bootstrap_draws=20), False, silent)
    assert report.uplift is None
    assert any(note.startswith("No uplift: of ") for note in report.notes)
    assert report.registered.uplift_version is None
