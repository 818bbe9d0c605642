"""One customer over time: scores with causes, decisions with what became of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from serving.after_run import follow_run
from serving.database import Database
from serving.fresh import FreshStore
from serving.outreach.outbox import NewMessage, enqueue
from serving.outreach.records import DECISIONS
from serving.served import load_served
from serving.standings import Change, tell
from serving.trail import decisions_of, score_history
from tests.serving.operations import NOW
from tests.serving.outreach.outbox_rows import add_programme
from tests.serving.scored_company import Api, Company, publish, score_company

DAY = timedelta(days=1)
CUSTOMER = "c_0002"


@pytest.fixture
def scored(tmp_path: Path) -> Company:
    return score_company(tmp_path / "company", customers=6)


def run(company: Company, database: Database, propensity: float, now: datetime) -> None:
    """A scoring run that puts the customer first, with this propensity."""
    first = replace(company.scores[2], churn_probability=propensity, value_at_risk=1e9)
    scores = [first if one.customer_id == CUSTOMER else one for one in company.scores]
    now_scored = replace(company, scores=scores)
    publish(now_scored, now)
    ranked = sorted(scores, key=lambda one: one.customer_id != CUSTOMER)
    follow_run(company.workspace, database, ranked, now, lambda *_: None)


def live(database: Database, company: Company, propensity: float, now: datetime) -> str:
    score = replace(company.scores[2], churn_probability=propensity)
    about = load_served(company.workspace).snapshot.about
    with FreshStore(database).writing(CUSTOMER) as writer:
        kept = writer.record(score, {}, "2 tickets", "1", now, is_at_risk=True)
        tell(writer.connection, [Change(score, kept.score_id, "2 tickets", True)], about, now)
    return kept.score_id


def test_scores_of_runs_and_events_are_told_newest_first_with_what_they_led_to(
    scored: Company, database: Database
) -> None:
    run(scored, database, 0.2, NOW + DAY)
    raised = live(database, scored, 0.8, NOW + DAY + timedelta(hours=3))
    run(scored, database, 0.3, NOW + 2 * DAY)
    run(scored, database, 0.4, NOW + 3 * DAY)
    snapshot = load_served(scored.workspace).snapshot
    with database.reading() as connection:
        history = score_history(snapshot, connection, CUSTOMER)
        nobody = score_history(snapshot, connection, "nobody")
    told = [
        (one["score_id"], one["cause"], one["churn_probability"], one["event"]) for one in history
    ]
    assert told[:4] == [
        ("snap_20260105T030405000000_1", "scoring run", 0.4, None),
        ("snap_20260104T030405000000_1", "scoring run", 0.3, "customer.recovered"),
        (raised, "2 tickets", 0.8, "customer.at_risk"),
        ("snap_20260103T030405000000_1", "scoring run", 0.2, None),
    ]
    assert [one["as_of"] for one in history[3:]] == [NOW + DAY, NOW]
    assert history[4]["churn_probability"] == scored.scores[2].churn_probability
    assert nobody == []


def test_a_decision_is_told_with_its_message(database: Database) -> None:
    rows = [
        {"id": "dec_1", "decided_at": NOW, "action": "suppress", "reason": "capped"},
        {
            "id": "dec_2",
            "decided_at": NOW + DAY,
            "action": "contact",
            "reason": "expected_gain",
            "channel": "email",
            "expected_gain": 12.5,
        },
    ]
    message = NewMessage("crm", "outreach.contact", CUSTOMER, "e" * 64, {}, "dec_2")
    common = {"programme": "retention", "run": "r", "customer_id": CUSTOMER, "occasion": "risk"}
    with database.writing() as connection:
        add_programme(connection)
        for row in rows:
            connection.execute(insert(DECISIONS).values({**common, "value": 1.0, **row}))
        enqueue(connection, [message], NOW + DAY)
    with database.reading() as connection:
        newest, oldest = decisions_of(connection, CUSTOMER)
        assert decisions_of(connection, "nobody") == []
    assert (oldest["id"], oldest["reason"], oldest["message"]) == ("dec_1", "capped", None)
    assert (newest["channel"], newest["expected_gain"]) == ("email", 12.5)
    sent = newest["message"]
    assert (sent["endpoint"], sent["state"], sent["attempts"]) == ("crm", "pending", 0)


def test_a_customer_is_answered_with_both_only_when_asked(
    scored: Company,
) -> None:
    database = Database(scored.workspace)
    run(scored, database, 0.2, NOW + DAY)
    api, path = Api(scored.workspace), f"/v1/customers/{CUSTOMER}"
    plain = api.get(path).json()
    assert (plain["history"], plain["decisions"]) == (None, None)
    both = api.get(f"{path}?include=history,decisions").json()
    assert {**both, "history": None, "decisions": None} == plain
    assert [one["as_of"] for one in both["history"]] == [
        "2026-01-03T03:04:05Z",
        "2026-01-02T03:04:05Z",
    ]
    assert both["decisions"] == []
    alone = api.get(f"{path}?include=history").json()
    assert (len(alone["history"]), alone["decisions"]) == (2, None)
    assert api.get(f"{path}?include=all").status_code == 422
    assert api.get(f"{path}?included=history").status_code == 422
    assert api.get("/v1/customers/nobody?include=history").status_code == 404
    database.close()


def test_without_the_database_history_is_refused_and_the_score_is_not(scored: Company) -> None:
    api, path = Api(scored.workspace), f"/v1/customers/{CUSTOMER}"
    (scored.workspace / "setia.db").write_text("no database, but long enough to be taken for" * 99)
    refused = api.get(f"{path}?include=history")
    assert refused.status_code == 503
    assert "ask without them" in refused.json()["detail"]
    assert api.get(path).status_code == 200
