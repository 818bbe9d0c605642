"""Live scores in place of the scoring run's: everywhere, at once, until a newer run knows more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.serving.live_company import LiveCompany
from tests.serving.scored_company import Api

LIVE = ("cause", "model_version", "cutoff", "as_of", "stale")


@pytest.fixture
def apis(live_company: LiveCompany) -> Iterator[tuple[Api, Api]]:
    """Two workers over a workspace in which nothing fresh has arrived."""
    for file in live_company.config.workspace.glob("setia.db*"):
        file.unlink()
    workers = (Api(live_company.config.workspace), Api(live_company.config.workspace))
    yield workers
    for worker in workers:
        worker.app.state.database.close()


def order(**members: Any) -> dict[str, Any]:
    placed = datetime.now(UTC) - timedelta(hours=1)
    return {"ordered_at": placed.isoformat(), "amount": 50_000.0, **members}


def event(api: Api, customer_id: str, **members: Any) -> dict[str, Any]:
    body = {"customer_id": customer_id, "orders": [order()], **members}
    response = api.post("/v1/events", json=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def looked_up(api: Api, customer_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The customer's answer and its item of a scores call."""
    single = api.get(f"/v1/customers/{customer_id}").json()
    scores = api.post("/v1/scores", json={"customer_ids": [customer_id]}).json()
    return single, scores["results"][0]


def test_after_an_event_the_new_score_is_shown_in_the_worker_at_once_and_in_others_after_a_look(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    ours, theirs = apis
    customer = live_company.run.scores[0].customer_id
    before, item = looked_up(ours, customer)
    assert (before["customer"]["live"], item["live"]) == (None, None)
    fresh = event(ours, customer)
    after, item = looked_up(ours, customer)
    origin = {"cutoff", "as_of", "stale", "model_version"}
    assert {name: after[name] for name in origin} == {name: fresh[name] for name in origin}
    assert after["customer"]["rank"] == before["customer"]["rank"]
    live = after["customer"]["live"]
    assert tuple(live) == LIVE
    assert (item["score_id"], live["cause"]) == (fresh["score_id"], "1 orders")
    assert {**item, "live": None} == fresh["customer"]
    assert item == {name: after["customer"][name] for name in item}
    assert after["customer"]["churn_curve"] != before["customer"]["churn_curve"]
    assert looked_up(theirs, customer)[0] == before
    theirs.refresh()
    assert looked_up(theirs, customer) == (after, item)


def test_other_customers_are_answered_as_before(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    first, second = (score.customer_id for score in live_company.run.scores[:2])
    before = apis[0].get(f"/v1/customers/{second}").content
    event(apis[0], first)
    assert apis[0].get(f"/v1/customers/{second}").content == before
    both = apis[0].post("/v1/scores", json={"customer_ids": [second, first, "nobody"]}).json()
    assert [bool(item.get("live")) for item in both["results"]] == [False, True, False]
    assert (both["scored"], both["failed"]) == (2, 1)


def test_the_newest_of_several_is_shown_and_reasons_though_the_call_wanted_none(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    customer = live_company.run.scores[0].customer_id
    event(apis[0], customer)
    last = event(apis[1], customer, explain=False)
    assert last["customer"]["reasons"] == []
    apis[0].refresh()
    shown, item = looked_up(apis[0], customer)
    assert shown["customer"]["score_id"] == last["score_id"]
    assert len(item["reasons"]) == 3
    body = {"customer_ids": [customer], "explain": False}
    (bare,) = apis[0].post("/v1/scores", json=body).json()["results"]
    assert bare == {**item, "reasons": [], "next_step": None}


def test_a_customer_whom_only_an_event_knows_is_found_without_a_rank(
    apis: tuple[Api, Api],
) -> None:
    assert apis[0].get("/v1/customers/newcomer").status_code == 404
    event(apis[0], "newcomer")
    answer = apis[0].get("/v1/customers/newcomer").json()
    assert (answer["customer"]["rank"], answer["customer"]["live"]["cause"]) == (None, "1 orders")


def test_the_list_shows_it_in_its_place_and_under_another_tag(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    customer = live_company.run.scores[3].customer_id
    before = apis[0].get("/v1/at-risk?limit=10")
    fresh = event(apis[0], customer)
    after = apis[0].get("/v1/at-risk?limit=10", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    listed = [item["customer_id"] for item in after.json()["customers"]]
    assert listed == [item["customer_id"] for item in before.json()["customers"]]
    (shown,) = [item for item in after.json()["customers"] if item["live"]]
    assert shown == {**fresh["customer"], "rank": 4, "live": shown["live"]}
    apis[1].refresh()
    same = apis[1].get("/v1/at-risk?limit=10", headers={"if-none-match": after.headers["etag"]})
    assert same.status_code == 304


def test_predicting_again_is_from_the_nightly_rows(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    nightly = live_company.run.scores[0]
    event(apis[0], nightly.customer_id)
    body = {"customer_ids": [nightly.customer_id], "repredict": True}
    (item,) = apis[0].post("/v1/scores", json=body).json()["results"]
    assert (item["live"], item["churn_probability"]) == (None, nightly.churn_probability)


def test_a_live_score_is_kept_in_the_configured_language_and_told_in_the_one_asked_for(
    apis: tuple[Api, Api], live_company: LiveCompany
) -> None:
    customer, indonesian = live_company.run.scores[0].customer_id, {"accept-language": "id"}
    body = {"customer_id": customer, "orders": [order()]}
    answer = apis[0].post("/v1/events", json=body, headers=indonesian)
    assert answer.headers["content-language"] == "id"
    path = f"/v1/customers/{customer}"
    shown = apis[0].get(path, headers=indonesian).json()["customer"]
    assert shown["reasons"] == answer.json()["customer"]["reasons"]
    assert shown["act_by_meaning"].startswith("Bertindaklah")
    english = apis[0].get(path).json()["customer"]
    assert english["act_by_meaning"].startswith("Act by")
    assert all(one["text"].endswith("s risk)") for one in english["reasons"])
    sent = live_company.call(customer)
    live = apis[0].post("/v1/scores/live", json=sent, headers=indonesian)
    assert "risiko)" in live.json()["customer"]["reasons"][0]["text"]
    assert live.headers["content-language"] == "id"
