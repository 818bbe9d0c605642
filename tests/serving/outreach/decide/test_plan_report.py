"""The report adds up: every customer once, money per limit, and what the holdout can show."""

from pathlib import Path

import pytest

from serving.database import Database
from serving.outreach.decide.decisions import Reason
from serving.outreach.decide.plan_report import REASON_WORDS, PlanReport, report_plan
from serving.outreach.decide.planning import Planned, preview_plan
from serving.outreach.holdout import smallest_detectable_effect
from tests.serving.outreach.outreach_company import DAY, Shop, open_shop, shop_config
from tests.serving.scored_company import NOW


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    tables = {
        "tickets": [
            {
                "customer_id": f"c_{place % 40:04d}",
                "ticket_id": f"t{place}",
                "opened_at": NOW - place * DAY / 2 if place < 120 else NOW - DAY / 8,
                "resolved_at": NOW,
                "category": "delivery",
            }
            for place in range(140)
        ]
    }
    return open_shop(tmp_path_factory.mktemp("shop"), 120, tables)


@pytest.fixture(scope="module")
def planned(shop: Shop) -> Planned:
    return preview_plan(Database(shop.config.workspace), shop.config, shop.basis(), NOW)


@pytest.fixture(scope="module")
def report(shop: Shop, planned: Planned) -> PlanReport:
    return report_plan(planned, shop.config)


def test_every_customer_is_counted_once_and_every_reason_has_words(report: PlanReport) -> None:
    assert sum(one.customers for one in report.reasons) == report.considered == 120
    assert set(REASON_WORDS) == set(Reason.__args__)  # type: ignore[attr-defined]
    assert [one.customers for one in report.reasons] == sorted(
        (one.customers for one in report.reasons), reverse=True
    )


def test_the_money_is_that_of_the_decisions(planned: Planned, report: PlanReport) -> None:
    full = [one for one in planned.plan.decisions if one.reason == "over_capacity"]
    (seen,) = [one for one in report.reasons if one.reason == "over_capacity"]
    assert seen.customers == len(full)
    assert seen.expected_gain == pytest.approx(sum(max(0, one.expected_gain or 0) for one in full))
    assert report.cost == sum(one.cost for one in report.channels) == 20 * 1 + 10 * 3
    assert {one.name: (one.contacts, one.room) for one in report.channels} == {
        "email": (20, 20),
        "messaging": (10, 10),
    }
    assert (report.contacts, report.budget_left) == (30, 60.0)


def test_the_holdout_is_told_with_the_smallest_effect_at_this_size(
    planned: Planned, report: PlanReport
) -> None:
    holdout = report.holdout
    assert holdout.held_out == sum(one.candidate.held_out for one in planned.prospects.values())
    assert sum(one.held_out for one in holdout.by_tier.values()) == holdout.held_out
    arms = [planned.prospects[one.customer_id] for one in planned.plan.decisions if one.arm]
    assert holdout.base_rate == pytest.approx(
        sum(one.scored.churn_probability for one in arms) / len(arms)
    )
    assert holdout.smallest_effect == smallest_detectable_effect(120, holdout.base_rate, 0.2)


def test_a_holdout_of_nobody_shows_no_effect(shop: Shop) -> None:
    tiny = shop_config(shop.config.workspace, holdout_share=0.001)
    made = preview_plan(Database(shop.config.workspace), tiny, shop.basis(), NOW)
    assert report_plan(made, tiny).holdout.smallest_effect is None


def test_the_first_contacts_are_those_of_the_largest_gain_with_their_reason(
    shop: Shop, report: PlanReport
) -> None:
    assert len(report.first) == 10
    gains = [one.expected_gain for one in report.first]
    assert gains == sorted(gains, reverse=True)  # type: ignore[type-var]
    scores = {one.customer_id: one for one in shop.company.scores}
    for one in report.first:
        reasons = scores[one.customer_id].reasons
        raising = [reason.text for reason in reasons if reason.effect == "raises"]
        assert one.why == (raising or [reasons[0].text])[0]
        assert one.value == scores[one.customer_id].clv


def test_an_incident_is_told_with_what_is_usual(report: PlanReport) -> None:
    (incident,) = report.incidents
    # 20 three hours ago and one of the two a day; the other was opened this very instant.
    assert (incident.category, incident.tickets, incident.usual) == ("delivery", 21, 2.0)


def test_old_scores_are_noted_with_what_to_run(shop: Shop, tmp_path: Path) -> None:
    config = shop_config(shop.config.workspace, score_lasts_days=1)
    made = preview_plan(Database(tmp_path), config, shop.basis(), NOW)
    assert made.plan.reasons()["stale_score"]
    assert report_plan(made, config).notes == [
        "scores are out of date: run `setia check` and `setia score`, then plan"
    ]
