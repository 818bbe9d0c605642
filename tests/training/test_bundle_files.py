"""A bundle of whole ensembles: what is read back is what was written, or it is refused."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from features.config import TrainingConfig
from features.feature_contract import FeatureContract
from tests.tiny_bundle import TINY_INFO
from tests.training.buyers import CONTRACT, buyers, forecast_of
from training.bundle import Bundle, BundleError, load_bundle, write_bundle
from training.bundle_files import misfit, model_texts, read_models, wanted_files
from training.calibration_fit import isotonic
from training.families.boosting import Examples
from training.families.ensemble import Ensemble
from training.families.ensemble_fit import FITS, fit_ensemble
from training.families.glm import Objective
from training.intervals import fit_intervals
from training.models import ChurnModel, Models, OrdersModel, ValueModel

FIELDS = ("propensity", "expected_orders", "clv", "clv_low", "clv_high")
DATA = buyers(1_050, seed=1)
X = buyers(100, seed=2).X


def ensemble_of(target: np.ndarray, objective: Objective) -> Ensemble:
    """All five families, their forecast stretched from 90 to 180 days."""
    unit = float(target.mean()) if objective == "tweedie" else 1.0
    forecast = forecast_of(objective, DATA.X, unit).model_copy(update={"horizon_days": 180})
    examples = Examples(DATA.X, target / unit, CONTRACT, objective, unit=unit)
    training = TrainingConfig(seed=7, threads=1)
    return fit_ensemble(examples, DATA.customer_id, forecast, training).ensemble


@cache
def models() -> Models:
    churn, value = ensemble_of(DATA.churned, "binary"), ensemble_of(DATA.value, "tweedie")
    intervals = fit_intervals(value.predict(DATA.X), DATA.value)
    return Models(
        CONTRACT,
        ChurnModel(churn, isotonic(churn.predict(DATA.X), DATA.churned)),
        OrdersModel(ensemble_of(DATA.orders, "poisson"), 1.01),
        ValueModel(value, 0.97, intervals),
    )


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.delenv("SETIA_BUNDLE_KEY", raising=False)
    return write_bundle(tmp_path / "bundle", models(), TINY_INFO, "# Generated buyers\n")


def files() -> dict[str, bytes]:
    return {name: text.encode() for name, text in model_texts(models()).items()}


def changed(name: str, **changes: object) -> dict[str, bytes]:
    """The files, with keys of one JSON file replaced."""
    content = json.loads(files()[name]) | changes
    return files() | {name: json.dumps(content).encode()}


def forge(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and make the manifest agree."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_all_five_families_come_back_to_the_same_bits(bundle: Bundle) -> None:
    assert set(bundle.models.churn.ensemble.members) == set(FITS)
    written, read = models().predict(X), bundle.predict(X)
    for field in FIELDS:
        assert np.array_equal(getattr(written, field), getattr(read, field)), field
    assert np.array_equal(models().contributions(X), bundle.contributions(X))


def test_one_row_alone_is_read_back_to_the_bit_as_in_a_batch(bundle: Bundle) -> None:
    whole = bundle.predict(X)
    for place in range(25):
        alone = bundle.predict(X[place : place + 1])
        for field in FIELDS:
            assert getattr(alone, field)[0] == getattr(whole, field)[place], field


def test_what_is_read_is_written_again_to_the_same_bytes(bundle: Bundle) -> None:
    assert model_texts(bundle.models) == model_texts(models())


def test_order_of_adding_survives_so_that_sums_do_not_move(bundle: Bundle) -> None:
    assert tuple(bundle.models.value.ensemble.members) == tuple(FITS)


def test_a_family_nobody_can_read_is_refused_by_name(bundle: Bundle, tmp_path: Path) -> None:
    content = changed("churn.json", weights={"trees": 0.5, "ridge": 0.5})["churn.json"]
    forge(tmp_path / "bundle", "churn.json", content)
    with pytest.raises(BundleError, match="no family is called 'ridge'; it may need a later"):
        load_bundle(tmp_path / "bundle")


def test_a_linear_model_of_a_feature_outside_the_contract_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    name = "clv.glm.txt"
    glm = json.loads(files()[name])
    names = ["weather_rain_90d", *glm["names"][1:]]
    assert misfit(read_models(changed(name, names=names)))
    forge(tmp_path / "bundle", name, changed(name, names=names)[name])
    with pytest.raises(BundleError, match=r"takes other features than contract\.json"):
        load_bundle(tmp_path / "bundle")
    assert not misfit(read_models(files()))


def test_a_plan_names_the_files_it_needs() -> None:
    assert wanted_files(files()) == set(files())
    fewer = changed("orders.json", weights={"btyd": 1.0})
    assert set(files()) - wanted_files(fewer) == {
        "orders.glm.txt",
        "orders.glm_on_btyd.txt",
        "orders.trees.txt",
        "orders.trees_on_btyd.txt",
    }


def test_a_member_left_over_from_another_plan_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    content = changed("orders.json", weights={"btyd": 1.0})["orders.json"]
    forge(tmp_path / "bundle", "orders.json", content)
    with pytest.raises(BundleError, match=r"'orders\.glm\.txt' has no place in a bundle"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("churn.json", b"{}"),
        ("churn.json", b"not json"),
        ("churn.glm.txt", b"{}"),
        ("churn.trees.txt", b"not a booster"),
        ("intervals.json", b"[]"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    bundle: Bundle, tmp_path: Path, name: str, content: bytes
) -> None:
    forge(tmp_path / "bundle", name, content)
    with pytest.raises(BundleError, match="cannot be read as a bundle"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("shorter", ["coefficients", "centre", "spread"])
def test_a_linear_model_with_a_number_missing_is_refused(
    bundle: Bundle, tmp_path: Path, shorter: str
) -> None:
    name = "churn.glm.txt"
    numbers = json.loads(files()[name])[shorter][:-1]
    forge(tmp_path / "bundle", name, changed(name, **{shorter: numbers})[name])
    with pytest.raises(BundleError, match="cannot be read as a bundle"):
        load_bundle(tmp_path / "bundle")


def test_a_forecast_of_features_outside_the_contract_is_a_misfit() -> None:
    columns = tuple(column for column in CONTRACT.columns if column.name != "orders_value_mean")
    other = FeatureContract(columns=columns)
    btyd = {"weights": {"btyd": 1.0}}
    only = {name: changed(name, **btyd)[name] for name in ("churn.json", "clv.json", "orders.json")}
    contract = {"contract.json": other.model_dump_json().encode()}
    assert misfit(read_models(files() | only | contract))
    assert not misfit(read_models(files() | only))


def test_a_member_on_a_forecast_that_the_plan_lacks_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    forge(tmp_path / "bundle", "churn.json", changed("churn.json", forecast=None)["churn.json"])
    with pytest.raises(BundleError, match="takes other features"):
        load_bundle(tmp_path / "bundle")
