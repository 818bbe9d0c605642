"""POST /v1/outcomes judges each outcome alone; GET /v1/outreach/effect gives the kept report."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serving.outreach.prove.effect_report import report_effect, write_report
from serving.outreach.records import AUDIT, OUTCOMES
from tests.serving.operations import new_key
from tests.serving.outreach.programme import DAY, START, Assigned, begin, config
from tests.serving.scored_company import Api, score_company

LATER = (START + DAY).isoformat()


@pytest.fixture
def api(tmp_path: Path) -> Api:
    score_company(tmp_path, customers=20)
    opened = Api(tmp_path)
    begin(opened.app.state.database, [Assigned(f"c_{place:04}", "contact") for place in range(20)])
    return opened


def outcome(customer_id: str = "c_0001", kind: str = "left", **members: Any) -> dict[str, Any]:
    return {"customer_id": customer_id, "kind": kind, "occurred_at": LATER, **members}


def post(api: Api, *outcomes: dict[str, Any], **members: Any) -> Any:
    return api.post("/v1/outcomes", json={"outcomes": outcomes, **members})


def test_each_outcome_has_its_result_in_order(api: Api) -> None:
    answer = post(
        api,
        outcome(),
        outcome(),
        outcome("nobody"),
        outcome("c_0002", "purchase", value=5.0),
        outcome("c_0002", "stayed", occurred_at="2099-01-01T00:00:00Z"),
        currency="USD",
    )
    assert answer.status_code == 200
    found = answer.json()
    assert (found["kept"], found["duplicates"], found["refused"]) == (2, 1, 2)
    codes = [one["error"]["code"] if one["error"] else one["status"] for one in found["results"]]
    assert codes == ["kept", "duplicate", "unknown_customer", "kept", "in_the_future"]
    with api.app.state.database.reading() as connection:
        assert len(connection.execute(select(OUTCOMES)).all()) == 2
        assert connection.execute(select(AUDIT.c.actor)).scalars().all() == ["local"]


def test_a_request_that_is_none_is_refused_whole_and_says_where(api: Api) -> None:
    answer = post(api, outcome(), outcome(value=-1.0), currency="USD")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "location": "/outcomes/1/value",
            "detail": "Input should be greater than or equal to 0",
        }
    ]
    no_zone = post(api, outcome(occurred_at="2026-01-02T09:00:00")).json()
    assert no_zone["errors"][0]["location"] == "/outcomes/0/occurred_at"
    assert post(api).status_code == 422
    assert post(api, *[outcome()] * 1_001).json()["errors"][0]["location"] == "/outcomes"


def test_money_needs_the_company_s_currency(api: Api) -> None:
    bought = outcome(kind="purchase", value=5.0)
    assert "say the currency" in post(api, bought).text
    assert post(api, bought, currency="EUR").json()["errors"] == [
        {"location": "/currency", "detail": "convert the values to USD"}
    ]


def test_the_same_key_gets_the_same_answer(api: Api) -> None:
    body = {"outcomes": [outcome()]}
    headers = {"Idempotency-Key": "k1"}
    first, second = (api.post("/v1/outcomes", json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


def test_outcomes_and_effect_need_the_scope_outreach(api: Api) -> None:
    database = api.app.state.database
    token, _ = new_key(database, "score", "list")
    other, key = new_key(database, "outreach")
    api.refresh()
    headers = {"Authorization": f"Bearer {token}"}
    body = {"outcomes": [outcome()]}
    assert api.post("/v1/outcomes", json=body, headers=headers).status_code == 403
    assert api.get("/v1/outreach/effect", headers=headers).status_code == 403
    headers = {"Authorization": f"Bearer {other}"}
    assert api.post("/v1/outcomes", json=body, headers=headers).json()["kept"] == 1
    with database.reading() as connection:
        assert connection.execute(select(AUDIT.c.actor)).scalars().all() == [f"key {key.id}"]


def test_the_effect_is_the_report_last_kept(api: Api, tmp_path: Path) -> None:
    missing = api.get("/v1/outreach/effect")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:setia:problem:no-report")
    now = START + timedelta(days=50)
    with api.app.state.database.reading() as connection:
        write_report(tmp_path, report_effect(connection, config(tmp_path), now, now))
    found = api.get("/v1/outreach/effect").json()
    assert found["unknown"] == {"contact": 20, "holdout": 0}
    assert found["retention"] == {"difference": 0.0, "low": None, "high": None, "sure": False}


def test_a_lost_database_is_a_503_and_nothing_is_done(api: Api, tmp_path: Path) -> None:
    api.app.state.database.close()
    (tmp_path / "setia.db").unlink()
    (tmp_path / "setia.db").mkdir()
    answer = post(api, outcome())
    assert answer.status_code == 503
    assert "nothing was done" in answer.json()["detail"]
