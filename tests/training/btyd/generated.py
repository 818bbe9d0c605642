"""Generated customers of the models, order by order as the papers tell the story."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.btyd.history import History

Vector = npt.NDArray[np.float64]


def mbg_customers(
    rng: np.random.Generator, customers: int, *, r: float, alpha: float, a: float, b: float
) -> History:
    """Seen for 26 to 52 weeks; every order, the first included, can be the last."""
    rate, chance = rng.gamma(r, size=customers) / alpha, rng.beta(a, b, customers)
    T = rng.uniform(26, 52, customers)
    return _watch(rng, rate, T, T, lambda who: rng.random(len(who)) < chance[who])


def pareto_customers(
    rng: np.random.Generator, customers: int, *, r: float, alpha: float, s: float, beta: float
) -> History:
    """Seen for 26 to 52 weeks; each leaves at a time of their own."""
    rate, leaving = rng.gamma(r, size=customers) / alpha, rng.gamma(s, size=customers) / beta
    T = rng.uniform(26, 52, customers)
    until = np.minimum(T, rng.exponential(size=customers) / leaving)
    return _watch(rng, rate, T, until, lambda who: np.zeros(len(who), dtype=bool))


def _watch(
    rng: np.random.Generator,
    rate: Vector,
    T: Vector,
    until: Vector,
    drops_out: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]],
) -> History:
    """Let everybody order, wait and order again until they drop out or time is up."""
    x, recency = np.zeros(len(rate)), np.zeros(len(rate))
    who = np.arange(len(rate))
    while len(who := who[~drops_out(who)]):
        wait = rng.exponential(size=len(who)) / rate[who]
        in_time = recency[who] + wait <= until[who]
        who, wait = who[in_time], wait[in_time]
        x[who] += 1
        recency[who] += wait
    return History(x, recency, T, x + 1, np.zeros(len(rate)))
