"""Generated customers of the models, order by order as the papers tell the story."""

from collections.abc import Callable

import numpy as np

from training.btyd.history import History


def mbg_customers(
    rng: np.random.Generator,
    customers: int,
    *,
    r: float,
    alpha: float,
    a: float,
    b: float,
    first_can_be_last: bool = True,
) -> History:
    """Seen for 26 to 52 weeks; every order, the first included if so asked, can be the last."""
    rows = []
    for T in rng.uniform(26, 52, customers):
        rate, chance = rng.gamma(r) / alpha, rng.beta(a, b)
        dead = first_can_be_last and rng.random() < chance
        rows.append(_seen(rng, rate, T, lambda chance=chance: rng.random() < chance, dead))
    return _history(rows)


def pareto_customers(
    rng: np.random.Generator, customers: int, *, r: float, alpha: float, s: float, beta: float
) -> History:
    """Seen for 26 to 52 weeks; each leaves at a time of their own."""
    rows = []
    for T in rng.uniform(26, 52, customers):
        rate, leaves = rng.gamma(r) / alpha, rng.exponential(beta / rng.gamma(s))
        x, last, _ = _seen(rng, rate, min(T, leaves), lambda: False, False)
        rows.append((x, last, T))
    return _history(rows)


def _seen(
    rng: np.random.Generator, rate: float, T: float, dies: Callable[[], bool], dead: bool
) -> tuple[int, float, float]:
    x, last, now = 0, 0.0, rng.exponential(1 / rate)
    while not dead and now <= T:
        x, last = x + 1, now
        dead, now = dies(), now + rng.exponential(1 / rate)
    return x, last, T


def _history(rows: list[tuple[int, float, float]]) -> History:
    x, recency, T = np.array(rows, dtype=float).T
    return History(x, recency, T, x + 1, np.zeros(len(x)))
