"""The families of models in an ensemble: how each scores, explains itself and is stored.

To add a family, write a class with the methods of `Member` in a module of its own, a function
that fits it in `training.families.ensemble_fit.FITS`, and its reader here in `READERS`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from features.feature_contract import FeatureContract, Matrix
from training.families.glm import Glm, Places
from training.one_or_many import Number

if TYPE_CHECKING:
    import lightgbm as lgb

    from training.families.one_row import OneRow


class Member(Protocol):
    """One fitted model of an ensemble; all scores are on the link scale of the objective."""

    def raw(self, X: Matrix, offset: Number) -> Number:
        """Score of each row, whose BTYD forecast is `offset` (zeros where there is none).

        With a float for `offset`, `X` is a row alone, not a matrix; its score has the same bits.
        """
        ...

    def contributions(self, X: Matrix, explained: Matrix) -> Matrix:
        """What each feature adds to the score, rows x features, without the constant.

        `explained` is the same for the offset.
        """
        ...

    def text(self) -> str:
        """The member as its file in a bundle."""
        ...


@dataclass(frozen=True)
class Trees:
    """Boosted trees, on their own or on top of the forecast."""

    booster: "lgb.Booster"
    on_forecast: bool

    def raw(self, X: Matrix, offset: Number) -> Number:
        """The booster's log odds or log mean of each row."""
        score: Any
        if isinstance(offset, float):
            score = self._one_row.raw(X)
        else:
            score = np.asarray(self.booster.predict(X, raw_score=True, num_threads=1))
        whole: Number = score + offset if self.on_forecast else score
        return whole

    def contributions(self, X: Matrix, explained: Matrix) -> Matrix:
        """Exact SHAP values of the trees (Lundberg et al. 2020)."""
        with_bias = self.booster.predict(X, pred_contrib=True, num_threads=1)
        own = np.asarray(with_bias, dtype=np.float64)[:, :-1]
        return own + explained if self.on_forecast else own

    def text(self) -> str:
        """LightGBM's own text."""
        return str(self.booster.model_to_string())

    @cached_property
    def _one_row(self) -> "OneRow":
        from training.families.one_row import OneRow

        return OneRow(self.booster)


@dataclass(frozen=True)
class Linear:
    """A generalised linear model, on its own or on top of the forecast."""

    glm: Glm
    contract: FeatureContract

    def raw(self, X: Matrix, offset: Number) -> Number:
        """The linear score of each row."""
        return self.glm.raw(X, self._places, offset)

    def contributions(self, X: Matrix, explained: Matrix) -> Matrix:
        """The terms of the score."""
        own = self.glm.contributions(X, self._places)
        return own + self.glm.offset_weight * explained

    def text(self) -> str:
        """JSON."""
        return self.glm.model_dump_json(indent=1)

    @cached_property
    def _places(self) -> Places:
        names = self.contract.names
        return np.array([names.index(name) for name in self.glm.names], dtype=np.int64)


@dataclass(frozen=True)
class ForecastAlone:
    """The BTYD forecast itself; its parameters are the ensemble's."""

    def raw(self, X: Matrix, offset: Number) -> Number:  # noqa: ARG002
        """The forecast."""
        return offset

    def contributions(self, X: Matrix, explained: Matrix) -> Matrix:  # noqa: ARG002
        """The forecast's own."""
        return explained

    def text(self) -> str:
        """Nothing of its own."""
        return "{}"


def _read_trees(text: str, *, on_forecast: bool) -> Trees:
    import lightgbm as lgb

    return Trees(lgb.Booster(model_str=text), on_forecast)


def _read_linear(text: str, contract: FeatureContract) -> Linear:
    return Linear(Glm.model_validate_json(text), contract)


READERS: Mapping[str, Callable[[str, FeatureContract], Member]] = {
    "btyd": lambda *_: ForecastAlone(),
    "trees": lambda text, _: _read_trees(text, on_forecast=False),
    "trees_on_btyd": lambda text, _: _read_trees(text, on_forecast=True),
    "glm": _read_linear,
    "glm_on_btyd": _read_linear,
}
"""Family to how its file is read."""


def booster_names(contract: FeatureContract) -> list[str]:
    """The contract's names as LightGBM accepts them: ASCII word characters, each name once."""
    names: list[str] = []
    for place, name in enumerate(contract.names):
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        names.append(f"{plain}__{place}" if plain in names else plain)
    return names
