"""What is served: a bundle and the scores it made, taken up together or not at all."""

import hashlib
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.config import ServingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from serving.scoring import score_rows, utc_text
from serving.served import NotReady, Shelf, load_served
from tests.serving.scored_company import (
    CONTRACT,
    CUTOFF,
    NOW,
    Api,
    Company,
    publish,
    score_company,
)
from tests.tiny_bundle import tiny_bundle, tiny_rows
from training.bundle import open_bundle


@pytest.fixture
def fresh(tmp_path: Path) -> Company:
    return score_company(tmp_path / "var", customers=20)


def test_scores_made_under_another_contract_are_refused(fresh: Company) -> None:
    fewer = FeatureContract(columns=CONTRACT.columns[:4])
    tiny_bundle(fresh.workspace / "bundle", fewer)
    with pytest.raises(NotReady, match=r"feature contract .* run `setia score`"):
        load_served(fresh.workspace)


def test_scores_made_by_another_model_of_the_same_contract_are_refused(fresh: Company) -> None:
    tiny_bundle(fresh.workspace / "bundle", value=False, contract=CONTRACT)
    with pytest.raises(NotReady, match=r"made by model 1, .* run `setia score`"):
        load_served(fresh.workspace)


def test_a_bundle_with_features_unknown_here_is_refused(tmp_path: Path) -> None:
    columns = (*CONTRACT.columns, FeatureColumn(name="weather_rain_7d", definition="d"))
    contract = FeatureContract(columns=columns)
    bundle, X = tiny_bundle(tmp_path / "bundle", contract), tiny_rows(3, contract)
    serving = ServingConfig()
    scores = score_rows(bundle, ["a", "b", "c"], X, CUTOFF, serving, explain=False)
    publish(Company(tmp_path, bundle, serving, X, scores))
    with pytest.raises(NotReady, match="another Setia: no feature 'weather_rain_7d'"):
        load_served(tmp_path)


def test_without_a_bundle_the_training_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="run `setia train --promote`"):
        load_served(tmp_path)


def test_without_scores_the_scoring_command_is_named(fresh: Company) -> None:
    shutil.rmtree(fresh.workspace / "scores")
    with pytest.raises(NotReady, match="run `setia score`"):
        load_served(fresh.workspace)


def test_the_reason_given_to_clients_names_no_path(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "var")
    shelf.refresh()
    assert str(tmp_path) not in shelf.reason


def test_a_newer_scoring_run_is_taken_up_by_a_refresh(fresh: Company) -> None:
    shelf = Shelf(fresh.workspace)
    assert shelf.refresh()
    assert not shelf.refresh()
    score_company(fresh.workspace, customers=7, now=NOW + timedelta(days=1))
    assert shelf.refresh()
    assert shelf.served.snapshot.about.customers == 7


def test_between_promotion_and_scoring_the_old_pair_keeps_answering(fresh: Company) -> None:
    shelf = Shelf(fresh.workspace)
    shelf.refresh()
    tiny_bundle(fresh.workspace / "bundle", CONTRACT, value=False)
    assert not shelf.refresh()
    assert shelf.is_ready
    assert shelf.served.snapshot.find("c_0003") is not None
    assert shelf.served.bundle.models.value is not None
    score_company(fresh.workspace, customers=20, value=False, serving=ServingConfig(language="id"))
    assert shelf.refresh()
    assert shelf.served.bundle.models.value is None


def spoil(company: Company) -> None:
    """Promote a file that is no model and score with it, every hash agreeing."""
    folder = company.workspace / "bundle"
    (folder / "churn.trees.txt").write_text("tree\nno model\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256((folder / "churn.trees.txt").read_bytes()).hexdigest()
    manifest["files"]["churn.trees.txt"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))
    scored_by = replace(company.bundle, manifest=open_bundle(folder).manifest)
    publish(replace(company, bundle=scored_by))


def test_scores_are_served_before_the_models_are_read_and_no_more_once_they_cannot_be(
    fresh: Company,
) -> None:
    spoil(fresh)
    shelf = Shelf(fresh.workspace)
    assert shelf.refresh()
    assert shelf.served.snapshot.find("c_0003") is not None
    shelf.read_models()
    assert not shelf.is_ready
    with pytest.raises(NotReady, match=r"no usable model; run `setia train --promote`"):
        _ = shelf.served


def test_models_that_cannot_be_read_never_replace_those_that_are_served(fresh: Company) -> None:
    shelf = Shelf(fresh.workspace)
    shelf.refresh()
    before = shelf.served
    spoil(fresh)
    assert not shelf.refresh()
    shelf.read_models()
    assert shelf.served is before
    assert shelf.refused is not None
    assert "no usable model" in shelf.refused


def test_an_empty_workspace_becomes_ready_when_the_files_arrive(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert not shelf.refresh()
    assert not shelf.is_ready
    with pytest.raises(NotReady, match="no usable model"):
        _ = shelf.served
    score_company(tmp_path, customers=5)
    assert shelf.refresh()
    assert shelf.is_ready


def test_a_version_that_is_refused_is_said_until_one_is_taken_up(fresh: Company) -> None:
    api = Api(fresh.workspace)
    assert api.get("/v1/models").json()["refused"] is None
    tiny_bundle(fresh.workspace / "bundle", CONTRACT, value=False)
    api.refresh()
    assert "run `setia score` with the bundle" in api.get("/v1/models").json()["refused"]
    assert "setia_newer_version_refused 1.0" in api.get("/metrics").text
    score_company(fresh.workspace, customers=20, value=False)
    api.refresh()
    assert api.get("/v1/models").json()["refused"] is None
    assert "setia_newer_version_refused 0.0" in api.get("/metrics").text


def test_scores_grow_stale_after_the_days_that_the_configuration_says(tmp_path: Path) -> None:
    made = datetime.now(UTC) - timedelta(days=2, hours=1)
    for days, stale in ((2, True), (3, False)):
        serving = ServingConfig(stale_after_days=days)
        score_company(tmp_path, customers=5, serving=serving, now=made)
        answer = Api(tmp_path).get("/v1/customers/c_0001").json()
        assert (answer["stale"], answer["as_of"]) == (stale, utc_text(made))
