"""Propensities of a population whose share of churners is known, from a table with another share.

A table balanced for training, or sampled by its label, has the odds of churning wrong for everybody
by one factor; ranks are as they were.
"""

from dataclasses import replace

import numpy as np

from training.calibration_fit import prior_shift
from training.dataset import Dataset
from training.models import ChurnModel


def in_population(model: ChurnModel, taught: Dataset, population_rate: float | None) -> ChurnModel:
    """The model that rows `taught`, with propensities of a population of `population_rate`.

    None says that the rows are the population as it is, and changes nothing. Right when churners
    look alike in both, and stayers too: see `prior_shift`.
    """
    if population_rate is None:
        return model
    shift = prior_shift(_rate(taught), population_rate)
    line = {"intercept": model.calibration.intercept + shift}
    return replace(model, calibration=model.calibration.model_copy(update=line))


def population_notes(taught: Dataset, population_rate: float | None) -> tuple[str, ...]:
    """What must be said of the correction, if there is one."""
    if population_rate is None:
        return ()
    return (
        f"The figures are those of the table, of which {_rate(taught):.1%} churned; the served "
        f"propensities are shifted to a population of which {population_rate:.1%} do "
        "(churn.population_rate).",
    )


def _rate(taught: Dataset) -> float:
    return float(np.mean(np.asarray(taught.churned)))
