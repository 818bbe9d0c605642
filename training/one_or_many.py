"""What lets one formula hold for the number of a customer alone and for the numbers of many.

numpy's own functions of one argument give a float the bits that they give it within an array, in
a fifth of the time that an array of one takes; these stand in where they would not.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import TypeVar

Vector = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Vector, default=Vector)
"""A float for one customer, an array for many."""
FEW = 5
"""Up to so many customers are sooner asked about one by one than together."""


def bounded(value: Number, low: Number | float, high: float = math.inf) -> Number:
    """`value`, no less than `low` and no more than `high`; NaN stays NaN."""
    inside: Any
    if isinstance(value, float):
        inside = low if value < low else high if value > high else value
    else:
        inside = np.minimum(np.maximum(value, low), high)
    return inside  # type: ignore[no-any-return]


def choose(condition: bool | npt.NDArray[np.bool_], yes: Number, no: Number | float) -> Number:
    """`yes` where the condition holds, else `no`."""
    chosen: Any
    if isinstance(condition, np.ndarray):
        chosen = np.where(condition, yes, no)
    else:
        chosen = yes if condition else no
    return chosen  # type: ignore[no-any-return]
