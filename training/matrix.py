"""The matrix of a feature table under its contract, filled part by part."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from features.catalogue import feature_named
from features.config import PipelineConfig
from features.feature_contract import FeatureColumn, FeatureContract, Matrix
from features.snapshot import Snapshot
from features.table import catalogue_contract, feature_parts

MOST_CATEGORIES = 100


def feature_matrix(
    snapshot: Snapshot, config: PipelineConfig, spine: pa.Table, contract: FeatureContract | None
) -> tuple[Matrix, FeatureContract]:
    """Features of each row of `spine`, rows x features, and their contract.

    Where none is given it is the catalogue's, with the categories seen here. Beside a matrix of
    gigabytes there is no room for a table of the same, so the parts of one are encoded in turn.
    """
    plain = contract or _contract(snapshot, config)
    X = np.empty((len(spine), len(plain.columns)))
    texts = []
    for places, part in feature_parts(snapshot, spine):
        X[places] = plain.encode(_columns(part, plain))
        if contract is None:
            texts.append((places, part.select([plain.names[at] for at in plain.categorical])))
        del part  # Else it would stay beside the next one while that is made.
    if contract or not plain.categorical:
        return X, plain
    known = _with_categories(plain, [part for _, part in texts])
    chosen = FeatureContract(columns=tuple(known.columns[at] for at in known.categorical))
    for places, part in texts:
        X[places[:, None], known.categorical] = chosen.encode(_columns(part, chosen))
    return X, known


def _contract(snapshot: Snapshot, config: PipelineConfig) -> FeatureContract:
    """The catalogue's contract, no categories known yet, without the label itself.

    A number that is the company's own is the same for everybody at a cutoff: it ranks nobody, and
    among a handful of cutoffs it only tells them apart, so models do not learn from it. A given
    label has no cutoff, so only the customers table, which holds it, may explain it.
    """
    columns = tuple(
        column
        for column in catalogue_contract(snapshot).columns
        if feature_named(column.name).group != "company"
    )
    if config.churn.label == "column":
        label = f"customers_{config.churn.column}"
        labels = {label, f"{label}_given"}
        about = {column for column in columns if feature_named(column.name).source == "customers"}
        columns = tuple(
            column for column in columns if column in about and column.name not in labels
        )
    return FeatureContract(columns=columns)


def _with_categories(contract: FeatureContract, parts: Sequence[pa.Table]) -> FeatureContract:
    """The contract with the commonest values of each category, in alphabetical order."""

    def seen(column: FeatureColumn) -> FeatureColumn:
        if column.kind == "numeric":
            return column
        values = Counter(value for part in parts for value in part[column.name].to_pylist())
        del values[None]
        common = sorted(values, key=lambda value: (-values[value], value))[:MOST_CATEGORIES]
        return column.model_copy(update={"categories": tuple(sorted(common))})

    return FeatureContract(columns=tuple(map(seen, contract.columns)))


def _columns(table: pa.Table, contract: FeatureContract) -> dict[str, Any]:
    """The table's columns as `FeatureContract.encode` takes them."""
    return {
        column.name: np.asarray(table[column.name].to_numpy(), dtype=np.float64)
        if column.kind == "numeric"
        else table[column.name].to_pylist()
        for column in contract.columns
        if column.name in table.column_names
    }
