"""DELETE /v1/customers/{id} erases for good, says so, and from then on nothing is shown."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from serving.database import IDEMPOTENCY
from serving.outreach.records import AUDIT, SUPPRESSIONS
from tests.serving.operations import NOW, new_key
from tests.serving.outreach.programme import Assigned, begin
from tests.serving.scored_company import Api, score_company

PATH = "/v1/customers/c_0007"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    score_company(tmp_path, customers=60)
    opened = Api(tmp_path)
    begin(opened.app.state.database, [Assigned("c_0007", "contact"), Assigned("c_0008", "holdout")])
    return opened


def test_an_erased_person_is_shown_nowhere_and_the_reason_is_said(api: Api) -> None:
    listed = {one["customer_id"] for one in api.get("/v1/at-risk?limit=1000").json()["customers"]}
    assert "c_0007" in listed
    tag = api.get("/v1/at-risk?limit=1000").headers["etag"]
    answer = api.send("DELETE", PATH)
    assert answer.status_code == 200
    receipt = answer.json()
    assert receipt["rows"] == {"decisions": 1, "messages": 1}
    assert receipt["files"] == {"scores/online.db": "taken out"}
    assert receipt["sent_to"] == {"crm": 1}
    assert "run `setia check` and `setia score`" in " ".join(receipt["to_do"])
    gone = api.get(PATH)
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:setia:problem:erased")
    scores = api.post("/v1/scores", json={"customer_ids": ["c_0007", "c_0008"]}).json()
    assert scores["results"][0]["error"]["code"] == "unknown_customer"
    assert scores["results"][1]["customer_id"] == "c_0008"
    page = api.get("/v1/at-risk?limit=1000", headers={"If-None-Match": tag})
    assert page.status_code == 200
    assert {one["customer_id"] for one in page.json()["customers"]} == listed - {"c_0007"}
    for kind in ("ndjson", "csv", "parquet"):
        assert b"c_0007" not in api.get(f"/v1/at-risk/export?format={kind}").content


def test_what_the_service_kept_of_a_person_is_counted_in_the_receipt(api: Api) -> None:
    values = {"customer_id": "c_0007", "channel": "any", "since": NOW, "reason": "unsubscribed"}
    with api.app.state.database.writing() as connection:
        connection.execute(insert(SUPPRESSIONS).values(values))
    receipt = api.send("DELETE", PATH).json()
    assert receipt["rows"] == {"suppressions": 1, "decisions": 1, "messages": 1}


def test_the_path_says_every_method_it_takes(api: Api) -> None:
    answer = api.send("PATCH", PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")


def test_pages_go_on_to_the_end_after_many_erasures(api: Api) -> None:
    ranked = [one["customer_id"] for one in api.get("/v1/at-risk?limit=60").json()["customers"]]
    for name in ranked[3:9]:
        api.send("DELETE", f"/v1/customers/{name}")
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/at-risk?limit=10{cursor and '&cursor='}{cursor}").json()
        seen += [one["customer_id"] for one in page["customers"]]
        cursor = page["next_cursor"]
    assert seen == ranked[:3] + ranked[9:]


def test_erasing_again_answers_again_also_under_the_same_key(api: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = api.send("DELETE", PATH, headers=headers).json()
    second = api.send("DELETE", PATH, headers=headers).json()
    assert first["erased_before"] is None
    assert second["erased_before"] == first["erased_at"]
    assert second["rows"] == {"idempotency": 1}  # Its own, which names the person in its path.
    with api.app.state.database.reading() as connection:
        kept = connection.execute(select(IDEMPOTENCY)).all()
    assert [row.request for row in kept if "c_0007" in row.request] == []


def test_a_stranger_can_be_erased_in_advance(api: Api) -> None:
    assert api.get("/v1/customers/stranger").json()["type"] == "urn:setia:problem:unknown-customer"
    assert api.send("DELETE", "/v1/customers/stranger").json()["rows"] == {}
    assert api.get("/v1/customers/stranger").json()["type"] == "urn:setia:problem:erased"


def test_erasure_needs_the_scope_admin(api: Api) -> None:
    database = api.app.state.database
    weak, _ = new_key(database, "score", "list", "outreach")
    strong, key = new_key(database, "admin")
    api.refresh()
    refused = api.send("DELETE", PATH, headers={"Authorization": f"Bearer {weak}"})
    assert refused.status_code == 403
    assert api.get(PATH, headers={"Authorization": f"Bearer {weak}"}).status_code == 200
    assert (
        api.send("DELETE", PATH, headers={"Authorization": f"Bearer {strong}"}).status_code == 200
    )
    with database.reading() as connection:
        actors = connection.scalars(select(AUDIT.c.actor).where(AUDIT.c.action == "erasure")).all()
    assert actors == [f"key {key.id}"]


def test_an_outcome_of_an_erased_person_is_refused(api: Api) -> None:
    api.send("DELETE", PATH)
    one = {"customer_id": "c_0007", "kind": "left", "occurred_at": "2026-01-02T09:00:00Z"}
    (result,) = api.post("/v1/outcomes", json={"outcomes": [one]}).json()["results"]
    assert result["error"]["code"] == "forgotten"


def test_the_document_says_who_may_erase_and_what_comes_back(api: Api) -> None:
    document = api.get("/v1/openapi.json").json()
    operation = document["paths"]["/v1/customers/{customer_id}"]["delete"]
    assert operation["security"] == [{"apiKey": ["admin"]}]
    assert "ErasureReceipt" in str(operation["responses"]["200"])
