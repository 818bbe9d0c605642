"""What is said of the hazard when there is something to say."""

from dataclasses import replace

from tests.tiny_bundle import TINY_HAZARD, tiny_models
from training.timing.hazard import Hazard
from training.timing.when import when_notes


def test_a_constant_hazard_is_said_and_a_learned_one_is_not() -> None:
    models = tiny_models(value=False)
    constant = Hazard(event="end", horizon_days=90, timezone="UTC", watched_days=100)
    (said,) = when_notes(replace(models, hazard=constant))
    assert "no better than by a constant hazard" in said
    assert when_notes(replace(models, hazard=TINY_HAZARD)) == ()
    assert when_notes(replace(models, hazard=None)) == ()
