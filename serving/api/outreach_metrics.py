"""Measurements of outreach, read from the operations database once a minute."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Connection, select

from serving.database import Database, DatabaseError
from serving.outreach.deliver.endpoints import endpoint_statuses
from serving.outreach.prove.assignments import contacts_of_held_out
from serving.outreach.prove.effect_report import EffectUnknown, read_report
from serving.outreach.records import AUDIT

_Labels = tuple[str, ...]

_EVERY = timedelta(minutes=1)
_NO_ALARM = 1.0

_log = logging.getLogger("setia.serving")


class _Family:
    """A gauge whose labels come and go: one that is no longer named is 0.

    It is not taken away, since the files by which workers share their values cannot do that.
    """

    def __init__(
        self, registry: CollectorRegistry, name: str, says: str, labels: Sequence[str]
    ) -> None:
        # Every worker reads the same database, so the newest reading stands for all.
        mode: Literal["livemostrecent"] = "livemostrecent"
        self._gauge = Gauge(name, says, labels, registry=registry, multiprocess_mode=mode)
        self._seen: set[_Labels] = set()

    def show(self, values: Mapping[_Labels, float]) -> None:
        """Show these values, and 0 for the labels that had one before."""
        self._seen |= values.keys()
        for labels in self._seen:
            gauge = self._gauge.labels(*labels) if labels else self._gauge
            gauge.set(values.get(labels, 0.0))


class OutreachMetrics:
    """What waits and what was given up, the last plan's verdicts, and that the holdout holds."""

    def __init__(self, registry: CollectorRegistry, database: Database, workspace: Path) -> None:
        self._database = database
        self._workspace = workspace
        self._read_at: datetime | None = None

        def family(name: str, says: str, *labels: str) -> _Family:
            return _Family(registry, name, says, labels)

        self._messages = family(
            "setia_outbox_messages", "Messages by endpoint and state.", "endpoint", "state"
        )
        self._oldest = family(
            "setia_outbox_oldest_due_timestamp_seconds",
            "Since when the longest waiting message has been due; 0 while none is.",
            "endpoint",
        )
        self._verdicts = family(
            "setia_plan_verdicts", "Decisions of the last plan by their reason.", "reason"
        )
        self._held_out = family(
            "setia_holdout_contacts", "Messages ever made for held-out customers; must be 0."
        )
        self._ratio = family(
            "setia_effect_ratio_p_value",
            "Anytime-valid p-value that the arms have their sizes; below 0.001 somebody leaks.",
        )

        self._ratio.show({(): _NO_ALARM})

    def refresh(self, now: datetime) -> None:
        """Read again what is older than a minute."""
        # A clock that was set back is no reason to wait for it.
        if self._read_at is not None and timedelta(0) <= now - self._read_at < _EVERY:
            return
        self._read_at = now
        try:
            if self._database.exists:
                self._read(now)
        except DatabaseError as error:
            _log.warning("outreach cannot be measured: %s", error)

    def _read(self, now: datetime) -> None:
        states: dict[_Labels, float] = {}
        oldest: dict[_Labels, float] = {}
        for status in endpoint_statuses(self._database, (), now):
            oldest[status.name,] = status.oldest_due.timestamp() if status.oldest_due else 0
            for state, messages in status.states.items():
                states[status.name, state] = messages
        self._messages.show(states)
        self._oldest.show(oldest)
        with self._database.reading() as connection:
            self._held_out.show({(): contacts_of_held_out(connection)})
            self._verdicts.show({(name,): n for name, n in _last_verdicts(connection).items()})
        self._ratio.show({(): self._ratio_p_value()})

    def _ratio_p_value(self) -> float:
        """Of the last report, if there is one."""
        try:
            return read_report(self._workspace).assigned_ratio_p_value
        except EffectUnknown:
            return _NO_ALARM


def _last_verdicts(connection: Connection) -> dict[str, int]:
    """Reason to decisions of the last plan."""
    plans = select(AUDIT.c.detail).where(AUDIT.c.action == "plan_written")
    last = connection.scalar(plans.order_by(AUDIT.c.id.desc()).limit(1))
    return dict(last["reasons"]) if last else {}
