"""What `benchmarks.quality` measures of a forecast, and the paired differences between two."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training import metrics
from training.dataset import Vector
from training.metrics import Metric, bins, bootstrap, measure

SETIA = "Setia"
DRAWS, SEED = 200, 7
COLUMNS: Mapping[str, tuple[str, Metric]] = {
    "AUC": ("churn", metrics.roc_auc),
    "Brier": ("churn", metrics.brier),
    "log loss": ("churn", metrics.log_loss),
    "ECE": ("churn", metrics.expected_calibration_error),
    "orders RMSE": ("orders", metrics.rmse),
    "orders total": ("orders", metrics.total_ratio),
    "spend RMSE": ("spend", metrics.rmse),
    "spend Gini": ("spend", metrics.normalised_gini),
    "spend total": ("spend", metrics.total_ratio),
    "spend decile MAPE": ("spend", metrics.decile_error),
}
"""Column to the quantity it judges and its metric; total is predicted over actual."""
HIGHER_IS_BETTER = frozenset({"AUC", "spend Gini"})


@dataclass(frozen=True)
class Forecast:
    """What one method says of each test customer at the cutoff."""

    churn: Vector
    """Probability of churn; for shops, of no purchase within the horizon."""
    orders: Vector | None = None
    """Purchase days within the horizon."""
    spend: Vector | None = None
    """Net value within the horizon, in the currency."""
    low: Vector | None = None
    high: Vector | None = None
    """Ends of a 90 % interval for spend, where the method gives one."""


@dataclass(frozen=True)
class Coverage:
    """Share of customers whose spend lies inside its 90 % interval."""

    overall: float
    buyers: float
    deciles: tuple[float, ...]
    """By predicted spend, lowest first."""


@dataclass(frozen=True)
class Scores:
    """One method on one split: each column's value, and its value in each bootstrap draw."""

    points: Mapping[str, float]
    draws: Mapping[str, Vector]
    coverage: Coverage | None


@dataclass(frozen=True)
class Difference:
    """First method minus second, with the paired 95 % bootstrap interval over customers."""

    point: float
    low: float
    high: float


def score(
    actual: Mapping[str, Vector], customer_id: npt.NDArray[np.str_], forecast: Forecast
) -> Scores:
    """Every column of one forecast; every method sees the same draws of customers.

    `actual` holds what happened by the names of Forecast; what it lacks is not judged.
    """
    points: dict[str, float] = {}
    draws: dict[str, Vector] = {}
    for quantity, happened in actual.items():
        said = {"it": getattr(forecast, quantity)}
        asked = {name: metric for name, (of, metric) in COLUMNS.items() if of == quantity}
        points |= {name: measure(metric, happened, said["it"]) for name, metric in asked.items()}
        draws |= bootstrap(asked, happened, said, customer_id, draws=DRAWS, seed=SEED)["it"]
    return Scores(points, draws, _coverage(actual.get("spend"), forecast))


def difference(first: Scores, second: Scores, column: str) -> Difference:
    """How far `first` is above `second` in a column."""
    drawn = first.draws[column] - second.draws[column]
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Difference(first.points[column] - second.points[column], float(low), float(high))


def _coverage(spend: Vector | None, forecast: Forecast) -> Coverage | None:
    if spend is None or forecast.spend is None or forecast.low is None or forecast.high is None:
        return None
    inside = (forecast.low <= spend) & (spend <= forecast.high)
    decile = bins(forecast.spend)
    return Coverage(
        float(inside.mean()),
        float(inside[spend > 0].mean()),
        tuple(float(inside[decile == number].mean()) for number in np.unique(decile)),
    )
