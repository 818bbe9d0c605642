"""What fitted models say besides their figures: when churn comes, and what is usual."""

from dataclasses import replace
from datetime import datetime

from features.config import PipelineConfig
from features.snapshot import Snapshot
from training.dataset import Dataset
from training.models import Models
from training.timing.hazard_fit import event_timing, fit_hazard
from training.typical import fit_typical


def with_when(
    models: Models,
    snapshot: Snapshot,
    config: PipelineConfig,
    data: Dataset,
    known_before: datetime,
) -> Models:
    """`models` with the hazard and the usual values of the rows they learned from.

    No event at or after `known_before` is looked at. Labels given in a column have no time, so
    there is no hazard of theirs.
    """
    models = replace(models, typical=fit_typical(data.X))
    if config.churn.label == "column":
        return models
    timing = event_timing(snapshot, config, data, known_before)
    propensity = models.predict(data.X).propensity
    hazard = fit_hazard(data, propensity, timing, config.churn, config.timezone)
    return replace(models, hazard=hazard)


def when_notes(models: Models) -> tuple[str, ...]:
    """What there is to say of the hazard, in one sentence or none."""
    if models.hazard is None or not models.hazard.is_constant:
        return ()
    return ("When: the days of churn are told no better than by a constant hazard, which is used.",)
