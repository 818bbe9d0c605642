"""The hot routes: what they answer is what the application behind them would have."""

import json
from typing import Any

import pytest

from tests.serving.scored_company import Api, Company


@pytest.fixture(scope="module")
def behind(company: Company) -> Api:
    """The application alone, without the hot routes before it."""
    return Api(company.workspace, hot=False)


@pytest.mark.parametrize(
    "body",
    [
        {"customer_ids": ["c_0001"]},
        {"customer_ids": ["c_0001", "nobody", "c_0001"], "explain": False},
        {"customer_ids": ["c_0007"], "repredict": True},
        {"customer_ids": [1]},
        {"customer_ids": ["c_0001"], "explained": True},
        {"customers": [{"customer_id": "x", "features": {}}]},
        {},
        [],
    ],
)
def test_scores_are_those_of_the_application(api: Api, behind: Api, body: object) -> None:
    same: dict[str, Any] = {"json": body, "headers": {"x-request-id": "r1"}}
    ours, theirs = api.post("/v1/scores", **same), behind.post("/v1/scores", **same)
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers == theirs.headers


@pytest.mark.parametrize(
    "customer_id", ["c_0001", "nobody", "", "c_0001/more", "%63_0001", "a%2Fb"]
)
def test_a_customer_is_that_of_the_application(api: Api, behind: Api, customer_id: str) -> None:
    path, headers = f"/v1/customers/{customer_id}", {"x-request-id": "r1"}
    ours, theirs = api.get(path, headers=headers), behind.get(path, headers=headers)
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers == theirs.headers


@pytest.mark.parametrize("kind", ["text/plain", ""])
def test_a_body_of_another_kind_is_refused(api: Api, kind: str) -> None:
    answer = api.post("/v1/scores", content=b'{"customer_ids": []}', headers={"content-type": kind})
    assert answer.status_code == 415


def test_predicting_again_gives_the_stored_bytes(api: Api, company: Company) -> None:
    ids = [score.customer_id for score in company.scores]
    for explain in (True, False):
        body = {"customer_ids": ids, "explain": explain}
        stored = api.post("/v1/scores", json=body)
        assert api.post("/v1/scores", json={**body, "repredict": True}).content == stored.content


def test_a_customer_id_that_looks_like_json_is_only_an_id(api: Api) -> None:
    odd = ',"reasons":[],"error":'
    (result,) = api.post("/v1/scores", json={"customer_ids": [odd]}).json()["results"]
    assert result["customer_id"] == odd


def test_metrics_name_the_route_and_never_the_customer(api: Api) -> None:
    api.get("/v1/customers/c_0042")
    api.post("/v1/scores", content=json.dumps({"customer_ids": ["c_0042"]}))
    text = api.get("/metrics").text
    assert 'route="/v1/customers/{customer_id}"' in text
    assert "c_0042" not in text
