"""The feature contract: names, kinds and order of a model's inputs, and the hash that ties them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Matrix = npt.NDArray[np.float64]


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

    @property
    def names(self) -> list[str]:
        """Feature names in matrix order."""
        return [column.name for column in self.columns]

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

        A category never seen in training is unknown, as is a missing value.

        Raises FeatureMismatch, listing what is missing, when a column is absent.
        """
        missing = [name for name in self.names if name not in table]
        if missing:
            raise FeatureMismatch(
                f"{len(missing)} of the model's features are missing (first: {missing[0]!r}); "
                "retrain, or give the table it was trained on"
            )
        columns = [_encoded(column, table[column.name]) for column in self.columns]
        return np.column_stack(columns) if columns else np.empty((0, 0))

    def require(self, other: "FeatureContract") -> None:
        """Raise FeatureMismatch with the differences unless `other` is the same contract."""
        if self.hash == other.hash:
            return
        mine, theirs = set(self.columns), set(other.columns)
        lines = [f"  - {column.name}" for column in self.columns if column not in theirs]
        lines += [f"  + {column.name}" for column in other.columns if column not in mine]
        listed = "\n".join(lines[:20]) or "  (the same features in another order)"
        raise FeatureMismatch(f"feature contracts differ; retrain\n{listed}")


def _encoded(column: FeatureColumn, values: Sequence[Any] | npt.NDArray[Any]) -> Matrix:
    if column.kind == "numeric":
        return np.asarray(
            [np.nan if value is None else value for value in values]
            if not isinstance(values, np.ndarray)
            else values,
            dtype=np.float64,
        )
    codes = {category: float(place) for place, category in enumerate(column.categories)}
    return np.array([codes.get(str(value), np.nan) for value in values], dtype=np.float64)
