"""Customers of whom it is known what became of them: both arms of them, in slices and by time."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from operator import add
from typing import Literal
from zoneinfo import ZoneInfo

from features.windows import local_day
from serving.outreach.prove.assignments import Assignment, Became
from serving.outreach.prove.effect import LEVEL, Arm, Effect, arm_of, measure_effect

Trait = Literal["policy", "channel", "segment", "tier"]
"""What customers are told apart by; every trait is fixed before anybody is contacted."""

_TRAIT_OF: Mapping[Trait, Callable[[Assignment], str | None]] = {
    "policy": lambda one: one.policy,
    "channel": lambda one: one.channel,
    "segment": lambda one: one.segment,
    "tier": lambda one: one.tier,
}
_MOST_SLICES = 40


@dataclass(frozen=True, slots=True)
class Measured:
    """One customer with what became of them, and what contacting them cost."""

    assignment: Assignment
    became: Became
    cost: float


@dataclass(frozen=True, slots=True)
class Arms:
    """The sums of both arms."""

    contact: Arm = field(default_factory=Arm)
    holdout: Arm = field(default_factory=Arm)

    def __add__(self, other: "Arms") -> "Arms":
        return Arms(self.contact + other.contact, self.holdout + other.holdout)


@dataclass(frozen=True, slots=True)
class Design:
    """What was fixed before the first look."""

    share: float
    """Of customers who are held out."""
    planned: int
    """Customers, both arms together, at which the intervals are tightest."""

    def measure(self, arms: Arms, level: float = LEVEL) -> Effect:
        """The effect in `arms`."""
        return measure_effect(arms.contact, arms.holdout, self.share, self.planned, level)

    def ratio_p_value(self, assigned: Iterable[Assignment]) -> float:
        """Anytime-valid p-value that the arms of `assigned` have the share they were drawn with."""
        sizes = Counter(one.arm for one in assigned)
        return self.measure(Arms(Arm(sizes["contact"]), Arm(sizes["holdout"]))).ratio_p_value


def by_retention(rows: Iterable[Measured]) -> Arms:
    """Outcome 1 for each who stayed; the covariate is the churn probability before."""
    return _arms(rows, lambda one: (float(one.became.stayed), one.assignment.churn_probability))


def by_value(rows: Iterable[Measured]) -> Arms:
    """Outcome: the contribution; the covariate is that of the horizon before.

    Customers of whom it is not known are in neither arm.
    """
    valued = [one for one in rows if one.became.value is not None]
    return _arms(valued, lambda one: (one.became.value or 0.0, one.assignment.before))


def slices(rows: Sequence[Measured]) -> list[tuple[Trait, str, list[Measured]]]:
    """Groups by one trait that have customers in both arms; the largest, if they are many."""
    found: dict[tuple[Trait, str], list[Measured]] = defaultdict(list)
    for trait, trait_of in _TRAIT_OF.items():
        for one in rows:
            if name := trait_of(one.assignment):
                found[trait, name].append(one)
    groups = [
        (trait, name, group)
        for (trait, name), group in found.items()
        if len({one.assignment.arm for one in group}) == 2
    ]
    largest = sorted(groups, key=lambda each: -len(each[2]))[:_MOST_SLICES]
    return sorted(largest, key=lambda each: (list(_TRAIT_OF).index(each[0]), each[1]))


@dataclass(frozen=True, slots=True)
class Total:
    """All that had matured by the end of a period, sums and money."""

    period: str
    retention: Arms
    value: Arms
    cost: float

    def __add__(self, later: "Total") -> "Total":
        return Total(
            later.period,
            self.retention + later.retention,
            self.value + later.value,
            self.cost + later.cost,
        )


def running_totals(
    rows: Iterable[Measured], zone: ZoneInfo, period_of: Callable[[date], str]
) -> Iterator[Total]:
    """By the period in which horizons ended, in order: everything until its end."""
    periods: dict[str, list[Measured]] = defaultdict(list)
    for one in rows:
        periods[period_of(local_day(one.assignment.until, zone))].append(one)
    return accumulate(
        (
            Total(name, by_retention(some), by_value(some), sum(one.cost for one in some))
            for name, some in sorted(periods.items())
        ),
        add,
    )


def _arms(rows: Iterable[Measured], pair_of: Callable[[Measured], tuple[float, float]]) -> Arms:
    pairs: dict[str, list[tuple[float, float]]] = {"contact": [], "holdout": []}
    for one in rows:
        pairs[one.assignment.arm].append(pair_of(one))
    return Arms(arm_of(pairs["contact"]), arm_of(pairs["holdout"]))
