"""No order of planning, sending and waiting breaks a limit or reaches a held-out customer."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from features.config import PipelineConfig
from features.windows import local_day
from serving.database import Database
from serving.outreach.decide.basis import Basis
from serving.outreach.decide.planning import write_plan
from serving.outreach.decide.programmes import find_programme
from serving.outreach.deliver.leases import Attempt, lease, settle
from serving.outreach.deliver.recheck import boundary_of
from serving.outreach.message import Message, Receipt, Verdict
from serving.outreach.records import AUDIT, DECISIONS, MESSAGES
from tests.serving.operations import Place
from tests.serving.outreach.outreach_company import DAY, Shop, open_shop, shop_config
from tests.serving.scored_company import NOW

HOUR = timedelta(hours=1)
CAPS = [
    {"most": 2, "days": 7},
    {"most": 3, "days": 20},
    {"most": 1, "days": 5, "channel": "email"},
]
LIMITS = {"caps": CAPS, "rest_days": 1, "send_within_hours": 168}
Step = tuple[str, int]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), 25)


@pytest.fixture(scope="module")
def basis(shop: Shop) -> Basis:
    return shop.basis()


@dataclass(frozen=True)
class Arrival:
    """The first time that a customer had a message, which is all that counts."""

    customer_id: str
    channel: str
    at: datetime


@dataclass
class World:
    """One operations database, what is done to it, and what customers had of it."""

    database: Database
    config: PipelineConfig
    basis: Basis
    now: datetime = NOW
    arrived: dict[str, Arrival] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, step: Step) -> None:
        kind, number = step
        if kind == "wait":
            self.now += number * HOUR
        elif kind == "plan":
            self.plan()
        elif kind == "replay":
            self.replay()
        else:
            self.deliver(Random(number))

    def plan(self) -> None:
        """With scores of an hour ago, for it is not their age that is at stake here."""
        write_plan(self.database, self.config, replace(self.basis, known_until=self.now), self.now)

    def deliver(self, draws: Random) -> None:
        """Every other message arrives that the answer says has not."""
        boundary = boundary_of(self.config.outreach, self.config.workspace)
        for endpoint in ("drop", "crm"):
            leased = lease(
                self.database,
                endpoint,
                draws.randint(1, 9),
                self.now,
                boundary.permissions,
                repeatable=True,
            )
            attempts = []
            for one in leased:
                verdict: Verdict = draws.choice(("delivered", "delivered", "retry", "refused"))
                if verdict == "delivered" or draws.random() < 0.5:
                    self.arrive(one.message)
                attempts.append(Attempt(one, self.now, 0.0, Receipt(verdict)))
            settle(self.database, endpoint, attempts, self.now, draws)

    def arrive(self, message: Message) -> None:
        arrival = Arrival(message.customer_id, message.payload["channel"], self.now)
        with self.lock:
            self.arrived.setdefault(message.id, arrival)

    def replay(self) -> None:
        """Somebody sends everything dead again."""
        with self.database.writing() as connection:
            dead = update(MESSAGES).where(MESSAGES.c.state == "dead")
            connection.execute(dead.values(state="pending", next_at=self.now, settled_at=None))

    def check(self) -> None:
        with self.database.reading() as connection:
            programme = find_programme(connection, self.config.outreach)
            decided = connection.execute(
                select(DECISIONS.c.channel, DECISIONS.c.decided_at, DECISIONS.c.cost).where(
                    DECISIONS.c.action == "contact"
                )
            ).all()
            alarms = connection.execute(
                select(AUDIT).where(AUDIT.c.action == "holdout_refused")
            ).all()
        assert alarms == []
        zone = self.config.zone
        used = Counter((row.channel, local_day(row.decided_at, zone)) for row in decided)
        assert all(count <= (20 if name == "email" else 10) for (name, _), count in used.items())
        by_customer: dict[str, list[Arrival]] = {}
        for one in self.arrived.values():
            assert 8 <= one.at.astimezone(zone).hour < 21
            assert programme is not None
            assert not programme.holdout.holds(one.customer_id)
            by_customer.setdefault(one.customer_id, []).append(one)
        for arrivals in by_customer.values():
            _within_limits(arrivals)


def _within_limits(arrivals: Sequence[Arrival]) -> None:
    for cap in [*CAPS, {"most": 1, "days": LIMITS["rest_days"]}]:
        counted = [one.at for one in arrivals if cap.get("channel") in (None, one.channel)]
        for at in counted:
            within = [each for each in counted if at - cap["days"] * DAY < each <= at]
            assert len(within) <= cap["most"], (cap, sorted(counted))


def world(database: Database, shop: Shop, basis: Basis) -> World:
    return World(database, shop_config(shop.config.workspace, **LIMITS), basis)


steps = st.one_of(
    st.just(("plan", 0)),
    st.tuples(st.just("deliver"), st.integers(0, 999)),
    st.tuples(st.just("deliver"), st.integers(0, 999)),
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.just(("replay", 0)),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(steps, min_size=4, max_size=25))
def test_no_order_of_steps_breaks_a_limit(shop: Shop, basis: Basis, taken: list[Step]) -> None:
    with TemporaryDirectory() as folder:
        database = Database(Path(folder))
        made = world(database, shop, basis)
        for step in [("plan", 0), *taken]:
            made.take(step)
        made.check()
        database.close()


def test_weeks_of_planning_and_sending_break_none(
    database: Database, shop: Shop, basis: Basis
) -> None:
    made, draws = world(database, shop, basis), Random(11)
    for _ in range(45):
        made.take(("plan", 0))
        for _ in range(3):
            made.take(("deliver", draws.randrange(999)))
            made.take(("wait", draws.randint(1, 6)))
        if draws.random() < 0.6:
            made.take(("replay", 0))
    made.check()
    assert len(made.arrived) > 40


def test_planners_and_workers_at_once_break_none(place: Place, shop: Shop, basis: Basis) -> None:
    databases = [place.open() for _ in range(4)]
    worlds = [world(one, shop, basis) for one in databases]
    for one in worlds[1:]:
        one.arrived, one.lock = worlds[0].arrived, worlds[0].lock

    def work(number: int) -> None:
        mine = worlds[number]
        for turn in range(4):
            mine.now = NOW + turn * DAY
            mine.plan()
            mine.deliver(Random(number * 10 + turn))

    with ThreadPoolExecutor(4) as together:
        list(together.map(work, range(4)))
    worlds[0].check()
    assert worlds[0].arrived
    for one in databases:
        one.close()
