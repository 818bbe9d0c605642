"""Maximum likelihood over a few positive parameters, from several starts, with plain refusals."""

from collections.abc import Callable, Sequence

import numpy as np

from training.btyd.history import History, Vector

Objective = Callable[[Vector], tuple[float, Vector]]
"""Logs of the parameters to the mean log-likelihood and its gradient."""

FEWEST_CUSTOMERS = 50
FEWEST_REPEATERS = 10
_LEAST = 1 / 8000
_REHEARSAL = 4000


class CannotFit(ValueError):
    """The histories cannot tell the parameters; the message says why and what to change."""


def maximise(
    objective_of: Callable[[History], Objective],
    history: History,
    starts: Sequence[Sequence[float]],
    model: str,
    *,
    most: float = 8000.0,
) -> Vector:
    """The positive parameters at which the likelihood of `history` is highest.

    Every start is climbed from on at most 4,000 evenly picked customers; the highest point so
    found, or the start that is higher for all customers, is where the last climb begins.

    Parameters are kept between 1 / 8,000 and `most` in the units of the objective, which should
    be of the order of one: a likelihood that keeps rising (nobody drops out, all rates alike)
    ends there, where the predictions hardly change any more.

    Raises CannotFit when the likelihood is not finite.
    """
    few = objective_of(history.rows(slice(None, None, -(-len(history) // _REHEARSAL))))
    first = [np.log(start) for start in starts]
    objective = objective_of(history)
    candidates = first + [_climb(few, start, most) for start in first]
    heights = [objective(candidate)[0] for candidate in candidates]
    if not np.isfinite(heights).any():
        raise CannotFit(f"{model}: the likelihood is not finite; check the histories' units")
    return np.asarray(np.exp(_climb(objective, candidates[int(np.nanargmax(heights))], most)))


def _climb(objective: Objective, start: Vector, most: float) -> Vector:
    from scipy.optimize import minimize

    def loss(logs: Vector) -> tuple[float, Vector]:
        value, gradient = objective(logs)
        return -value, -gradient

    # L-BFGS-B gets to the same place, but its threads spin for ten times as long.
    found = minimize(
        loss,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(np.log(_LEAST), np.log(most))] * len(start),
        options={"ftol": 1e-13, "maxiter": 500},
    )
    return np.asarray(found.x)


def require_repeaters(history: History, model: str) -> None:
    """Raise CannotFit unless 50 customers are there and 10 of them have ordered again."""
    repeaters = int((history.frequency > 0).sum())
    if len(history) < FEWEST_CUSTOMERS or repeaters < FEWEST_REPEATERS:
        raise CannotFit(
            f"{model}: {len(history)} customers of whom {repeaters} have ordered again; at least "
            f"{FEWEST_CUSTOMERS} and {FEWEST_REPEATERS} are needed: bring a longer history"
        )


def distinct(*columns: Vector) -> tuple[tuple[Vector, ...], Vector]:
    """The different rows of `columns`, and the share of all that each of them has."""
    order = np.lexsort(columns)
    ordered = [column[order] for column in columns]
    new = np.any([np.diff(column, prepend=np.nan) != 0 for column in ordered], axis=0)
    starts = np.flatnonzero(new)
    share = np.diff(starts, append=len(order)) / len(order)
    return tuple(column[starts] for column in ordered), share
