"""Fresh rows from the call to whoever is to be told, and over the next scoring run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from features.outreach_config import OutreachConfig, WebhookEndpoint
from serving.after_run import Followed, follow_run
from serving.batch import ScoreRun, score_snapshot
from serving.database import Database
from serving.outreach.records import MESSAGES
from tests.serving.live_company import LiveCompany, score_live_company
from tests.serving.outreach.outboxes import SECRET, webhook, worker
from tests.serving.outreach.receiver import receiving
from tests.serving.scored_company import Api

CRM = WebhookEndpoint(kind="webhook", url="https://crm.example/hook", secret_variable="CRM_SECRET")


@pytest.fixture(scope="module")
def told_company(tmp_path_factory: pytest.TempPathFactory) -> LiveCompany:
    """A company whose CRM is told who comes into danger."""
    outreach = OutreachConfig(endpoints={"crm": CRM}, events_to=["crm"])
    return score_live_company(tmp_path_factory.mktemp("told"), 60, outreach=outreach)


@pytest.fixture
def workspace(told_company: LiveCompany) -> Path:
    """Its workspace, in which nothing fresh has arrived."""
    for file in told_company.config.workspace.glob("setia.db*"):
        file.unlink()
    return told_company.config.workspace


def order() -> dict[str, Any]:
    return {"ordered_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(), "amount": 1_000.0}


def event(api: Api, customer_id: str) -> dict[str, Any]:
    response = api.post("/v1/events", json={"customer_id": customer_id, "orders": [order()]})
    assert response.status_code == 200, response.text
    return dict(response.json())


def follow(company: LiveCompany, run: ScoreRun) -> Followed:
    database = Database(company.config.workspace)
    followed = follow_run(
        company.config.workspace, database, run.scores, datetime.now(UTC), lambda *_: None
    )
    database.close()
    return followed


def recovered(api: Api, company: LiveCompany) -> list[dict[str, Any]]:
    """The answers to orders of customers at risk that let them recover."""
    high = [score.customer_id for score in company.run.scores if score.risk_tier == "high"]
    found = [answer for one in high if (answer := event(api, one))["event"]]
    assert {answer["event"] for answer in found} == {"customer.recovered"}
    return found


def test_an_event_writes_a_message_in_the_transaction_of_the_score(
    workspace: Path, told_company: LiveCompany
) -> None:
    api = Api(workspace)
    answers = recovered(api, told_company)
    with api.app.state.database.reading() as connection:
        rows = connection.execute(select(MESSAGES).order_by(MESSAGES.c.sequence)).all()
    assert len(rows) == len(answers)
    for row, answer in zip(rows, answers, strict=True):
        customer = answer["customer"]
        assert (row.endpoint, row.type, row.state) == ("crm", "customer.recovered", "pending")
        assert row.payload == {
            "customer_id": customer["customer_id"],
            "churn_probability": customer["churn_probability"],
            "risk_tier": customer["risk_tier"],
            "value_at_risk": customer["value_at_risk"],
            "currency": "USD",
            "score_id": answer["score_id"],
            "cause": "1 orders",
            "at": answer["as_of"],
            "model_version": answer["model_version"],
            "generated": True,
        }


def test_the_crm_hears_of_it_over_http_once(workspace: Path, told_company: LiveCompany) -> None:
    api = Api(workspace)
    answers = {answer["score_id"]: answer for answer in recovered(api, told_company)}
    database = api.app.state.database
    with receiving() as receiver:
        sender = webhook(receiver.url)
        for _ in range(2):
            worker(database, {"crm": sender}, lambda: datetime.now(UTC)).deliver_due()
        sender.close()
    told = [Webhook(SECRET).verify(seen.body, dict(seen.headers)) for seen in receiver.seen]
    assert {body["type"] for body in told} == {"customer.recovered"}
    assert sorted(body["data"]["score_id"] for body in told) == sorted(answers)
    for body in told:
        data, customer = body["data"], answers[body["data"]["score_id"]]["customer"]
        assert data["churn_probability"] == customer["churn_probability"]
        shown = api.get(f"/v1/customers/{data['customer_id']}?include=history").json()
        assert shown["customer"]["score_id"] == data["score_id"]
        assert shown["history"][0]["event"] == body["type"]


def test_a_run_that_lacks_fresh_rows_scores_their_customers_anew(
    workspace: Path, told_company: LiveCompany
) -> None:
    assert follow(told_company, told_company.run) == Followed(0, 0, 0)
    api = Api(workspace)
    answers = {answer["customer"]["customer_id"]: answer for answer in recovered(api, told_company)}
    config = told_company.config
    run = score_snapshot(config, None, datetime.now(UTC), lambda *_: None)
    followed = follow(told_company, run)
    assert (followed.at_risk, followed.recovered) == (0, 0)
    assert followed.rescored >= len(answers)
    api.refresh()
    for customer_id, answer in answers.items():
        shown = api.get(f"/v1/customers/{customer_id}").json()["customer"]
        assert shown["live"]["cause"] == "scoring run"
        assert shown["churn_probability"] == answer["customer"]["churn_probability"]
