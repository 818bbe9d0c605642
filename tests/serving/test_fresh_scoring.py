"""Fresh rows from the call to whoever is to be told, and over the next scoring run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from features.outreach_config import OutreachConfig, WebhookEndpoint
from serving.after_run import Followed, follow_run
from serving.batch import ScoreRun, score_snapshot
from serving.database import Database
from serving.fresh import FRESH_ROWS, LIVE_SCORES
from serving.fresh_scoring import FreshScorer, HistoryShelf, Rescored, with_fresh
from serving.history import Rows, unpacked
from serving.live import LiveShelf
from serving.newer import NewerScores
from serving.outreach.records import MESSAGES
from serving.served import load_served
from tests.serving.live_company import LiveCompany, score_live_company
from tests.serving.operations import Place
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


def test_workers_at_once_tell_of_a_recovery_once(
    told_company: LiveCompany, place: Place, database: Database
) -> None:
    """On SQLite and PostgreSQL, with two workers and eight calls under way."""
    workspace, other = told_company.config.workspace, place.open()
    served = load_served(workspace)
    scorer = LiveShelf(workspace).scorer(served)
    known = [NewerScores(one) for one in (database, other)]
    workers = [
        FreshScorer(workspace, one, newer)
        for one, newer in zip((database, other), known, strict=True)
    ]
    customer = next(one.customer_id for one in told_company.run.scores if one.risk_tier == "high")

    def call(number: int) -> Rescored:
        given = {"orders": [order() | {"order_id": f"o{number}"}]}
        return workers[number % 2].take_in(served, scorer, customer, given, datetime.now(UTC))

    with ThreadPoolExecutor(8) as together:
        found = list(together.map(call, range(16)))
    assert [one.event for one in found if one.event] == ["customer.recovered"]
    with database.reading() as connection:
        rows = connection.execute(select(FRESH_ROWS)).all()
        messages = connection.execute(select(MESSAGES)).all()
        scores = connection.execute(select(LIVE_SCORES).order_by(LIVE_SCORES.c.sequence)).all()
    assert (len(rows), len(messages), len(scores)) == (16, 1, 16)
    # Each saw the rows of all before it, so the last one's score is that of every row.
    history = HistoryShelf(workspace).history().rows(customer)
    for row in rows:
        history["orders"] = with_fresh("orders", history["orders"], kept_rows(row.rows)["orders"])
    whole = scorer.score(
        customer, history, scores[-1].cutoff, served.snapshot.about.serving, explain=False
    )
    assert scores[-1].churn_probability == pytest.approx(whole.churn_probability, abs=1e-12)
    for newer in known:
        newer.refresh(served.snapshot.about)
    assert known[0].mark == known[1].mark != 0
    other.close()


def kept_rows(packed: bytes) -> Rows:
    return unpacked(orjson.loads(packed))
