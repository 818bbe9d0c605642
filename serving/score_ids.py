"""The ids of scoring runs and of the scores they keep."""

from datetime import UTC, datetime


def snapshot_id(created_at: datetime) -> str:
    """The id of the scoring run whose scores were made then."""
    return f"snap_{created_at.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def nightly_score_id(run: str, rank: int) -> str:
    """The id of the score at place `rank` of the scoring run with the id `run`."""
    return f"{run}_{rank}"
