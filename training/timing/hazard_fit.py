"""Learning a hazard's shape from when the customers of the training rows returned, or left."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import minimize

from features.config import ChurnConfig, PipelineConfig
from features.feature_contract import Matrix
from features.labels import first_event_days
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA
from training.dataset import Dataset
from training.families.boosting import customer_folds
from training.timing.hazard import Days, Hazard, Vector, log_odds

_KNOTS = (7, 14, 30, 60, 90, 120, 180, 270, 365)
_INPUTS = ("orders_days_since_last", "orders_frequency", "orders_T", "events_days_since_last")
_SMOOTHING = 5.0
_MOST_ROWS = 10_000
_SURE = 2.0


@dataclass(frozen=True)
class Timing:
    """When each row's event came, in local days from its cutoff."""

    day: Vector
    """NaN where it did not come while the row could be watched."""
    seen: Days
    """Whole days for which the row could be watched."""


def event_timing(
    snapshot: Snapshot, config: PipelineConfig, data: Dataset, known_before: datetime
) -> Timing:
    """When the churn event of each row of `data` came, from what was known before `known_before`.

    Raises LabelError when the label has no time.
    """
    columns = [pa.array(data.customer_id.tolist()), pa.array(data.cutoff)]
    spine = pa.table(columns, names=SPINE_SCHEMA.names).cast(SPINE_SCHEMA)
    found = first_event_days(snapshot, config, spine, known_before)
    day = np.asarray(found["day"].cast(pa.float64()).to_numpy(), dtype=np.float64)
    return Timing(day, np.asarray(found["seen"].to_numpy(), dtype=np.int64))


def fit_hazard(
    data: Dataset, propensity: Vector, timing: Timing, churn: ChurnConfig, timezone: str
) -> Hazard:
    """Fit the shape by the likelihood of `timing`, each row's curve held at its `propensity`.

    Rows that could not be watched to the end are right-censored. Differences between neighbouring
    knots are penalised, so few rows give a nearly constant hazard; unless a fit on four fifths of
    the customers tells the days of the last fifth better than a constant hazard does, by two
    standard errors, the constant one is returned.
    """
    every = slice(None, None, -(-len(data) // _MOST_ROWS))
    timing = Timing(timing.day[every], timing.seen[every])
    plain = _plain(data, propensity, timing, churn, timezone)
    rows = _Rows.of(plain, data.rows(np.arange(len(data))[every]), propensity[every], timing)
    judges = customer_folds(data.customer_id[every]) == 0
    trial, unseen = _fitted(plain, rows.only(~judges)), rows.only(judges)
    gain = _losses(plain, unseen)[0] - _losses(trial, unseen)[0]
    sure = gain.sum() > _SURE * np.sqrt((gain**2).sum())
    return _fitted(plain, rows) if sure else plain


def _plain(
    data: Dataset, propensity: Vector, timing: Timing, churn: ChurnConfig, timezone: str
) -> Hazard:
    """A constant hazard with the knots and inputs that the data can support."""
    watched = int(timing.seen.max())
    knots = tuple(knot for knot in _KNOTS if knot <= watched) or _KNOTS[:1]
    inputs = tuple(name for name in _INPUTS if name in data.contract.names)
    places = [data.contract.names.index(name) for name in inputs]
    raw = np.column_stack([log_odds(propensity), np.log1p(np.maximum(data.X[:, places], 0.0))])
    known = np.ma.masked_invalid(raw)
    return Hazard(
        event="end" if churn.label == "subscription" else "return",
        horizon_days=churn.horizon_days,
        timezone=timezone,
        watched_days=watched,
        inputs=inputs,
        centre=tuple(known.mean(axis=0).filled(0.0).tolist()),
        scale=tuple(np.maximum(known.std(axis=0).filled(1.0), 1e-6).tolist()),
        knots=knots,
        log_hazard=((0.0,) * (2 + len(inputs)),) * len(knots),
    )


@dataclass(frozen=True)
class _Rows:
    """The training rows as the likelihood takes them."""

    design: Matrix
    """Rows x (1, propensity, inputs)."""
    amount: Vector
    """-log P(no event within the horizon): the hazard summed to the horizon."""
    survived: npt.NDArray[np.intp]
    """Whole intervals watched without the event."""
    happened: npt.NDArray[np.bool_]
    """Whether the event came in the next interval; else the row is censored there."""

    @classmethod
    def of(cls, hazard: Hazard, data: Dataset, propensity: Vector, timing: Timing) -> "_Rows":
        """Rows on the intervals of `hazard`; an interval not watched whole counts as unseen."""
        edges = hazard.edges
        whole = np.minimum(np.searchsorted(edges, timing.seen, side="right"), len(edges)) - 1
        came = np.searchsorted(edges, np.nan_to_num(timing.day, nan=np.inf), side="right") - 1
        design = hazard.design(propensity, data.X, data.contract)
        amount = -np.log(hazard.no_event(propensity))
        return cls(design, amount, np.minimum(came, whole), came < whole)

    def only(self, mask: npt.NDArray[np.bool_]) -> "_Rows":
        """The rows that `mask` picks."""
        return _Rows(self.design[mask], self.amount[mask], self.survived[mask], self.happened[mask])


def _fitted(plain: Hazard, rows: _Rows) -> Hazard:
    """`plain` with the log hazards of greatest penalised likelihood; the first knot stays 0."""
    shape = np.shape(plain.log_hazard)

    def cost(free: Vector) -> tuple[float, Vector]:
        weights = np.vstack([np.zeros(shape[1]), free.reshape(-1, shape[1])])
        losses, slope = _losses(_with(plain, weights), rows)
        steps = np.diff(weights, axis=0)
        slope[1:] += _SMOOTHING * steps
        slope[:-1] -= _SMOOTHING * steps
        penalty = 0.5 * _SMOOTHING * float((steps**2).sum())
        return float(losses.sum()) + penalty, slope[1:].ravel()

    start = np.zeros((shape[0] - 1) * shape[1])
    found = minimize(cost, start, jac=True, method="L-BFGS-B").x.reshape(-1, shape[1])
    return _with(plain, np.vstack([np.zeros(shape[1]), found]))


def _with(hazard: Hazard, log_hazard: Matrix) -> Hazard:
    # Made anew, not copied: a copy would keep the arrays of the old numbers.
    learned = {"log_hazard": tuple(map(tuple, log_hazard.tolist()))}
    return Hazard.model_validate(dict(hazard) | learned)


def _losses(hazard: Hazard, rows: _Rows) -> tuple[Vector, Matrix]:
    """Each row's negative log likelihood, and the slope of their sum by `log_hazard`.

    With w the hazard summed over an interval, C over those survived, A to the horizon and m the
    row's amount, a row adds -m C / A, and log(1 - exp(-m w / A)) when the event came next.
    """
    basis, widths = hazard.basis(), np.diff(hazard.edges)
    until_horizon = hazard.edges[1:] <= hazard.horizon_days
    w = np.exp(rows.design @ np.array(hazard.log_hazard).T @ basis) * widths
    row, intervals = np.arange(len(w)), w.shape[1]
    before = np.arange(intervals) < rows.survived[:, None]
    at = np.minimum(rows.survived, intervals - 1)
    whole, summed, last = w[:, until_horizon].sum(axis=1), (w * before).sum(axis=1), w[row, at]
    rate = rows.amount / whole
    chance = np.where(rows.happened, -np.expm1(-rate * last), 1.0)
    pull = np.where(rows.happened, rate * (1.0 - chance) / chance, 0.0)
    slope = -rate[:, None] * before
    slope[row, at] += pull
    slope[:, until_horizon] += ((rate * summed - pull * last) / whole)[:, None]
    return rate * summed - np.log(chance), -(basis @ (slope * w).T @ rows.design)
