"""What a plan is made on: the last scores, what contact changes, and the people behind them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import orjson

from features.config import PipelineConfig
from features.snapshot import open_snapshot
from serving.online import ListFilter, OnlineSnapshot
from serving.outreach.decide.contacted import longest_span
from serving.outreach.decide.people import People, people_at
from serving.outreach.decide.rules import rules_of
from serving.outreach.identities import Identities, read_identities
from serving.served import Served
from training.bundle import Uplift

_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Scored:
    """What the last scoring run said of a customer."""

    customer_id: str
    churn_probability: float
    clv: float | None
    value_at_risk: float
    risk_tier: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a contact adds to the chance of staying; None when the model abstains."""

    change: float | None
    do_not_disturb: bool = False


@dataclass(frozen=True)
class Basis:
    """All that candidates are made of except the operations database; read once for a plan."""

    online: OnlineSnapshot
    scored: Sequence[Scored]
    """One per person, the most at risk first."""
    changes: Sequence[Change]
    is_assumed: bool
    """Whether the changes are the configured assumption."""
    verdict: str | None
    """What was found of the uplift model, if there is one."""
    people: People
    identities: Identities
    known_until: datetime
    """Up to when the scores knew the customers."""
    lag: timedelta
    """Added to every time of the data; 0 but for a generated company, whose data stands still."""

    @property
    def scored_at(self) -> datetime:
        """`known_until` with the lag."""
        return self.known_until + self.lag


def read_basis(config: PipelineConfig, served: Served, now: datetime) -> Basis:
    """Read the scores that are served and the snapshot beside them.

    Raises OutreachOff without channels, IdentityError for a file of merged customers that cannot
    be read, SnapshotError before the first `setia check`.
    """
    rules, online = rules_of(config.outreach), served.snapshot
    identities = read_identities(config.outreach.merged)
    scored = read_scored(online, identities)
    uplift = served.bundle.models.uplift
    changes, is_assumed = _changes(online, scored, config.outreach.assumed_change, uplift)
    snapshot = open_snapshot(config.workspace / "snapshots", memory_limit=config.memory_limit)
    watermark = snapshot.manifest.watermark
    lag = now - watermark if online.about.generated and watermark < now else timedelta(0)
    ids = sorted({one for each in scored for one in identities.of(each.customer_id)})
    span = max(longest_span(rules), rules.complaint_rest)
    people = people_at(snapshot, config, ids, now - lag, span)
    snapshot.connection.close()
    # The data is complete before the cutoff, which may be a midnight still to come.
    known_until = min(online.about.cutoff or online.about.created_at, online.about.created_at)
    return Basis(
        online=online,
        scored=scored,
        changes=changes,
        is_assumed=is_assumed,
        verdict=uplift.verdict if uplift else None,
        people=people,
        identities=identities,
        known_until=known_until,
        lag=lag,
    )


def read_scored(snapshot: OnlineSnapshot, identities: Identities) -> list[Scored]:
    """The scores in at-risk order; of one person under several ids only the first."""
    seen: set[str] = set()
    found = []
    for score in _scores(snapshot):
        person = identities.person(score.customer_id)
        if person not in seen:
            seen.add(person)
            found.append(score)
    return found


def _scores(snapshot: OnlineSnapshot) -> Iterable[Scored]:
    names, after = list(Scored.__dataclass_fields__), 0
    while rows := snapshot.page(ListFilter(), after, _AT_ONCE):
        for _, record in rows:
            told = orjson.loads(record)
            yield Scored(*(told[name] for name in names))
        after = rows[-1][0]


def _changes(
    online: OnlineSnapshot, scored: Sequence[Scored], share: float, uplift: Uplift | None
) -> tuple[list[Change], bool]:
    """What contact changes for each customer, and whether that is assumed.

    The assumption, until a model is proven, is that contact keeps `share` of those who would
    leave. It is proportional to the churn probability, for nobody can be kept who stays anyway;
    so it ranks by value at risk.
    """
    assumed = [share * one.churn_probability for one in scored]
    if uplift is None:
        return [Change(change) for change in assumed], True
    found: list[Change] = []
    is_assumed = False
    for start in range(0, len(scored), _AT_ONCE):
        some = scored[start : start + _AT_ONCE]
        known = online.find_many([one.customer_id for one in some])
        X = np.vstack([known[one.customer_id].features for one in some])
        proven, flags = uplift.foreseen(X)
        is_assumed = proven is None
        changes = assumed[start : start + _AT_ONCE] if proven is None else proven.tolist()
        found += [Change(*pair) for pair in zip(changes, flags.tolist(), strict=True)]
    return found, is_assumed
