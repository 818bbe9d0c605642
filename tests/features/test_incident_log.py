"""A real service desk's log of changes: every ticket feature equals a plain loop over its rows."""

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from features.config import load_config
from features.ingest.run import ingest
from features.snapshot import Snapshot, open_snapshot
from features.spine import SPINE_SCHEMA
from features.table import feature_table, supported_features
from tests.features.ticket_loop import Company, differences, ticket_features, told
from tests.features.ticket_trail import Change, tickets_as_of
from tests.shared_data import shared_data

LOG = "incident-log-to-april/incident_event_log_to_april.csv.gz"
CONFIG = Path(__file__).resolve().parents[2] / "examples" / "incident-log" / "pipeline.yaml"
SAMPLED = 300
FIRST, LAST = datetime(2016, 3, 2, tzinfo=UTC), datetime(2016, 7, 1, tzinfo=UTC)


def test_every_ticket_feature_equals_a_loop_over_the_rows_known_at_the_cutoff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETIA_DATA", str(shared_data(LOG).parents[1]))
    config = load_config(CONFIG).model_copy(update={"workspace": tmp_path})
    ingest(config)
    dice = random.Random(20160229)
    callers = sorted({row.customer_id for row in log()})
    assert (
        compare(open_snapshot(tmp_path / "snapshots"), dice.sample(callers, SAMPLED), cutoffs(dice))
        == {}
    )


def cutoffs(dice: random.Random) -> list[datetime]:
    """Twenty midnights while incidents are open."""
    days = (LAST - FIRST).days
    return [FIRST + timedelta(days=day) for day in sorted(dice.sample(range(days), 20))]


def log() -> list[Change]:
    """The rows of the log, less those that name no caller."""
    with gzip.open(shared_data(LOG), "rt", encoding="utf-8", newline="") as file:
        return [_change(row) for row in csv.DictReader(file) if row["caller_id"] != "?"]


def _change(row: dict[str, str]) -> Change:
    return Change(
        ticket_id=row["number"],
        changed_at=_time(row["sys_updated_at"]),
        sequence=int(row["sys_mod_count"]),
        customer_id=row["caller_id"],
        opened_at=_time(row["opened_at"]),
        status=row["incident_state"],
        channel=row["contact_type"].lower(),
        category=None if row["category"] == "?" else row["category"],
        transfers=int(row["reassignment_count"]),
        agent_id=None if row["assigned_to"] == "?" else row["assigned_to"],
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def compare(
    snapshot: Snapshot, callers: Iterable[str], cutoffs: Iterable[datetime]
) -> dict[tuple[str, datetime], object]:
    """Caller and cutoff to the features that differ, found and expected."""
    asked = sorted(callers)
    wrong: dict[tuple[str, datetime], object] = {}
    features = {f.name for f in supported_features(snapshot) if f.source == "tickets"}
    for cutoff, found, expected in _answers(snapshot, asked, list(cutoffs)):
        assert set(expected) ^ features == set()
        if differing := differences(found, expected):
            wrong[found["customer_id"], cutoff] = differing
    return wrong


def _answers(
    snapshot: Snapshot, callers: list[str], cutoffs: list[datetime]
) -> Iterator[tuple[datetime, dict, dict]]:
    rows = log()
    for cutoff in cutoffs:
        owned = defaultdict(list)
        for ticket in tickets_as_of(rows, cutoff, {"New"}, {"Resolved", "Closed"}):
            owned[ticket.last.customer_id].append(ticket)
        known = {caller: told(tickets) for caller, tickets in owned.items()}
        company = Company(known, cutoff)
        spine = pa.table([callers, [cutoff] * len(callers)], schema=SPINE_SCHEMA)
        for found in feature_table(snapshot, spine).to_pylist():
            yield cutoff, found, ticket_features(known.get(found["customer_id"], []), company)
