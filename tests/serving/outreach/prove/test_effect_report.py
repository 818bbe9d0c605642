"""The report says what contact changed, from the database, and never more than is known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, update

from features.config import PipelineConfig
from serving.database import Database
from serving.outreach.prove.assignments import first_assignments
from serving.outreach.prove.effect import arm_of, measure_effect
from serving.outreach.prove.effect_report import (
    EffectUnknown,
    read_report,
    report_effect,
    write_report,
)
from serving.outreach.prove.effect_shapes import EffectReport
from serving.outreach.records import DECISIONS, MESSAGES, OUTCOMES
from tests.serving.outreach.programme import DAY, HORIZON, START, Assigned, begin, config, draw

NOW = START + 400 * DAY


def happened(database: Database, settings: PipelineConfig, stayed: Any, value: Any = None) -> None:
    """Write what became of each customer, in the order in which they were assigned."""
    with database.writing() as connection:
        name = settings.outreach.programme
        assigned = first_assignments(connection, name, HORIZON, settings.zone)
        rows = [
            {
                "customer_id": one.customer_id,
                "kind": "kept" if stays else "lost",
                "occurred_at": one.until,
                "value": None if value is None else float(value[place]),
                "decision_id": one.decision_id,
                "source": "orders",
                "received_at": NOW,
            }
            for place, (one, stays) in enumerate(zip(assigned, stayed, strict=True))
        ]
        connection.execute(insert(OUTCOMES), rows)


def report(database: Database, settings: PipelineConfig, until: Any = NOW) -> EffectReport:
    with database.reading() as connection:
        return report_effect(connection, settings, until, NOW)


def test_the_difference_is_counted_by_arm(database: Database, tmp_path: Path) -> None:
    """By hand: 90 of 100 stayed where contacted, 70 of 100 where held out; 200 EUR were spent."""
    settings = config(tmp_path)
    arms = ["contact"] * 100 + ["holdout"] * 100
    begin(database, [Assigned(f"c{place:03}", arm) for place, arm in enumerate(arms)])
    with database.writing() as connection:
        by_customer = [row.customer_id for row in connection.execute(DECISIONS.select())]
    assert len(by_customer) == 200
    with database.reading() as connection:
        assigned = first_assignments(connection, "retention", HORIZON, settings.zone)
    stayed = [
        int(one.customer_id[1:]) < 90 or 100 <= int(one.customer_id[1:]) < 170 for one in assigned
    ]
    happened(database, settings, stayed)
    found = report(database, settings)
    assert found.staying == {"contact": 0.9, "holdout": 0.7}
    assert found.retention.difference == pytest.approx(0.2)
    by_hand = measure_effect(
        arm_of([(1.0, 0.5)] * 90 + [(0.0, 0.5)] * 10),
        arm_of([(1.0, 0.5)] * 70 + [(0.0, 0.5)] * 30),
        0.5,
        2_000,
    )
    assert found.retention.low == pytest.approx(by_hand.low)
    assert found.cost == 200.0
    assert not found.retention.sure
    assert found.cost_per_kept is None
    assert found.ledger[-1].kept == pytest.approx(20.0)
    assert found.value is None
    assert found.sentence.startswith("Nothing can be said yet; an effect of the size seen needs")


def test_a_message_that_never_left_costs_nothing(database: Database, tmp_path: Path) -> None:
    settings = config(tmp_path)
    begin(database, [Assigned("a", "contact"), Assigned("b", "contact")])
    with database.writing() as connection:
        dead = update(MESSAGES).where(MESSAGES.c.decision_id == "dec_0").values(state="dead")
        connection.execute(dead)
    happened(database, settings, [True, True])
    assert report(database, settings).cost == 2.0


def test_a_contact_after_the_horizon_costs_the_effect_nothing(
    database: Database, tmp_path: Path
) -> None:
    settings = config(tmp_path)
    again = [Assigned("a", "contact", START + days * DAY) for days in (0, 29, 31)]
    begin(database, again)
    happened(database, settings, [True])
    assert report(database, settings).cost == 4.0


def test_who_is_not_matured_waits_and_who_is_unknown_is_counted(
    database: Database, tmp_path: Path
) -> None:
    settings = config(tmp_path)
    begin(database, draw(100, 0.5, seed=1, days=10))
    until = START.replace(hour=0) + (HORIZON + 4) * DAY
    found = report(database, settings, until)
    assert found.waiting.customers.contact + found.waiting.customers.holdout == 50
    assert found.waiting.next_at == until + DAY
    assert found.waiting.last_at == until + 5 * DAY
    assert found.unknown.contact + found.unknown.holdout == 50
    assert (found.measured.contact, found.measured.holdout) == (0, 0)
    assert found.ledger == []
    assert found.smallest_detectable is None
    assert "at least 30 customers" in found.sentence


def known_effect(
    database: Database,
    settings: PipelineConfig,
    seed: int,
    effect: float,
    days: int = 60,
    customers: int = 2_000,
) -> EffectReport:
    """Customers who stay by their score, and by `effect` more often where contacted."""
    rng, name = np.random.default_rng(seed), settings.outreach.programme
    churn, before = rng.beta(2, 3, customers), rng.gamma(2.0, 50.0, customers)
    drawn = draw(customers, 0.3, seed, days)
    for one, risk, past in zip(drawn, churn.tolist(), before.tolist(), strict=True):
        one.traits.update(
            churn_probability=risk,
            before=past,
            risk_tier="high" if risk > 0.6 else "low",
            segment="business" if past > 100 else None,
        )
    begin(database, drawn, share=0.3, planned=customers, name=name)
    with database.reading() as connection:
        assigned = first_assignments(connection, name, HORIZON, settings.zone)
    contacted = np.array([one.arm == "contact" for one in assigned])
    risk = np.array([one.churn_probability for one in assigned])
    past = np.array([one.before for one in assigned])
    stayed = rng.random(customers) < np.clip(1 - risk + effect * contacted, 0, 1)
    happened(database, settings, stayed, stayed * (past + rng.normal(0, 10, customers)))
    return report(database, settings)


def test_a_known_effect_is_found_and_priced(database: Database, tmp_path: Path) -> None:
    found = known_effect(database, config(tmp_path), seed=3, effect=0.15)
    assert found.retention.sure
    assert found.retention.low is not None
    assert found.retention.low < 0.15 < (found.retention.high or 0)
    kept = found.retention.difference * found.measured.contact
    assert found.cost_per_kept == pytest.approx(2.0 * found.measured.contact / kept)
    assert found.sentence.startswith("Contact kept 1")
    assert found.sentence.endswith("EUR per kept customer.")
    assert found.value is not None
    assert found.value.difference > 0


def test_the_score_and_the_past_make_the_intervals_narrower(
    database: Database, tmp_path: Path
) -> None:
    settings = config(tmp_path)
    better = known_effect(database, settings, seed=4, effect=0.1)
    with database.writing() as connection:
        connection.execute(update(DECISIONS).values(churn_probability=0.5, before=0.0))
    plain = report(database, settings)

    def width(found: EffectReport, name: str) -> float:
        part = getattr(found, name)
        return float(part.high - part.low)

    assert width(better, "retention") < 0.95 * width(plain, "retention")
    assert width(better, "value") < 0.9 * width(plain, "value")


def test_the_ledger_adds_up_month_by_month_and_ends_at_the_whole(
    database: Database, tmp_path: Path
) -> None:
    found = known_effect(database, config(tmp_path), seed=5, effect=0.1, days=70)
    assert [one.period for one in found.ledger] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    last = found.ledger[-1]
    assert last.customers == found.measured
    assert last.retention.low == pytest.approx(found.retention.low)
    assert last.cost == found.cost > 0
    assert last.value_kept is not None
    sizes = [one.customers.contact for one in found.ledger]
    assert sizes == sorted(sizes)
    assert len(found.daily) == 70
    assert found.daily[-1].difference == pytest.approx(found.retention.difference)


def test_the_intervals_of_groups_are_wider_so_that_all_hold_together(
    database: Database, tmp_path: Path
) -> None:
    """By hand: five groups, so each at 1 - 0.05 / 5."""
    settings = config(tmp_path)
    found = known_effect(database, settings, seed=6, effect=0.1)
    names = [(one.by, one.name) for one in found.slices]
    assert names == [
        ("policy", "expected_gain"),
        ("channel", "email"),
        ("segment", "business"),
        ("tier", "high"),
        ("tier", "low"),
    ]
    whole, everybody = found.retention, found.slices[0].retention
    assert everybody.difference == whole.difference
    assert None not in (whole.high, everybody.high)
    widths = [(one.high or 0) - one.difference for one in (everybody, whole)]
    size, planned = 2_000, 2_000

    def stretch(alpha: float) -> float:
        tuned = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned
        grown = size * tuned + 1
        return math.sqrt(2 * grown / (size * tuned) * math.log(math.sqrt(grown) / alpha))

    assert widths[0] / widths[1] == pytest.approx(stretch(0.05 / 5) / stretch(0.05))


def test_a_contact_of_a_held_out_customer_shows(database: Database, tmp_path: Path) -> None:
    settings = config(tmp_path)
    begin(database, [Assigned("a", "contact"), Assigned("b", "holdout")])
    assert report(database, settings).contacts_of_held_out == 0
    with database.writing() as connection:
        row = connection.execute(MESSAGES.select()).one()._asdict()
        other = {"sequence": 99, "id": "msg_x", "effect_key": "x", "decision_id": "dec_1"}
        connection.execute(insert(MESSAGES), row | other)
    assert report(database, settings).contacts_of_held_out == 1


def test_a_programme_that_has_not_begun_has_no_report(database: Database, tmp_path: Path) -> None:
    with pytest.raises(EffectUnknown, match="`setia outreach plan` makes the first"):
        report(database, config(tmp_path))
    with pytest.raises(EffectUnknown, match="run `setia outcomes report`"):
        read_report(tmp_path)


def test_a_report_is_read_as_it_was_kept(database: Database, tmp_path: Path) -> None:
    found = known_effect(database, config(tmp_path), seed=7, effect=0.1)
    write_report(tmp_path, found)
    assert read_report(tmp_path) == found


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_sequences_through_the_database_hold_on_every_day(tmp_path: Path, effect: float) -> None:
    """20 programmes, looked at on each of 30 days, as the real report is made.

    The pure function is tested with 1,000. Of 20, more than 4 misses would come once in 400 times
    if each missed with probability 5 %.
    """
    database, missed = Database(tmp_path), 0
    for seed in range(20):
        settings = config(tmp_path, outreach={"programme": f"p{seed}"})
        found = known_effect(database, settings, 100 + seed, effect, days=30, customers=600)
        looks = [point for point in found.daily if point.low is not None]
        missed += any(not (one.low or 0) <= effect <= (one.high or 0) for one in looks)
        assert len(looks) >= 20
    database.close()
    assert missed <= 4
