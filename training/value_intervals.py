"""Which intervals CLV gets: conformal or simulated, whichever an earlier period has proved."""

from typing import Literal

import numpy as np

from training.btyd.simulation import simulate_spend
from training.families.ensemble import Ensemble
from training.families.forecast import Standpoint, history_of
from training.families.glm import Vector
from training.intervals import LEVEL, IntervalTable, fit_intervals

Source = Literal["conformal", "simulated"]

_DRAWS = 200
_MOST_CUSTOMERS = 5_000


def simulated_intervals(
    ensemble: Ensemble, factor: float, at: Standpoint, seed: int
) -> IntervalTable:
    """Intervals that hold if customers order and spend as BTYD draws them at a standpoint.

    Each draw is scaled by what the ensemble expects of its customer over what BTYD does; then
    draws take the place of actual values in `fit_intervals`. At most 5,000 customers are drawn,
    evenly spread over the predictions.
    """
    forecast = ensemble.forecast
    if forecast is None:
        raise ValueError("values can be simulated only where BTYD forecasts them")
    predicted = ensemble.predict(at.X) * factor
    every = -(-len(predicted) // _MOST_CUSTOMERS)
    chosen = np.argsort(predicted, kind="stable")[:: max(1, every)]
    names = ensemble.contract.names
    history = history_of(at.X[chosen], names)
    days = forecast.horizon_days
    drawn = simulate_spend(forecast.btyd, history, days, draws=_DRAWS, seed=seed)
    expected = forecast.btyd.predict(history, days).expected_spend
    scaled = drawn * (predicted[chosen] / np.maximum(expected, 1e-9))[:, None]
    return fit_intervals(np.repeat(predicted[chosen], _DRAWS), scaled.ravel())


def better_source(tables: dict[Source, IntervalTable], predicted: Vector, actual: Vector) -> Source:
    """The source whose intervals have the lower mean interval score on what came.

    Source: Gneiting and Raftery (2007), equation 43: width plus 2 / (1 - level) times the miss.
    """
    return min(tables, key=lambda source: _score(tables[source], predicted, actual))


def _score(table: IntervalTable, predicted: Vector, actual: Vector) -> float:
    low, high = table.apply(predicted)
    missed = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
    return float(np.mean(high - low + 2.0 / (1.0 - LEVEL) * missed))
