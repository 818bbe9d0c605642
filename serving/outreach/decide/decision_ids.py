"""The names of plans and of the decisions in them: they rise with time, and within a plan."""

from datetime import UTC, datetime


def run_name(now: datetime, mark: str) -> str:
    """The name of the run at `now`; `mark` tells it from others of the same second."""
    return f"run_{_stamp(now)}_{mark}"


def ids_from(instant: datetime) -> str:
    """What the ids of decisions made at `instant` or later are not below."""
    return f"dec_{_stamp(instant)}"


def decision_id(run: str, place: int) -> str:
    """The id of the decision at `place` of a run; ids rise with time, and within a run."""
    return f"dec_{run.removeprefix('run_')}_{place:07d}"


def _stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%S}"
