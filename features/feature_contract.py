"""The feature contract: names, kinds and order of a model's inputs, and the hash that ties them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Matrix = npt.NDArray[np.float64]


_LISTED = 5
_LINES = 20
_ROWS_AT_ONCE = 65_536


class FeatureMismatch(ValueError):
    """A feature table does not fit the contract a model was trained under."""


class FeatureColumn(BaseModel):
    """One model input: a number, or a category written as its place in `categories`."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["numeric", "category"] = "numeric"
    categories: tuple[str, ...] = ()
    definition: str
    """Digest of the catalogue's declaration; it changes when the computation does."""


class FeatureContract(BaseModel):
    """A model's inputs in order; two contracts with the same hash are interchangeable."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[FeatureColumn, ...]

    @cached_property
    def names(self) -> list[str]:
        """Feature names in matrix order."""
        return [column.name for column in self.columns]

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each feature, by name."""
        return {name: place for place, name in enumerate(self.names)}

    @property
    def categorical(self) -> list[int]:
        """Positions of the category columns."""
        return [i for i, column in enumerate(self.columns) if column.kind == "category"]

    @property
    def hash(self) -> str:
        """SHA-256 over names, kinds, categories and definitions, in order."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def encode(self, table: Mapping[str, Sequence[Any] | npt.NDArray[Any]]) -> Matrix:
        """Turn named columns into the model's matrix, rows x features, NaN where unknown.

        Unknown is what is missing, an infinite number, and a category never seen in training.

        Raises FeatureMismatch, listing what is missing, when a column is absent, and naming the
        value when a number is none.
        """
        missing = [name for name in self.names if name not in table]
        if missing:
            listed = ", ".join(repr(name) for name in missing[:_LISTED])
            raise FeatureMismatch(
                f"{len(missing)} of the model's features are missing ({listed}"
                f"{', …' if len(missing) > _LISTED else ''}); "
                "retrain, or give the table it was trained on"
            )
        if not self.columns:
            return np.empty((0, 0))
        # Filled in place: beside a table of gigabytes there is no room for every column twice.
        X = np.empty((len(table[self.names[0]]), len(self.columns)))
        for place, column in enumerate(self.columns):
            X[:, place] = _encoded(column, table[column.name])
        for start in range(0, len(X), _ROWS_AT_ONCE):
            part = X[start : start + _ROWS_AT_ONCE]
            part[np.isinf(part)] = np.nan
        return X

    def require(self, other: "FeatureContract") -> None:
        """Raise FeatureMismatch with the differences unless `other` is the same contract.

        Lines begin with - for what only this contract has, + for what only `other` has, and ~ for
        a feature that both have but not alike.
        """
        if self.hash == other.hash:
            return
        lines = _differences(self.columns, other.columns)
        listed = "\n".join(f"  {line}" for line in lines[:_LINES])
        more = f"\n  and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        raise FeatureMismatch(
            "feature contracts differ; retrain, or give the table the model was trained on "
            f"(- missing, + not known to the model, ~ changed)\n{listed}{more}"
        )


def _differences(mine: Sequence[FeatureColumn], theirs: Sequence[FeatureColumn]) -> list[str]:
    """One line for each feature that is not alike on both sides."""
    here, there = ({column.name: column for column in side} for side in (mine, theirs))
    lines = [f"- {name}" for name in here if name not in there]
    lines += [f"+ {name}" for name in there if name not in here]
    lines += [
        f"~ {name}: {_change(column, there[name])}"
        for name, column in here.items()
        if name in there and column != there[name]
    ]
    return lines or ["(the same features in another order)"]


def _change(mine: FeatureColumn, theirs: FeatureColumn) -> str:
    """How a feature differs, most telling first."""
    if mine.kind != theirs.kind:
        return f"a {mine.kind} feature for the model, {theirs.kind} now"
    if mine.definition != theirs.definition:
        return "computed otherwise now"
    gone, new = (
        ", ".join(repr(one) for one in sorted(set(left) - set(right))[:_LISTED]) or "none"
        for left, right in (
            (mine.categories, theirs.categories),
            (theirs.categories, mine.categories),
        )
    )
    return f"other categories (gone: {gone}; new: {new})"


def _encoded(column: FeatureColumn, values: Sequence[Any] | npt.NDArray[Any]) -> Matrix:
    if column.kind == "category":
        codes = {category: float(place) for place, category in enumerate(column.categories)}
        return np.array([codes.get(str(value), np.nan) for value in values], dtype=np.float64)
    if not isinstance(values, np.ndarray):
        values = [np.nan if value is None else value for value in values]
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        odd = next(value for value in values if not _is_number(value))
        raise FeatureMismatch(
            f"{column.name!r} is a number to the model, but {odd!r} is none; give it as a number, "
            "or train with it as a category"
        ) from None


def _is_number(value: Any) -> bool:
    try:
        return float(np.nan if value is None else value) is not None
    except (TypeError, ValueError):
        return False
