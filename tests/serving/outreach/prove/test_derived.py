"""What the orders show of the customers in the arms: the churn label, and what they brought in."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from features.config import PipelineConfig
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from serving.database import Database
from serving.outreach.prove.assignments import Became, first_assignments, what_became
from serving.outreach.prove.derived import Derived, NotDerivable, derive_outcomes
from serving.outreach.prove.outcomes import GivenOutcome, take_in
from serving.outreach.records import OUTCOMES
from tests.serving.outreach.programme import DAY, HORIZON, START, Assigned, begin, config

NOW = START + 100 * DAY
ORDERS = [
    ("early", START - DAY, 10.0),
    ("early", START + DAY, 20.0),
    ("early", START + 31 * DAY, 40.0),  # After the horizon, so worth nothing here.
    ("quiet", START - 2 * DAY, 10.0),
    ("last_day", START - 2 * DAY, 10.0),
    ("last_day", datetime.fromisoformat("2026-01-30T23:59:00+00:00"), 5.0),
    ("too_late", datetime.fromisoformat("2026-01-31T00:00:00+00:00"), 5.0),
    ("young", START + 25 * DAY, 5.0),
    ("nobody_else", START + 50 * DAY, 1.0),
]


def shop(folder: Path, orders: list[tuple[str, datetime, float]] = ORDERS) -> PipelineConfig:
    path = folder / "orders.csv"
    lines = [f"{who},{at.isoformat()},{amount}" for who, at, amount in orders]
    path.write_text("customer_id,ordered_at,amount\n" + "\n".join(lines) + "\n")
    settings = config(folder / "var", path)
    ingest(settings, now=NOW)
    return settings


def derive(database: Database, settings: PipelineConfig) -> Derived:
    snapshot = open_snapshot(settings.workspace / "snapshots")
    with database.writing() as connection:
        return derive_outcomes(connection, snapshot, settings, NOW)


def became(database: Database, settings: PipelineConfig) -> dict[str, Became]:
    with database.reading() as connection:
        assigned = first_assignments(connection, "retention", HORIZON, settings.zone)
        found = what_became(connection, "retention", assigned)
    names = {one.decision_id: one.customer_id for one in assigned}
    return {names[decision]: one for decision, one in found.items()}


def test_staying_and_value_are_those_of_the_horizon(database: Database, tmp_path: Path) -> None:
    """By hand: the horizon of 30 days ends where 31 January begins."""
    settings = shop(tmp_path)
    names = ["early", "quiet", "last_day", "too_late", "gone_from_the_data"]
    late = [Assigned("young", "contact", START + 24 * DAY)]
    begin(database, [Assigned(name, "contact") for name in names] + late)
    found = derive(database, settings)
    assert (found.matured, found.kept, found.lost, found.not_in_data) == (5, 2, 2, 1)
    assert became(database, settings) == {
        "early": Became(True, 20.0),
        "quiet": Became(False, 0.0),
        "last_day": Became(True, 5.0),
        "too_late": Became(False, 0.0),
    }


def test_only_the_first_assignment_of_a_customer_counts(database: Database, tmp_path: Path) -> None:
    settings = shop(tmp_path)
    later = Assigned("quiet", "contact", START + 5 * DAY)
    begin(database, [later, Assigned("quiet", "contact"), Assigned("early", None)])
    assert derive(database, settings).matured == 1
    with database.reading() as connection:
        assert connection.execute(select(OUTCOMES.c.decision_id)).scalars().all() == ["dec_1"]


def test_deriving_again_writes_what_the_data_says_now(database: Database, tmp_path: Path) -> None:
    settings = shop(tmp_path)
    begin(database, [Assigned("quiet", "contact")])
    derive(database, settings)
    shop(tmp_path, [*ORDERS, ("quiet", START + 3 * DAY, 7.0)])
    derive(database, settings)
    assert became(database, settings) == {"quiet": Became(True, 7.0)}


def told(database: Database, *outcomes: tuple[str, str, int, float | None]) -> None:
    """Outcomes as (customer, kind, days after the start, value)."""
    given = [
        GivenOutcome(customer_id=who, kind=kind, occurred_at=START + after * DAY, value=value)  # type: ignore[arg-type]
        for who, kind, after, value in outcomes
    ]
    with database.writing() as connection:
        assert all(one.status == "kept" for one in take_in(connection, given, "api", "x", NOW))


def test_without_orders_what_was_told_decides(database: Database, tmp_path: Path) -> None:
    settings = config(tmp_path)
    names = ["left", "left_late", "stayed", "not_yet", "valued", "bought_only"]
    begin(database, [Assigned(name, "contact") for name in names])
    told(
        database,
        ("left", "left", 29, None),
        ("left_late", "left", 40, None),
        ("stayed", "stayed", 30, None),
        ("stayed", "purchase", 3, 4.0),
        ("stayed", "purchase", 29, 5.0),
        ("stayed", "purchase", 31, 6.0),
        ("not_yet", "stayed", 10, None),
        ("valued", "stayed", 35, 9.0),
        ("bought_only", "purchase", 3, 4.0),
    )
    assert became(database, settings) == {
        "left": Became(False, 0),
        "left_late": Became(True, 0),
        "stayed": Became(True, 9.0),
        "valued": Became(True, 9.0),
    }


def test_what_orders_show_comes_before_what_was_told(database: Database, tmp_path: Path) -> None:
    settings = shop(tmp_path)
    begin(database, [Assigned("early", "contact")])
    told(database, ("early", "left", 10, None))
    derive(database, settings)
    assert became(database, settings) == {"early": Became(True, 20.0)}
    with database.reading() as connection:
        kinds = connection.scalars(select(OUTCOMES.c.kind).order_by(OUTCOMES.c.kind)).all()
    assert kinds == ["kept", "left"]


def test_a_label_without_time_says_what_to_do(database: Database, tmp_path: Path) -> None:
    settings = shop(tmp_path)
    wide = settings.model_copy(
        update={"churn": settings.churn.model_copy(update={"label": "column"})}
    )
    with pytest.raises(
        NotDerivable, match="bring `stayed` and `left` with `setia outcomes import`"
    ):
        derive(database, wide)


def test_a_subscription_that_ends_is_lost_without_a_value(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "subscriptions.csv"
    ends = {
        "ends": (START + 5 * DAY).date(),
        "goes_on": "",
        "ends_later": (START + 60 * DAY).date(),
    }
    lines = [f"{who},s_{who},{(START - 90 * DAY).date()},{end}" for who, end in ends.items()]
    lines.append(f"newcomer,s_new,{(START + 70 * DAY).date()},")
    path.write_text("customer_id,subscription_id,started_at,ended_at\n" + "\n".join(lines) + "\n")
    settings = config(
        tmp_path / "var",
        sources={"subscriptions": {"path": str(path)}},
        churn={"label": "subscription", "horizon_days": HORIZON, "grace_days": 5},
    )
    ingest(settings, now=NOW)
    begin(database, [Assigned(name, "contact") for name in ends])
    derive(database, settings)
    assert became(database, settings) == {
        "ends": Became(False, None),
        "goes_on": Became(True, None),
        "ends_later": Became(True, None),
    }
