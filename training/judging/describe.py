"""One feature in your own data: what it means, how it is spread, and how it goes with churn."""

import difflib
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from features.catalogue import CATALOGUE, feature_named
from features.config import PipelineConfig
from features.feature_contract import FeatureColumn, FeatureMismatch
from features.labels import latest_matured
from features.snapshot import Snapshot
from training.dataset import Dataset, Vector, build_dataset

_BANDS = 5


class UnknownFeature(ValueError):
    """No feature has this name; the message gives the nearest ones."""


@dataclass(frozen=True)
class Band:
    """Customers whose value lies in one part of the range, and how many of them churned."""

    label: str
    customers: int
    churned: float
    """Share of them that churned within the horizon."""


@dataclass(frozen=True)
class Description:
    """A feature's declaration and what it looks like at the latest matured cutoff."""

    name: str
    meaning: str
    meaning_id: str
    unit: str
    window_days: int | None
    respects: str
    """The time columns that say what was known."""
    cutoff: datetime
    customers: int
    missing: float
    bands: tuple[Band, ...]
    example: str
    """Its reason sentence at the median (or commonest) value."""
    example_id: str


def describe_feature(snapshot: Snapshot, config: PipelineConfig, name: str) -> Description:
    """Describe feature `name` at the latest cutoff whose churn labels are final.

    Raises UnknownFeature for a name the catalogue does not have, FeatureMismatch when the
    snapshot lacks the columns it needs, and what building labels raises.
    """
    _require_known(name)
    cutoff = latest_matured(snapshot, config.churn.horizon_days)
    data = build_dataset(snapshot, config, (cutoff,), "churn")
    if name not in data.contract.names:
        raise FeatureMismatch(
            f"{name!r} needs columns that are not mapped; docs/feature-catalogue.md names its table"
        )
    place = data.contract.names.index(name)
    feature, column = feature_named(name), data.contract.columns[place]
    values = data.X[:, place]
    typical = _typical(values, column)
    return Description(
        name=name,
        meaning=feature.meaning,
        meaning_id=feature.meaning_id,
        unit=feature.unit,
        window_days=feature.window_days,
        respects=feature.time,
        cutoff=cutoff,
        customers=len(data),
        missing=float(np.isnan(values).mean()),
        bands=_bands(values, data, column),
        example=feature.sentence(typical, "en", config.currency),
        example_id=feature.sentence(typical, "id", config.currency),
    )


def _require_known(name: str) -> None:
    try:
        feature_named(name)
    except KeyError:
        close = difflib.get_close_matches(name, CATALOGUE, 3, cutoff=0.4)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UnknownFeature(f"no feature {name!r} in the catalogue{hint}") from None


def _typical(values: Vector, column: FeatureColumn) -> float | str | None:
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    if column.kind == "category":
        return column.categories[int(np.bincount(known.astype(int)).argmax())]
    return float(np.median(known))


def _bands(values: Vector, data: Dataset, column: FeatureColumn) -> tuple[Band, ...]:
    """Fifths of the known values (or each of few, or each category), then those without one."""
    churned = np.asarray(data.churned, dtype=np.float64)
    unknown = np.isnan(values)
    masks = _category_masks(values, column) if column.kind == "category" else _fifths(values)
    masks["no value"] = unknown
    return tuple(
        Band(label, int(mask.sum()), float(churned[mask].mean()))
        for label, mask in masks.items()
        if mask.any()
    )


def _fifths(values: Vector) -> dict[str, np.ndarray]:
    known = values[~np.isnan(values)]
    levels = np.unique(known)
    if len(levels) <= _BANDS:
        return {f"{level:,.6g}": values == level for level in levels}
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BANDS + 1), method="higher"))
    masks = {}
    for low, high in pairwise(edges):
        last = high == edges[-1]
        inside = (values >= low) & ((values <= high) if last else (values < high))
        masks[f"{low:,.6g} to {'' if last else 'below '}{high:,.6g}"] = inside
    return masks


def _category_masks(values: Vector, column: FeatureColumn) -> dict[str, np.ndarray]:
    return {label: values == place for place, label in enumerate(column.categories)}
