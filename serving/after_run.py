"""What follows a scoring run: who came into danger is told, fresh rows it lacks are not lost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select

from serving.database import Database
from serving.fresh import FRESH_ROWS, LIVE_SCORES, FreshStore
from serving.fresh_scoring import FreshScorer
from serving.live import LiveShelf
from serving.newer import NewerScores
from serving.online import About, OnlineSnapshot
from serving.score_ids import nightly_score_id
from serving.scoring import Score
from serving.served import load_served
from serving.standings import (
    RISK_EVENTS,
    SCORING_RUNS,
    STANDINGS,
    Change,
    has_run,
    set_standings,
    stands_at_risk,
    tell,
)

_CAUSE = "scoring run"

ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Followed:
    """What a scoring run led to; nobody is told of the first, to which nothing compares."""

    at_risk: int
    """Customers who came into danger, by the run's own scores."""
    recovered: int
    rescored: int
    """Customers scored anew because rows of theirs arrived after the run's data."""


def follow_run(
    workspace: Path,
    database: Database,
    scores: Sequence[Score],
    now: datetime,
    progress: ProgressCallback,
) -> Followed:
    """Take in the run just written, which found `scores`.

    May be repeated after a failure: each change is told once.
    """
    served = load_served(workspace)
    about, store = served.snapshot.about, FreshStore(database)
    with store.writing_alone() as connection:
        changes = _changes(connection, served.snapshot, scores, now)
        tell(connection, changes, about, now)
        _note(connection, about)
        _prune(connection, now - timedelta(days=about.serving.history_days))
    ahead = store.ahead(about.data_until)
    scorer = LiveShelf(workspace).scorer(served) if ahead else None
    fresh = FreshScorer(workspace, database, NewerScores(database))
    for done, customer_id in enumerate(ahead, 1):
        if scorer:
            fresh.take_over(served, scorer, customer_id, now)
        progress("scoring fresh rows", done, len(ahead))
    came = sum(change.is_at_risk for change in changes)
    return Followed(came, len(changes) - came, len(ahead))


def _changes(
    connection: Connection,
    snapshot: OnlineSnapshot,
    scores: Sequence[Score],
    now: datetime,
) -> list[Change]:
    """Who stands otherwise by the run than before; the first run only says where all stand."""
    known = dict(connection.execute(select(STANDINGS.c.customer_id, STANDINGS.c.is_at_risk)).all())
    if not has_run(connection):
        first = {one.score.customer_id: one.is_at_risk for one in _crossed(snapshot, scores, known)}
        set_standings(connection, first, now)
        return []
    # What a live score said is newer than the run, and is taken over by the next live score.
    late = select(FRESH_ROWS.c.customer_id).where(
        FRESH_ROWS.c.received_at > snapshot.about.data_until
    )
    ahead = set(connection.scalars(late))
    return [one for one in _crossed(snapshot, scores, known) if one.score.customer_id not in ahead]


def _crossed(
    snapshot: OnlineSnapshot, scores: Sequence[Score], known: Mapping[str, bool]
) -> Iterator[Change]:
    about = snapshot.about
    for score in scores:
        was = known.get(score.customer_id, False)
        stands = stands_at_risk(score.churn_probability, about.serving, was=was)
        # Who is not in the snapshot was erased while it was made.
        if stands != was and (found := snapshot.find(score.customer_id)):
            yield Change(score, nightly_score_id(about.snapshot_id, found.rank), _CAUSE, stands)


def _note(connection: Connection, about: About) -> None:
    run = {
        "snapshot_id": about.snapshot_id,
        "created_at": about.created_at,
        "cutoff": about.cutoff,
        "data_until": about.data_until,
        "customers": about.customers,
        "model_version": about.model_version,
    }
    connection.execute(delete(SCORING_RUNS).where(SCORING_RUNS.c.snapshot_id == about.snapshot_id))
    connection.execute(insert(SCORING_RUNS).values(run))


def _prune(connection: Connection, before: datetime) -> None:
    """Delete fresh rows that the last two runs know, and scores and events older than `before`."""
    runs = SCORING_RUNS.c
    last = select(runs.data_until).order_by(runs.created_at.desc()).limit(2).subquery()
    found = connection.execute(select(func.count(), func.min(last.c.data_until))).one()
    if found[0] == 2:
        connection.execute(delete(FRESH_ROWS).where(FRESH_ROWS.c.received_at <= found[1]))
    connection.execute(delete(LIVE_SCORES).where(LIVE_SCORES.c.scored_at < before))
    connection.execute(delete(RISK_EVENTS).where(RISK_EVENTS.c.at < before))
