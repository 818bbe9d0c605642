"""A customer scored anew when something fresh of theirs arrives: stored rows and fresh ones."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from features.config import TableName
from features.contracts import TABLES
from features.live.rows import CustomerRows
from features.text.reading import with_text_read
from features.versions import KNOWN_FROM, KNOWN_UNTIL
from serving.database import Database
from serving.fresh import FreshStore, FreshWriter, LiveScoreId
from serving.history import FILE, History, Row, Rows
from serving.live import GivenRows, LiveScorer, NotEligible
from serving.newer import NewerScores
from serving.online import OnlineSnapshot
from serving.outreach.forgotten import refuse_erased
from serving.scoring import Score
from serving.served import NotReady, Served
from serving.standings import Change, RiskEvent, standing, stands_at_risk, tell

_KEYS: Mapping[TableName, tuple[str, ...]] = {
    "orders": ("order_id", "product_id"),
    "subscriptions": ("subscription_id",),
    "tickets": ("ticket_id",),
    "surveys": ("kind", "sent_at", "ticket_id"),
}
"""By what a row is known again; one without an id, or a survey without its time, is new."""


_TAKEN_OVER = "scoring run"
"""The cause of a score that a run made because fresh rows are newer than its data."""


@dataclass(frozen=True)
class Rescored:
    """What became of a call: a score as it was kept, and the event it led to, if any."""

    score: Score | None
    kept: LiveScoreId | None
    event: RiskEvent | None
    not_scored: str | None
    """Why there is no score; the rows are kept all the same."""


class HistoryShelf:
    """Holds the newest history and takes up a newer one."""

    def __init__(self, workspace: Path) -> None:
        self._path = workspace / "scores" / FILE
        self._taken: tuple[int, History] | None = None

    def history(self) -> History:
        """The rows of the last scoring run; NotReady when it left none."""
        try:
            file = self._path.stat().st_ino
            if self._taken is None or self._taken[0] != file:
                self._taken = (file, History(self._path))
            return self._taken[1]
        except (OSError, sqlite3.Error):
            raise NotReady("the last scoring run left no history; run `setia score`") from None


class FreshScorer:
    """Takes in fresh rows of one workspace's customers, one call after another."""

    def __init__(self, workspace: Path, database: Database, newer: NewerScores) -> None:
        self._histories = HistoryShelf(workspace)
        self._store = FreshStore(database)
        self._newer = newer

    def take_in(
        self,
        served: Served,
        scorer: LiveScorer,
        customer_id: str,
        given: GivenRows,
        now: datetime,
    ) -> Rescored:
        """Keep the rows, score the customer from all that is known, and keep that too.

        Either all of it is kept or none. Raises RowsRefused when rows break the contract, Erased
        for a person who was, and NotReady when there is no history to add them to.
        """
        history = self._histories.history()
        admitted = scorer.admit(customer_id, given, now)
        fresh = {name: [with_text_read(row) for row in rows] for name, rows in admitted.items()}
        with self._store.writing(customer_id) as writer:
            refuse_erased(writer.connection, customer_id)
            writer.add(fresh, now)
            rows = _together(history, customer_id, writer.rows_since(history.data_until))
            found = _rescored(writer, served, scorer, rows, caused_by(fresh), now)
        if found.kept:
            self._newer.note(customer_id, *found.kept, now)
        return found

    def take_over(
        self, served: Served, scorer: LiveScorer, customer_id: str, now: datetime
    ) -> None:
        """Score a customer anew whose rows arrived after the data of the newest scoring run."""
        history = self._histories.history()
        with self._store.writing(customer_id) as writer:
            if calls := writer.rows_since(history.data_until):
                rows = _together(history, customer_id, calls)
                _rescored(writer, served, scorer, rows, _TAKEN_OVER, now)


def caused_by(fresh: CustomerRows) -> str:
    """What arrived, in words: `2 orders, 1 tickets`."""
    return ", ".join(f"{len(rows)} {name}" for name, rows in fresh.items())


def _together(history: History, customer_id: str, calls: Sequence[Rows]) -> Rows:
    """The customer's rows as the last run knew them, with those of the calls since."""
    rows = history.rows(customer_id)
    for call in calls:
        for name, fresh in call.items():
            rows[name] = with_fresh(name, rows.get(name, []), fresh)
    return rows


def with_fresh(table: str, stored: Sequence[Row], fresh: Sequence[Row]) -> list[Row]:
    """The rows of a table with those of one call: a row known again takes the place of the old.

    A ticket, subscription or survey keeps what the fresh row does not name.
    """
    known: dict[tuple[Any, ...], Row] = {}
    for row in stored:
        if key := _key(table, row):
            known[key] = row
    again = {key for row in fresh if (key := _key(table, row))}
    is_versioned = any(KNOWN_FROM in row for row in stored)
    kept = [row for row in stored if _key(table, row) not in again]
    return [*kept, *_joined(table, known, fresh, is_versioned=is_versioned)]


def _joined(
    table: str, known: Mapping[tuple[Any, ...], Row], fresh: Sequence[Row], *, is_versioned: bool
) -> Iterator[Row]:
    for row in fresh:
        key = _key(table, row)
        old = known.get(key, {}) if key and table != "orders" else {}
        joined = {**old, **row}
        if is_versioned:
            # The newest state is the only one that a score as of now can see.
            joined |= {KNOWN_FROM: row[str(TABLES["tickets"].time)], KNOWN_UNTIL: None}
        yield joined


def _key(table: str, row: Row) -> tuple[Any, ...] | None:
    """By what the row is known again, or None for one that never is."""
    if row.get("is_return"):
        return None  # a return bears the order it takes back, and does not replace it
    names = next((names for name, names in _KEYS.items() if name == table), ())
    key = tuple(row.get(name) for name in names)
    needed = key[:2] if table == "surveys" else key[:1]
    return None if not key or None in needed else key


def _rescored(
    writer: FreshWriter,
    served: Served,
    scorer: LiveScorer,
    rows: Rows,
    cause: str,
    now: datetime,
) -> Rescored:
    """The score of all the rows, kept with its cause, and where the customer stands by it."""
    about, customer_id = served.snapshot.about, writer.customer_id
    try:
        score, timing = scorer.score_in_time(customer_id, rows, scorer.cutoff(now), about.serving)
    except NotEligible as error:
        return Rescored(None, None, None, str(error))
    was = standing(writer.connection, customer_id)
    if was is None:
        was = _was_at_night(served.snapshot, customer_id)
    stands = stands_at_risk(score.churn_probability, about.serving, was=was)
    kept = writer.record(score, timing, cause, about.model_version, now, is_at_risk=stands)
    if stands == was:
        return Rescored(score, kept, None, None)
    change = Change(score, kept.score_id, cause, stands)
    tell(writer.connection, [change], about, now)
    return Rescored(score, kept, change.event, None)


def _was_at_night(snapshot: OnlineSnapshot, customer_id: str) -> bool:
    """Whether the last run's own score of the customer, if it has one, says that they are."""
    found, serving = snapshot.find(customer_id), snapshot.about.serving
    if found is None:
        return False
    propensity = orjson.loads(found.score)["churn_probability"]
    return stands_at_risk(propensity, serving, was=False)
