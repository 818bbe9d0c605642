"""The bundle: what is written is what is read, and nothing else is read."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract, FeatureMismatch
from tests.tiny_bundle import TINY_CONTRACT, TINY_INFO, tiny_bundle, tiny_models, tiny_rows
from training.bundle import Bundle, BundleError, load_bundle, open_bundle, write_bundle

FIELDS = ("propensity", "expected_orders", "clv", "clv_low", "clv_high")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)
    return tiny_bundle(tmp_path / "bundle")


def rehash(folder: Path, name: str) -> None:
    """Do what a careful forger would: make the manifest agree with a changed file."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_loaded_bundle_predicts_to_the_bit_as_the_models_it_was_written_from(
    bundle: Bundle,
) -> None:
    X = tiny_rows(200, seed=5)
    written = tiny_models().predict(X)
    for field in FIELDS:
        assert np.array_equal(getattr(bundle.predict(X), field), getattr(written, field)), field


def test_one_row_alone_is_predicted_to_the_bit_as_in_a_batch(bundle: Bundle) -> None:
    X = tiny_rows(64, seed=6)
    whole = bundle.predict(X)
    for place in range(len(X)):
        alone = bundle.predict(X[place : place + 1])
        for field in FIELDS:
            assert getattr(alone, field)[0] == getattr(whole, field)[place], field


def test_no_rows_give_no_predictions(bundle: Bundle) -> None:
    empty = bundle.predict(np.empty((0, 4)))
    assert [len(getattr(empty, field)) for field in FIELDS] == [0] * 5
    assert bundle.contributions(np.empty((0, 4))).shape == (0, 4)


def test_contributions_and_bias_add_up_to_the_raw_score(bundle: Bundle) -> None:
    X = tiny_rows(30, seed=7)
    booster = bundle.models.churn.ensemble.members["trees"].booster
    bias = booster.predict(X, pred_contrib=True)[:, -1]
    total = bundle.contributions(X).sum(axis=1) + bias
    assert np.allclose(total, booster.predict(X, raw_score=True), atol=1e-9)


def test_a_bundle_without_orders_answers_value_with_nan(tmp_path: Path) -> None:
    prediction = tiny_bundle(tmp_path / "bundle", value=False).predict(tiny_rows(3))
    assert np.isnan(prediction.clv).all()
    assert np.isnan(prediction.expected_orders).all()
    assert np.isfinite(prediction.propensity).all()


def test_too_few_columns_are_refused_with_the_width_the_model_takes(bundle: Bundle) -> None:
    with pytest.raises(FeatureMismatch, match="rows of 4 features, got an array of shape"):
        bundle.predict(np.zeros((2, 3)))


@pytest.mark.parametrize(
    "name", ["churn.trees.txt", "calibration.json", "card.md", "intervals.json"]
)
def test_a_changed_byte_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    file = tmp_path / "bundle" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=f"'{name}' changed after it was written"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["contract.json", "clv.trees.txt", "churn.json", "card.md"])
def test_a_missing_file_is_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    (tmp_path / "bundle" / name).unlink()
    with pytest.raises(BundleError, match=f"'{name}' is missing"):
        load_bundle(tmp_path / "bundle")


def test_an_extra_file_is_refused_even_when_the_manifest_lists_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "bundle" / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(BundleError, match=r"'model\.pkl' has no place in a bundle"):
        load_bundle(tmp_path / "bundle")
    rehash(tmp_path / "bundle", "model.pkl")
    with pytest.raises(BundleError, match=r"'model\.pkl' has no place in a bundle"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "sub/churn.txt"])
def test_a_name_that_leaves_the_folder_is_refused(
    bundle: Bundle, tmp_path: Path, name: str
) -> None:
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="has no place in a bundle"):
        load_bundle(tmp_path / "bundle")


def test_a_link_or_a_folder_in_place_of_a_file_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "bundle" / "card.md"
    elsewhere = tmp_path / "card.md"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    with pytest.raises(BundleError, match=r"'card\.md', which is no plain file"):
        load_bundle(tmp_path / "bundle")
    file.unlink()
    file.mkdir()
    with pytest.raises(BundleError, match=r"'card\.md', which is no plain file"):
        load_bundle(tmp_path / "bundle")


def test_a_contract_other_than_the_manifests_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    columns = TINY_CONTRACT.columns
    turned = FeatureContract(columns=(columns[1], columns[0], *columns[2:]))
    (tmp_path / "bundle" / "contract.json").write_text(turned.model_dump_json())
    rehash(tmp_path / "bundle", "contract.json")
    with pytest.raises(BundleError, match="not the contract of the manifest"):
        load_bundle(tmp_path / "bundle")


def test_a_model_of_other_features_is_refused_when_every_hash_agrees(
    bundle: Bundle, tmp_path: Path
) -> None:
    other = FeatureContract(
        columns=tuple(FeatureColumn(name=f"other_{n}", definition="d") for n in range(4))
    )
    text = tiny_models(other, value=False).churn.ensemble.members["trees"].text()
    (tmp_path / "bundle" / "churn.trees.txt").write_text(text)
    rehash(tmp_path / "bundle", "churn.trees.txt")
    with pytest.raises(BundleError, match="takes other features than contract"):
        load_bundle(tmp_path / "bundle")


def test_an_opened_bundle_reads_the_bytes_that_were_verified(
    bundle: Bundle, tmp_path: Path
) -> None:
    """Its models are read later, and what has come into the folder since is not among them."""
    opened = open_bundle(tmp_path / "bundle")
    tiny_bundle(tmp_path / "bundle", value=False)
    assert opened.models.value is not None
    X = tiny_rows(20, seed=9)
    assert np.array_equal(opened.predict(X).clv, bundle.predict(X).clv)


def test_a_file_that_is_no_model_is_refused_when_it_is_read(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "churn.trees.txt").write_text("tree\nno model\n")
    rehash(tmp_path / "bundle", "churn.trees.txt")
    opened = open_bundle(tmp_path / "bundle")
    with pytest.raises(BundleError, match=r"bundle cannot be read as a bundle: .* export it again"):
        _ = opened.models


def test_an_empty_or_absent_folder_is_refused_with_the_command_that_makes_one(
    tmp_path: Path,
) -> None:
    with pytest.raises(BundleError, match="run `setia promote`"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"no manifest\.json; run `setia promote`"):
        load_bundle(tmp_path / "empty")


def test_with_a_key_only_its_own_signature_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)
    tiny_bundle(tmp_path / "unsigned")
    monkeypatch.setenv("SETIA_BUNDLE_KEY", "one secret")
    tiny_bundle(tmp_path / "signed")
    assert load_bundle(tmp_path / "signed").manifest.name == "tiny"
    with pytest.raises(BundleError, match="is not signed but SETIA_BUNDLE_KEY is set"):
        load_bundle(tmp_path / "unsigned")
    monkeypatch.setenv("SETIA_BUNDLE_KEY", "another secret")
    with pytest.raises(BundleError, match="signature is not by SETIA_BUNDLE_KEY"):
        load_bundle(tmp_path / "signed")


def test_a_forged_manifest_is_refused_under_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETIA_BUNDLE_KEY", "one secret")
    tiny_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "card.md").write_text("# Better than it is\n")
    rehash(tmp_path / "bundle", "card.md")
    with pytest.raises(BundleError, match="signature is not by SETIA_BUNDLE_KEY"):
        load_bundle(tmp_path / "bundle")


def test_writing_again_replaces_the_bundle_and_leaves_nothing_beside_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    info = TINY_INFO.model_copy(update={"version": "2", "clv_horizon_days": None})
    write_bundle(tmp_path / "bundle", tiny_models(value=False), info, "# Two\n")
    assert load_bundle(tmp_path / "bundle").manifest.version == "2"
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_names_lightgbm_refuses_still_make_a_bundle(tmp_path: Path) -> None:
    odd = FeatureContract(
        columns=tuple(
            FeatureColumn(name=name, definition="d")
            for name in ('customers_a"b', "customers_a:b", "customers_a b", "customers_é")
        )
    )
    loaded = tiny_bundle(tmp_path / "bundle", odd, value=False)
    assert loaded.contract.names == odd.names
    assert len(set(loaded.models.churn.ensemble.members["trees"].booster.feature_name())) == 4
