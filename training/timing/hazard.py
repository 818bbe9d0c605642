"""When: a churn curve for each customer, from the propensity and a learned shape over the days."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from features.feature_contract import FeatureContract, Matrix
from features.windows import local_day
from training.one_or_many import FEW, Number, bounded

Vector = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]
Event = Literal["return", "end"]

CURVE_DAYS = (7, 14, 21, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165, 180)
"""The days after the cutoff at which a curve is shown."""

ACT_BY_SHARE: dict[Event, float] = {"return": 0.5, "end": 0.25}
"""The part of the event's chance within the horizon that has passed by the act-by day."""

_RENEWAL = "subscriptions_days_to_anniversary"
_WEEK = 7
_LONGEST_CURVE = 180
_CERTAIN = 1e-9
_FAR = 3.0


class Hazard(BaseModel):
    """How the chance of an event spreads over the days after the cutoff.

    The event is the customer's next purchase (or use) where churn is silence, and their leaving
    where churn is the end of a subscription. Its hazard is constant within a week; its logarithm
    runs straight between `knots` over the logarithm of the days, and the height at each knot is
    linear in the customer's propensity and `inputs`. With C(d) the hazard summed to day d and s
    the churn model's probability of no event within the horizon,

        P(no event by day d) = s ** (C(d) / C(horizon)),

    a proportional-hazards shift for each customer that makes the curve pass through the propensity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Event
    horizon_days: int
    timezone: str
    """In which days are counted."""
    watched_days: int
    """How far the customers learned from were watched; beyond it the last hazard goes on."""
    inputs: tuple[str, ...] = ()
    """Features on which the shape depends, beside the propensity."""
    centre: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    """Mean and spread of the propensity's log odds and of log(1 + value) of each input."""
    knots: tuple[int, ...] = (_WEEK,)
    """Days."""
    log_hazard: tuple[tuple[float, ...], ...] = ((0.0, 0.0),)
    """Knots x (constant, propensity, inputs); all 0 is a constant hazard, an exponential curve."""

    def curve(
        self, days: Vector, propensity: Vector, X: Matrix, contract: FeatureContract
    ) -> Matrix:
        """Churn probability of each row of `X` within each of `days`, rows x days.

        Where churn is silence it falls with the days, where churn is an end it rises; at the
        horizon it is the propensity.
        """
        edges, summed = self.edges, self._summed(propensity, X, contract)
        ratio = summed / summed[:, _at_horizon(self.horizon_days), None]
        asked = np.column_stack([_between(edges, ratio, float(day)) for day in days])
        no_event = self.no_event(propensity)[:, None] ** asked
        return no_event if self.event == "return" else 1.0 - no_event

    def act_by(self, propensity: Number, X: Matrix, contract: FeatureContract) -> Number:
        """Whole days from the cutoff by which to act, from 0 to less than the horizon.

        With a float for `propensity`, `X` is a row alone.
        The day on which ACT_BY_SHARE of the event's chance within the horizon has passed, and
        no later than the subscription's next anniversary where that is a feature.
        """
        summed, no_event = self._summed(propensity, X, contract), self.no_event(propensity)
        share = ACT_BY_SHARE[self.event]
        part: Number = np.log1p(-share * (1.0 - no_event)) / np.log(no_event)
        wanted: Number = part * summed.T[_at_horizon(self.horizon_days)]
        # A hair more, so that rounding does not set a row alone a day before itself among others.
        day: Number = np.floor(_crossing(self.edges, summed, wanted) + 1e-9)
        if self.event == "end" and _RENEWAL in contract.places:
            day = np.fmin(day, np.floor(X.T[contract.places[_RENEWAL]]))
        return bounded(day, 0.0)

    @property
    def is_constant(self) -> bool:
        """Whether no shape was learned, so that curves are exponential."""
        return not np.any(self.log_hazard)

    def act_by_dates(
        self, propensity: Vector, X: Matrix, contract: FeatureContract, cutoff: datetime
    ) -> list[date]:
        """The local dates of `act_by` for rows that stand at `cutoff`."""
        start = _local_day(cutoff, self.timezone)
        if len(X) <= FEW:
            each = zip(propensity.tolist(), X, strict=True)
            days = [self.act_by(alone, row, contract) for alone, row in each]
        else:
            days = self.act_by(propensity, X, contract).tolist()
        return [start + timedelta(days=day) for day in days]

    @property
    def edges(self) -> Vector:
        """The days that bound the intervals of constant hazard, the horizon among them."""
        return _edges(self.horizon_days)

    def design(self, propensity: Number, X: Matrix, contract: FeatureContract) -> Matrix:
        """Rows x (1, propensity, inputs), standardised; an unknown input counts as the mean.

        Beyond three spreads a row's shape is that at three: nothing was learned out there.
        """
        places = [contract.places[name] for name in self.inputs]
        design = np.empty((*X.shape[:-1], len(places) + 2))
        design[..., 0] = 1.0
        design[..., 1] = log_odds(propensity)
        design[..., 2:] = np.log1p(np.maximum(X.take(places, axis=-1), 0.0))
        shape = self._shape
        design -= shape.centre
        design /= shape.scale
        np.maximum(design, shape.lowest, out=design)
        np.minimum(design, shape.highest, out=design)
        design[np.isnan(design)] = 0.0
        return design

    def basis(self) -> Matrix:
        """Knots x intervals: how much of each knot's log hazard an interval has."""
        return _basis(self.horizon_days, self.knots)

    def _summed(self, propensity: Number, X: Matrix, contract: FeatureContract) -> Matrix:
        """C(d) at each edge, rows x edges, but for a factor of each row."""
        shape = self._shape
        hazard = np.exp(self.design(propensity, X, contract) @ shape.by_edge)
        summed: Matrix = np.add.accumulate(hazard * shape.widths, axis=-1)
        return summed

    @cached_property
    def _shape(self) -> "_Shape":
        return _Shape.of(self)

    def no_event(self, propensity: Number) -> Number:
        """The churn model's probability of no event within the horizon, inside (0, 1)."""
        no_event = propensity if self.event == "return" else 1.0 - propensity
        return bounded(no_event, _CERTAIN, 1.0 - _CERTAIN)


@dataclass(frozen=True, eq=False)
class _Shape:
    """The numbers of a hazard as arrays, made once: they are asked for one row after the other."""

    centre: Vector
    scale: Vector
    lowest: Vector
    highest: Vector
    """Of each column of a design; the first is 1 and stays so."""
    by_edge: Matrix
    """What each column adds to the log hazard of the interval before each edge."""
    widths: Vector
    """Of the interval before each edge; there is none before the first, so 0."""

    @classmethod
    def of(cls, hazard: Hazard) -> "_Shape":
        """The arrays of `hazard`."""
        centre, scale = np.array((0.0, *hazard.centre)), np.array((1.0, *hazard.scale))
        far = np.full(len(centre), _FAR)
        by_interval = np.array(hazard.log_hazard).T @ hazard.basis()
        widths = np.diff(hazard.edges, prepend=0.0)
        return cls(centre, scale, -far, far, np.insert(by_interval, 0, 0.0, axis=1), widths)


def log_odds(propensity: Number) -> Number:
    """Log odds, finite even for 0 and 1."""
    inside = bounded(propensity, _CERTAIN, 1.0 - _CERTAIN)
    odds: Number = np.log(inside / (1.0 - inside))
    return odds


@lru_cache
def _local_day(cutoff: datetime, timezone: str) -> date:
    return local_day(cutoff, ZoneInfo(timezone))


@lru_cache
def _edges(horizon_days: int) -> Vector:
    end = max(_LONGEST_CURVE, horizon_days) + _WEEK
    return np.array(sorted({*range(0, end, _WEEK), horizon_days}), dtype=np.float64)


@lru_cache
def _at_horizon(horizon_days: int) -> int:
    return int(np.searchsorted(_edges(horizon_days), horizon_days))


@lru_cache
def _basis(horizon_days: int, knots: tuple[int, ...]) -> Matrix:
    edges, places = _edges(horizon_days), np.log(knots)
    middle = np.log(edges[:-1] + np.diff(edges) / 2)
    return np.array([np.interp(middle, places, height) for height in np.eye(len(knots))])


def _between(edges: Vector, heights: Matrix, day: float) -> Vector:
    """Each row of `heights` (rows x edges) at `day`, straight between edges."""
    place = int(np.clip(np.searchsorted(edges, day, side="right") - 1, 0, len(edges) - 2))
    part = (day - edges[place]) / (edges[place + 1] - edges[place])
    height: Vector = heights[:, place] + part * (heights[:, place + 1] - heights[:, place])
    return height


def _crossing(edges: Vector, heights: Matrix, wanted: Number) -> Number:
    """The day at which each rising row of `heights` (rows x edges) reaches its `wanted`."""
    place: Any
    if isinstance(wanted, float):
        place = min(max(int(heights.searchsorted(wanted, side="right")) - 1, 0), len(edges) - 2)
        low, high = heights[place], heights[place + 1]
    else:
        place = (heights <= wanted[:, None]).sum(axis=1) - 1
        place = np.minimum(np.maximum(place, 0), len(edges) - 2)
        row = np.arange(len(heights))
        low, high = heights[row, place], heights[row, place + 1]
    start = edges[place]
    days: Number = start + (edges[place + 1] - start) * (wanted - low) / (high - low)
    return days
