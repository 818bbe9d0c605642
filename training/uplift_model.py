"""The fitted uplift model as it is served: what contact adds, and whom it would drive away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from features.feature_contract import FeatureContract, Matrix
from training.calibration import sigmoid
from training.families.members import READERS, Linear, Member, Trees, booster_names

Vector = npt.NDArray[np.float64]
Link = Literal["chance", "effect"]
"""A term that scores log odds of the outcome, or the effect itself."""
Family = Literal["trees", "glm"]


class Disturbance(BaseModel):
    """The predicted uplift up to which a customer is not to be disturbed, if harm was shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: float | None
    """None when no harm was shown: then nobody is flagged."""
    slices: tuple[tuple[float, float, float], ...]
    """Highest predicted uplift, effect seen and its upper bound, of each tenth, lowest first."""

    def flags(self, uplift: Vector) -> npt.NDArray[np.bool_]:
        """True for each customer not to be disturbed, from the model's predicted uplift."""
        if self.up_to is None:
            return np.zeros(len(uplift), dtype=bool)
        return np.asarray(uplift <= self.up_to)


NOBODY = Disturbance(up_to=None, slices=())
"""For a ranking by uplift that is not shown to be better than chance."""


class Scale(BaseModel):
    """The straight line from predicted uplift to the change in the chance that a trial saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float
    slope: float

    def apply(self, uplift: Vector) -> Vector:
        """The change for each predicted uplift, in [-1, 1]."""
        return np.clip(self.level + self.slope * uplift, -1.0, 1.0)


@dataclass(frozen=True)
class Term:
    """One fitted model and how it enters the uplift."""

    weight: float
    link: Link
    family: Family
    member: Member

    def predict(self, X: Matrix) -> Vector:
        """The chance or the effect of each row, weighted."""
        raw = self.member.raw(X, np.zeros(len(X)))
        return self.weight * (sigmoid(raw) if self.link == "chance" else raw)

    def __neg__(self) -> "Term":
        return replace(self, weight=-self.weight)


@dataclass(frozen=True)
class UpliftModel:
    """Predicted uplift as a weighted sum of fitted models."""

    learner: str
    terms: tuple[Term, ...]

    def predict(self, X: Matrix) -> Vector:
        """What contact adds to each row's chance of the outcome; larger means it helps."""
        return np.asarray(sum(term.predict(X) for term in self.terms))


class Foreseen(NamedTuple):
    """What contact would do to each of some rows."""

    changes: Vector | None
    """What it adds to the chance of staying; None while the model abstains."""
    do_not_disturb: npt.NDArray[np.bool_]
    """True where it would rather drive away."""


@dataclass(frozen=True)
class Uplift:
    """An uplift model with the verdict on it: whether it ranks, and whom it leaves alone."""

    model: UpliftModel
    ranks: bool
    """Whether randomised evidence has shown that it ranks better than value at risk."""
    verdict: str
    """That evidence in one plain sentence."""
    scale: Scale
    disturbance: Disturbance

    def foreseen(self, X: Matrix) -> Foreseen:
        """What contact would do to each row, of which there may be none."""
        predicted = self.model.predict(X) if len(X) else np.zeros(0)
        changes = self.scale.apply(predicted) if self.ranks else None
        return Foreseen(changes, self.disturbance.flags(predicted))


class _TermPlan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float
    link: Link
    family: Family


class UpliftPlan(BaseModel):
    """`uplift.json`: the model without its terms, which have a file each, and the verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learner: str
    terms: tuple[_TermPlan, ...]
    ranks: bool
    verdict: str
    scale: Scale
    disturbance: Disturbance


PLAN_FILE = "uplift.json"


def uplift_texts(uplift: Uplift) -> dict[str, str]:
    """The text of each of the model's files, by name."""
    terms = uplift.model.terms
    plan = UpliftPlan(
        learner=uplift.model.learner,
        terms=tuple(
            _TermPlan(weight=term.weight, link=term.link, family=term.family) for term in terms
        ),
        ranks=uplift.ranks,
        verdict=uplift.verdict,
        scale=uplift.scale,
        disturbance=uplift.disturbance,
    )
    texts = {_term_file(place): term.member.text() for place, term in enumerate(terms)}
    return {PLAN_FILE: plan.model_dump_json(indent=1), **texts}


def uplift_files(files: Mapping[str, bytes]) -> set[str]:
    """Names of the files that the plan among `files` calls for; none without a plan.

    Raises pydantic.ValidationError when the plan is none.
    """
    if PLAN_FILE not in files:
        return set()
    plan = UpliftPlan.model_validate_json(files[PLAN_FILE])
    return {PLAN_FILE, *(_term_file(place) for place in range(len(plan.terms)))}


def read_uplift(files: Mapping[str, bytes], contract: FeatureContract) -> Uplift | None:
    """The uplift model in `files`, nothing of which is executed; None where there is none.

    Raises pydantic.ValidationError or lightgbm.basic.LightGBMError when a file is not what its
    name says.
    """
    if PLAN_FILE not in files:
        return None
    plan = UpliftPlan.model_validate_json(files[PLAN_FILE])
    terms = tuple(
        Term(one.weight, one.link, one.family, _member(files, place, one.family, contract))
        for place, one in enumerate(plan.terms)
    )
    model = UpliftModel(plan.learner, terms)
    return Uplift(model, plan.ranks, plan.verdict, plan.scale, plan.disturbance)


def misfit_uplift(uplift: Uplift, contract: FeatureContract) -> bool:
    """Whether some term takes other features than the contract has."""
    return not all(_fits(term.member, contract) for term in uplift.model.terms)


def _fits(member: Member, contract: FeatureContract) -> bool:
    if isinstance(member, Trees):
        return bool(member.booster.feature_name() == booster_names(contract))
    if isinstance(member, Linear):
        return set(member.glm.names) <= set(contract.names) and not member.glm.offset_weight
    return False


def _member(
    files: Mapping[str, bytes], place: int, family: Family, contract: FeatureContract
) -> Member:
    return READERS[family](files[_term_file(place)].decode(), contract)


def _term_file(place: int) -> str:
    return f"uplift.{place}.txt"
