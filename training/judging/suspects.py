"""Features that nearly decide the label by themselves: more often a leak than a discovery."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.catalogue import feature_named
from training.baselines import feature_rules, thinned
from training.dataset import Dataset, Vector
from training.metrics import measure, roc_auc

_DECIDES_AUC = 0.97
_FEWEST_ROWS = 30
_MOST_LEVELS = 20
_PURE = 0.99
_SHARE_OF_CHURNERS = 0.2
_HIGHEST_BASE_RATE = 0.8


class SuspectedLeak(ValueError):
    """Features that know the answer too well; the message names them and what to do."""


@dataclass(frozen=True)
class Suspect:
    """One feature and how it gives the label away, in words."""

    name: str
    how: str


def refuse_suspects(train: Dataset, allowed: Sequence[str]) -> None:
    """Raise SuspectedLeak if a feature not in `allowed` nearly decides churn on these rows."""
    found = [suspect for suspect in suspects(train) if suspect.name not in allowed]
    if not found:
        return
    listed = "; ".join(f"{suspect.name!r} {suspect.how}" for suspect in found)
    raise SuspectedLeak(
        f"{listed}. A single feature that nearly decides the label usually knows the answer: "
        "it was written or changed after the customer left. Take it out of the sources, or, if "
        "it was truly known before the cutoff, list it in training.allowed_features"
    )


def suspects(train: Dataset) -> list[Suspect]:
    """Every feature that ranks churn at AUC 0.97 or better, or has a value that settles it.

    A value settles it when at least 99 % of its rows churned and it holds a fifth of all
    churners. That cannot be told from luck when over 80 % churn anyway, so it is not asked then.
    """
    rows = thinned(train)
    churned = np.asarray(rows.churned, dtype=np.float64)
    found = []
    for position, column in enumerate(rows.contract.columns):
        values = rows.X[:, position]
        rules = feature_rules(position, column, values, churned)
        best = max(measure(roc_auc, churned, rule.score(rows)) for rule in rules)
        if best >= _DECIDES_AUC:
            found.append(Suspect(column.name, f"alone ranks churn with AUC {best:.3f}"))
        elif level := _settling_level(values, churned):
            found.append(Suspect(column.name, _settled(column.name, column.categories, *level)))
    return found


def _settling_level(values: Vector, churned: Vector) -> tuple[float, int] | None:
    """A value of few that means churned almost always, and the rows that hold it."""
    levels = np.unique(values)
    if len(levels) > _MOST_LEVELS or churned.mean() > _HIGHEST_BASE_RATE:
        return None
    for level in levels:
        held = np.isnan(values) if np.isnan(level) else values == level
        left = churned[held].sum()
        enough = held.sum() >= _FEWEST_ROWS and left >= _SHARE_OF_CHURNERS * churned.sum()
        if enough and left >= _PURE * held.sum():
            return float(level), int(held.sum())
    return None


def _settled(name: str, categories: Sequence[str], level: float, rows: int) -> str:
    value = "missing" if np.isnan(level) else categories[int(level)] if categories else f"{level:g}"
    meaning = feature_named(name).meaning
    return f"({meaning}) is {value!r} on {rows:,} rows, of which at least 99 % churned"
