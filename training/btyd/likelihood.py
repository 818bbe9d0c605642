"""Maximum likelihood over a few positive parameters, from several starts, with plain refusals."""

from collections.abc import Callable, Sequence

import numpy as np

from training.btyd.history import History, Vector

Objective = Callable[[Vector], tuple[float, Vector]]
"""Logs of the parameters to the mean log-likelihood and its gradient."""

FEWEST_CUSTOMERS = 50
FEWEST_REPEATERS = 10
_LOG_BOUNDS = (-9.0, 9.0)


class CannotFit(ValueError):
    """The histories cannot tell the parameters; the message says why and what to change."""


def maximise(objective: Objective, starts: Sequence[Sequence[float]], model: str) -> Vector:
    """The positive parameters at which `objective` is highest over all `starts`.

    Parameters are kept within e^-9 and e^9 in the units of `objective`, which should be of the
    order of one: a likelihood that keeps rising (nobody drops out, all rates alike) ends there,
    where the predictions no longer change.

    Raises CannotFit when no start leads to a finite likelihood.
    """
    from scipy.optimize import minimize

    def loss(logs: Vector) -> tuple[float, Vector]:
        value, gradient = objective(logs)
        return -value, -gradient

    found = [
        minimize(
            loss,
            np.log(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[_LOG_BOUNDS] * len(start),
            options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500},
        )
        for start in starts
    ]
    finite = [result for result in found if np.isfinite(result.fun)]
    if not finite:
        raise CannotFit(f"{model}: the likelihood is not finite; check the histories' units")
    return np.asarray(np.exp(min(finite, key=lambda result: result.fun).x))


def require_repeaters(history: History, model: str) -> None:
    """Raise CannotFit unless 50 customers are there and 10 of them have ordered again."""
    repeaters = int((history.frequency > 0).sum())
    if len(history) < FEWEST_CUSTOMERS or repeaters < FEWEST_REPEATERS:
        raise CannotFit(
            f"{model}: {len(history)} customers of whom {repeaters} have ordered again; at least "
            f"{FEWEST_CUSTOMERS} and {FEWEST_REPEATERS} are needed: bring a longer history"
        )


def distinct(*columns: Vector) -> tuple[tuple[Vector, ...], Vector]:
    """The different rows of `columns`, and how often each occurs."""
    order = np.lexsort(columns)
    ordered = [column[order] for column in columns]
    new = np.any([np.diff(column, prepend=np.nan) != 0 for column in ordered], axis=0)
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=len(order)).astype(np.float64)
    return tuple(column[starts] for column in ordered), counts
