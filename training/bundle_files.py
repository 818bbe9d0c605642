"""Models as the text files of a bundle, and back: JSON plans and tables, LightGBM's own text."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from features.feature_contract import FeatureContract
from training.calibration import Calibration
from training.families.ensemble import Ensemble
from training.families.forecast import Forecast, can_forecast
from training.families.glm import Objective
from training.families.members import READERS, Linear, Trees, booster_names
from training.intervals import IntervalTable
from training.models import ChurnModel, Models, OrdersModel, ValueModel
from training.timing.hazard import Hazard
from training.typical import Typical
from training.uplift_model import misfit_uplift, read_uplift, uplift_files, uplift_texts

_BASE = frozenset({"contract.json", "calibration.json"})
_OPTIONAL = frozenset({"hazard.json", "typical.json"})
_PLANS = {
    "churn": frozenset[str](),
    "orders": frozenset[str](),
    "clv": frozenset({"intervals.json"}),
}
"""Each ensemble, and the tables that come with it."""


def _known_family(family: str) -> str:
    if family not in READERS:
        raise ValueError(f"no family is called {family!r}; it may need a later version of Setia")
    return family


class Plan(BaseModel):
    """An ensemble without its members: which there are, and how they are put together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Objective
    weights: dict[Annotated[str, AfterValidator(_known_family)], float]
    """Family to weight; each has a file of its own."""
    forecast: Forecast | None
    unit: float
    level: float


def model_texts(models: Models) -> dict[str, str]:
    """The text of each file, by name."""
    texts = {
        "contract.json": models.contract.model_dump_json(indent=1),
        "calibration.json": models.churn.calibration.model_dump_json(indent=1),
        **_ensemble_texts("churn", models.churn.ensemble, 1.0),
    }
    if models.orders:
        texts |= _ensemble_texts("orders", models.orders.ensemble, models.orders.level)
    if models.value:
        texts |= _ensemble_texts("clv", models.value.ensemble, models.value.level)
        texts["intervals.json"] = models.value.intervals.model_dump_json(indent=1)
    if models.hazard:
        texts["hazard.json"] = models.hazard.model_dump_json(indent=1)
    if models.typical:
        texts["typical.json"] = models.typical.model_dump_json(indent=1)
    return texts | (uplift_texts(models.uplift) if models.uplift else {})


def wanted_files(files: Mapping[str, bytes]) -> set[str]:
    """Names of the files that the plans among `files` call for.

    Raises pydantic.ValidationError when a plan is none.
    """
    wanted = set(_BASE) | {"churn.json"} | (_OPTIONAL & files.keys())
    for name, tables in _PLANS.items():
        if f"{name}.json" not in files:
            continue
        plan = Plan.model_validate_json(files[f"{name}.json"])
        members = {_member_file(name, family) for family in plan.weights if family in READERS}
        wanted |= {f"{name}.json"} | tables | members
    return wanted | uplift_files(files)


def read_models(files: Mapping[str, bytes]) -> Models:
    """The models in `files`, nothing of which is executed.

    Raises pydantic.ValidationError or lightgbm.basic.LightGBMError when a file is not what its
    name says.
    """
    contract = FeatureContract.model_validate_json(files["contract.json"])
    calibration = Calibration.model_validate_json(files["calibration.json"])
    orders = value = None
    if "orders.json" in files:
        orders = OrdersModel(*_ensemble("orders", files, contract))
    if "clv.json" in files:
        intervals = IntervalTable.model_validate_json(files["intervals.json"])
        value = ValueModel(*_ensemble("clv", files, contract), intervals)
    churn = ChurnModel(_ensemble("churn", files, contract)[0], calibration)
    hazard, typical = files.get("hazard.json"), files.get("typical.json")
    return Models(
        contract,
        churn,
        orders,
        value,
        Hazard.model_validate_json(hazard) if hazard else None,
        Typical.model_validate_json(typical) if typical else None,
        read_uplift(files, contract),
    )


def misfit(models: Models) -> bool:
    """Whether some member takes other features than the contract has, or a forecast not there."""
    ensembles = [part.ensemble for part in (models.churn, models.orders, models.value) if part]
    if models.uplift and misfit_uplift(models.uplift, models.contract):
        return True
    return any(_misfit(ensemble, models.contract) for ensemble in ensembles)


def _misfit(ensemble: Ensemble, contract: FeatureContract) -> bool:
    if ensemble.forecast and not can_forecast(contract.names):
        return True
    names, trained_on = set(contract.names), booster_names(contract)
    for member in ensemble.members.values():
        if isinstance(member, Trees):
            fits, forecast = member.booster.feature_name() == trained_on, member.on_forecast
        elif isinstance(member, Linear):
            fits, forecast = set(member.glm.names) <= names, member.glm.offset_weight != 0
        else:
            fits, forecast = True, True
        if not fits or (forecast and not ensemble.forecast):
            return True
    return False


def _ensemble_texts(name: str, ensemble: Ensemble, level: float) -> dict[str, str]:
    """The ensemble's plan and one file for each member."""
    plan = Plan(
        objective=ensemble.objective,
        weights=dict(ensemble.weights),
        forecast=ensemble.forecast,
        unit=ensemble.unit,
        level=level,
    )
    members = {
        _member_file(name, family): member.text() for family, member in ensemble.members.items()
    }
    return {f"{name}.json": plan.model_dump_json(indent=1), **members}


def _member_file(name: str, family: str) -> str:
    return f"{name}.{family}.txt"


def _ensemble(
    name: str, files: Mapping[str, bytes], contract: FeatureContract
) -> tuple[Ensemble, float]:
    """An ensemble as its files say, and its level."""
    plan = Plan.model_validate_json(files[f"{name}.json"])
    members = {
        family: READERS[family](files[_member_file(name, family)].decode(), contract)
        for family in plan.weights
    }
    ensemble = Ensemble(contract, plan.objective, members, plan.weights, plan.forecast, plan.unit)
    return ensemble, plan.level
