"""The season: how last year's same days departed from their year, where that helps again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache

import numpy as np
import numpy.typing as npt

from features.config import PipelineConfig
from features.labels import net_share, value_labels
from features.snapshot import Snapshot
from features.spine import eligible_spine
from features.windows import local_day, shift_days
from training.btyd.composite import Btyd
from training.btyd.likelihood import CannotFit
from training.calibration import shift_to_mean, sigmoid
from training.families.glm import Objective, Vector
from training.families.histories import histories_by_customer

_YEAR = 364  # whole weeks, so that the days of the week are the same
_LONGEST = _YEAR // 2
_QUARTERS = 4
_FEWEST_DAYS = 180
_STRENGTH = 0.5
_FEWEST_TRIALS = 2
_SURE = 2.0
_INSIDE = 1e-6
_NAMES: Mapping[Objective, tuple[str, str]] = {
    "binary": ("churn", "odds of no order"),
    "poisson": ("expected orders", "orders"),
    "tweedie": ("CLV", "value"),
}
"""How the card calls what is predicted, and what came of it."""


@dataclass(frozen=True)
class Gap:
    """How far what came in a window lay from what BTYD had forecast of it."""

    size: float
    """To be added to all log odds of no order, or to the log of a total, to meet what came."""
    error: float
    """Its standard error over customers."""


Gaps = Mapping[Objective, Gap]
"""Of no order ("binary"), expected orders ("poisson") and value ("tweedie")."""


@dataclass(frozen=True)
class Season:
    """How last year's days departed from their year, and how the same would have done since.

    Growth is no season: BTYD, fitted to the orders before a window, is asked only about the
    customers known then, so those who come later are on neither side of the comparison. Nor is
    what BTYD gets wrong all year, which the models' own level has learned: that is the mean.
    """

    begins: date | None = None
    """The first local day of last year's window; None where last year does not tell."""
    last_year: Gaps = field(default_factory=dict)
    """Of that window, less the mean of the year's."""
    trials: tuple[tuple[Gaps, Gaps], ...] = ()
    """At cutoffs of the past year: the gaps a year before each and its own, likewise less the mean
    of the year before it."""

    def shift(self, objective: Objective) -> float:
        """What to add to log odds or to the logs of means: half of last year's departure, or 0."""
        return _STRENGTH * self.last_year[objective].size if self.last_year else 0.0

    def is_proved(self, objective: Objective) -> bool:
        """Whether shifts found like this one would have brought BTYD surely closer since.

        Squared gaps are added over the trials, and what they lose must exceed two standard errors
        over customers. A single trial proves nothing: its window may fall between two seasons,
        and any odd quarter that follows another looks like one.
        """
        if len(self.trials) < _FEWEST_TRIALS:
            return False
        gain = variance = 0.0
        for before, own in self.trials:
            shift, gap = _STRENGTH * before[objective].size, own[objective]
            gain += shift * (2.0 * gap.size - shift)
            variance += (2.0 * shift * gap.error) ** 2
        return gain > _SURE * float(np.sqrt(variance))

    @property
    def is_used(self) -> bool:
        """Whether anything is moved by it."""
        return any(self.is_proved(objective) for objective in self.last_year)


def season_at(
    snapshot: Snapshot, config: PipelineConfig, cutoff: datetime, horizon_days: int
) -> Season:
    """The season of the `horizon_days` from `cutoff`, tried at up to four cutoffs before it.

    Nothing from `cutoff` on is read. Empty where the horizon is longer than half a year, which
    has little season left, or where last year's window has not got 180 days and two horizons of
    orders before it: with 101 days BTYD did not know the company yet, and the ratio did harm.
    """

    @cache
    def gaps(days_back: int) -> Gaps | None:
        asked = shift_days(cutoff, -days_back, snapshot.zone)
        return _gaps(snapshot, config, asked, horizon_days)

    step = _YEAR // (_QUARTERS if horizon_days <= _YEAR // _QUARTERS else 2)
    backs = range(step, _YEAR + 1, step)

    def departure(days_back: int, stand: int) -> Gaps | None:
        """The gaps so many days back, less the mean of those in the year before `stand` days."""
        if (found := gaps(days_back)) is None:
            return None
        year = [known for back in backs if (known := gaps(stand + back))]
        return _less_mean(found, year) if len(year) == len(backs) else None

    if horizon_days > _LONGEST or (last_year := departure(_YEAR, 0)) is None:
        return Season()
    tried = ((departure(back + _YEAR, back), departure(back, back)) for back in backs)
    begins = local_day(shift_days(cutoff, -_YEAR, snapshot.zone), snapshot.zone)
    return Season(begins, last_year, tuple((then, own) for then, own in tried if then and own))


def _less_mean(found: Gaps, year: Sequence[Gaps]) -> Gaps:
    return {
        objective: Gap(gap.size - float(np.mean([one[objective].size for one in year])), gap.error)
        for objective, gap in found.items()
    }


def season_notes(
    season: Season, horizon_days: int, moved: Mapping[Objective, bool]
) -> tuple[str, ...]:
    """What was tried, its ratios and why it is applied or not: one sentence for the card.

    `moved` says so of each quantity. Nothing of a horizon too long to have a season of its own.
    """
    if horizon_days > _LONGEST:
        return ()
    about = f"Season of {_listed(_NAMES[objective][0] for objective in moved)}"
    if not season.last_year:
        days = _YEAR + _days_needed(horizon_days)
        return (
            f"{about}: not looked for, as it takes {days} days of orders before the cutoff, and "
            "customers enough a year ago.",
        )
    return (f"{about}: {_brought(season, moved)}; {_verdict(season, moved)}.",)


def served_notes(season: Season, moved: Mapping[Objective, bool]) -> tuple[str, ...]:
    """What the served models are moved by, a sentence for the card where they are."""
    kept = [objective for objective in moved if moved[objective]]
    if not season.last_year or not kept:
        return ()
    return (f"Season as served: {_brought(season, kept)}; half of that is applied.",)


def _brought(season: Season, objectives: Iterable[Objective]) -> str:
    ratios = _listed(
        f"{np.exp(season.last_year[objective].size):.2f} times the {_NAMES[objective][1]}"
        for objective in objectives
    )
    return (
        f"beside the mean of their year, the same days last year, from {season.begins}, brought "
        f"{ratios} that BTYD had forecast"
    )


def _verdict(season: Season, moved: Mapping[Objective, bool]) -> str:
    if len(season.trials) < _FEWEST_TRIALS:
        return "the history is too short to try half of that twice since, so it is not applied"
    tried = f"half of that, tried at {len(season.trials)} cutoffs since,"
    right, wrong = (
        _listed(_NAMES[objective][0] for objective in moved if moved[objective] is wanted)
        for wanted in (True, False)
    )
    if not right:
        return f"{tried} did not come surely closer, so it is not applied"
    if not wrong:
        return f"{tried} came surely closer, so it is applied"
    return f"{tried} came surely closer for {right}, to which it is applied, but not for {wrong}"


def _listed(words: Iterable[str]) -> str:
    return " and ".join(words)


def _days_needed(horizon_days: int) -> int:
    """Days of orders before a window in which BTYD gets to know the company."""
    return max(_FEWEST_DAYS, 2 * horizon_days)


def _gaps(
    snapshot: Snapshot, config: PipelineConfig, cutoff: datetime, horizon_days: int
) -> Gaps | None:
    """None where the history is too short, BTYD cannot be fitted, or everybody did alike."""
    first = snapshot.manifest.tables["orders"].first
    if first is None or (cutoff - first).days < _days_needed(horizon_days):
        return None
    customers, history = histories_by_customer(snapshot, cutoff)
    try:
        btyd = Btyd.fit(history)
    except CannotFit:
        return None
    asked, orders, value = _came(snapshot, config, cutoff, horizon_days)
    known, place = np.isin(asked, customers), np.searchsorted(customers, asked)
    orders, value = orders[known], value[known]
    if not 0 < np.count_nonzero(orders) < len(orders) or value.sum() <= 0:
        return None
    share = max(net_share(snapshot, config, cutoff), _INSIDE)
    forecast = btyd.predict(history.rows(place[known]), horizon_days)
    return {
        "binary": _odds_gap(forecast.probability_no_order, (orders == 0).astype(float)),
        "poisson": _total_gap(forecast.expected_orders, orders),
        "tweedie": _total_gap(forecast.expected_spend * share, value),
    }


def _came(
    snapshot: Snapshot, config: PipelineConfig, cutoff: datetime, horizon_days: int
) -> tuple[npt.NDArray[np.str_], Vector, Vector]:
    """The customers asked about at `cutoff`, their purchase days and their undiscounted value."""
    undiscounted = config.clv.model_copy(update={"annual_discount_rate": 0.0})
    plain = config.model_copy(update={"clv": undiscounted})
    spine = eligible_spine(snapshot, config.churn, (cutoff,))
    came = value_labels(snapshot, plain, spine, horizon_days)
    orders, value = (came[name].to_numpy().astype(float) for name in ("orders", "value"))
    return np.array(spine["customer_id"].to_pylist(), dtype=np.str_), orders, value


def _odds_gap(silent: Vector, was_silent: Vector) -> Gap:
    inside = np.clip(silent, _INSIDE, 1.0 - _INSIDE)
    odds = np.log(inside) - np.log1p(-inside)
    size = shift_to_mean(odds, float(was_silent.mean()))
    met = sigmoid(odds + size)
    return Gap(size, float(np.sqrt(((was_silent - met) ** 2).sum()) / (met * (1.0 - met)).sum()))


def _total_gap(expected: Vector, came: Vector) -> Gap:
    ratio = came.sum() / expected.sum()
    spread = np.sqrt(((came - expected * ratio) ** 2).sum())
    return Gap(float(np.log(ratio)), float(spread / came.sum()))
