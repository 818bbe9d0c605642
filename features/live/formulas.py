"""Each kind of formula as a Python function over the answers it combines."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from features.aggregates import (
    Aggregate,
    Change,
    CompanyNumber,
    Difference,
    Formula,
    Ratio,
    Shrunk,
    Until,
    operands,
)

Answers = Sequence[Any]
"""Values of a customer's aggregates and the company's numbers; None where missing."""
Places = Mapping[Aggregate | CompanyNumber, int]
"""Where each of them stands among the answers."""
Reading = Callable[[Answers], Any]


def reading(formula: Formula, places: Places) -> Reading:
    """A function from the answers to the formula's value; None where it is missing."""
    if isinstance(formula, Aggregate):
        place = places[formula]
        return lambda answers: answers[place]
    parts = [reading(part, places) for part in operands(formula)]
    return FORMULAS[type(formula)](formula, parts, places)


def _two(of: Callable[[float, float], float | None], parts: Sequence[Reading]) -> Reading:
    """Combine two values, neither of which is missing."""
    first, second = parts

    def combined(answers: Answers) -> float | None:
        left, right = first(answers), second(answers)
        return None if left is None or right is None else of(left, right)

    return combined


def _ratio(_: Any, parts: Sequence[Reading], __: Places) -> Reading:
    return _two(lambda top, bottom: top / bottom if bottom else None, parts)


def _change(_: Any, parts: Sequence[Reading], __: Places) -> Reading:
    return _two(lambda recent, before: (recent - before) / before if before else None, parts)


def _difference(_: Any, parts: Sequence[Reading], __: Places) -> Reading:
    return _two(lambda left, right: left - right, parts)


def _until(formula: Until, parts: Sequence[Reading], _: Places) -> Reading:
    (elapsed,), days = parts, formula.days

    def left(answers: Answers) -> float | None:
        passed = elapsed(answers)
        return None if passed is None else days - (passed - days * math.floor(passed / days))

    return left


def _shrunk(formula: Shrunk, parts: Sequence[Reading], places: Places) -> Reading:
    """The customer's rate drawn towards the company's level; see `Shrunk` for the rule."""
    level_at, likeness_at = places[formula.level], places[formula.likeness]

    def drawn(hits: float, trials: float, level: float, likeness: float) -> float:
        weight = trials * likeness / (1 + (trials - 1) * likeness)
        return level + weight * (hits / trials - level)

    def rate(answers: Answers) -> float | None:
        hits, trials = (part(answers) for part in parts)
        level, likeness = answers[level_at], answers[likeness_at]
        if not trials or hits is None or level is None or likeness is None:
            return None
        return drawn(hits, trials, level, likeness)

    return rate


FORMULAS: Mapping[type, Callable[[Any, Sequence[Reading], Places], Reading]] = {
    Ratio: _ratio,
    Change: _change,
    Difference: _difference,
    Until: _until,
    Shrunk: _shrunk,
}
"""Kind of formula to its function; aggregates aside, every kind has one."""
