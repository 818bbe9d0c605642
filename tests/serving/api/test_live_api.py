"""POST /v1/scores/live: rows sent along give what the nightly run wrote of the same rows."""

import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from features.snapshot import open_snapshot
from serving.batch import scoring_rows
from serving.live import FILE, LiveShelf
from serving.scoring import score_record
from tests.serving.live_company import LiveCompany, score_live_company
from tests.serving.scored_company import Api, Company

CUSTOMERS = 200
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def live_company(tmp_path_factory: pytest.TempPathFactory) -> LiveCompany:
    return score_live_company(tmp_path_factory.mktemp("live"), CUSTOMERS)


@pytest.fixture(scope="module")
def live_api(live_company: LiveCompany) -> Api:
    return Api(live_company.config.workspace)


@pytest.fixture(scope="module")
def body(live_company: LiveCompany) -> dict[str, Any]:
    """The call of a customer with tickets and surveys."""
    busy = max(live_company.run.scores, key=lambda s: len(live_company.rows[s.customer_id]))
    return live_company.call(busy.customer_id)


def errors_of(api: Api, body: dict[str, Any]) -> dict[str, str]:
    """JSON pointer to what is said of it, for a call that is refused."""
    response = api.post("/v1/scores/live", json=body)
    assert response.status_code == 422, response.text
    return {error["location"]: error["detail"] for error in response.json()["errors"]}


def test_every_score_over_http_equals_the_nightly_one(
    live_api: Api, live_company: LiveCompany
) -> None:
    scores = live_company.run.scores
    assert len(scores) > CUSTOMERS / 2
    for score in scores:
        answer = live_api.post("/v1/scores/live", json=live_company.call(score.customer_id)).json()
        assert answer["customer"] == orjson.loads(orjson.dumps(score_record(score)))


def test_every_feature_equals_the_nightly_one(live_api: Api, live_company: LiveCompany) -> None:
    config, cutoff = live_company.config, live_company.run.cutoff
    served = live_api.shelf.served
    snapshot = open_snapshot(config.workspace / "snapshots")
    ids, X = scoring_rows(config, snapshot, served.bundle, cutoff, lambda *_: None)
    scorer = LiveShelf(config.workspace).scorer(served)
    now = datetime.now(UTC)
    live = [
        scorer.features(scorer.admit(each, live_company.rows[each], now), cutoff)[0] for each in ids
    ]
    assert X.shape[1] > 300
    np.testing.assert_allclose(np.stack(live), X, rtol=1e-9, atol=0)


def test_an_answer_says_cutoff_model_currency_and_as_of_when_the_company_stood(
    live_api: Api, body: dict[str, Any]
) -> None:
    answer = live_api.post("/v1/scores/live", json={**body, "as_of": "2026-07-03 09:00"}).json()
    assert (
        answer.items()
        >= {
            "cutoff": "2026-07-03T17:00:00Z",
            "company_cutoff": "2026-06-29T17:00:00Z",
            "model_version": "1",
            "generated": True,
        }.items()
    )
    assert answer["customer"]["act_by"] >= "2026-07-04"


def test_as_of_a_date_is_the_start_of_that_day_where_the_company_is(
    live_api: Api, body: dict[str, Any]
) -> None:
    by_date, by_instant = (
        live_api.post("/v1/scores/live", json={**body, "as_of": as_of}).json()
        for as_of in ("2026-06-30", "2026-06-29T17:00:00Z")
    )
    assert by_date == by_instant
    assert by_date["cutoff"] == "2026-06-29T17:00:00Z"


def test_without_as_of_all_of_today_counts(live_api: Api) -> None:
    now = datetime.now(UTC)
    order = {"ordered_at": now.isoformat(), "amount": 50_000.0}
    body = {"customer_id": "new", "orders": [order]}
    answer = live_api.post("/v1/scores/live", json=body).json()
    cutoff = datetime.fromisoformat(answer["cutoff"])
    assert now < cutoff <= now + timedelta(days=1, minutes=1)
    assert answer["customer"]["churn_probability"] > 0


def test_rows_from_the_cutoff_on_count_for_nothing(live_api: Api, body: dict[str, Any]) -> None:
    later = {"ordered_at": "2026-06-30T01:00:00Z", "amount": 100_000.0}
    told, more = (
        live_api.post("/v1/scores/live", json={**body, "orders": orders}).json()
        for orders in (body["orders"], [*body["orders"], later])
    )
    assert told == more


def test_without_explain_there_are_no_reasons_and_the_same_numbers(
    live_api: Api, body: dict[str, Any]
) -> None:
    told, plain = (
        live_api.post("/v1/scores/live", json={**body, "explain": explain}).json()["customer"]
        for explain in (True, False)
    )
    assert (plain["reasons"], plain["next_step"]) == ([], None)
    assert {**told, "reasons": [], "next_step": None} == plain


def test_a_customer_whom_the_nightly_run_would_leave_out_is_refused_with_the_reason(
    live_api: Api,
) -> None:
    response = live_api.post("/v1/scores/live", json={"customer_id": "ana"})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:setia:problem:not-eligible"
    assert "orders in the 365 days before" in response.json()["detail"]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("/orders/0/ammount", 1.0, "not known here; remove it"),
        ("/customer/planet", "earth", "not a column of customers"),
        ("/orders/0/amount", "12", "Input should be a valid number"),
        ("/orders/0/amount", 1e9, "10 times the largest the company has had"),
        ("/orders/0/amount", 1e13, "less than or equal to 1000000000000"),
        ("/orders/0/ordered_at", "2999-01-01", "lies in the future"),
        ("/orders/0/ordered_at", "soon", "is not a time; write it as 2026-06-29T10:30:00+07:00"),
        ("/orders/0/order_id", "x" * 10_000, "at most 200 characters"),
        ("/tickets/0/text", "x" * 20_000, "at most 10000 characters"),
        ("/customer_id", "x" * 10_000, "at most 200 characters"),
        ("/as_of", "2999-01-01", "lies in the future; leave it out"),
        ("/as_of", "soon", "is not a time"),
        ("/as_of", "0001-01-01", "is not a time"),
        ("/orders/0/ordered_at", "9999-12-31T23:59:59Z", "lies in the future"),
        ("/orders/0/refunded_at", "0001-01-01", "is not a time"),
    ],
)
def test_what_cannot_be_taken_is_named_by_field_with_what_would_be_right(
    live_api: Api, body: dict[str, Any], place: str, value: Any, said: str
) -> None:
    changed = json.loads(json.dumps(body))
    *parents, last = place.strip("/").split("/")
    target: Any = changed
    for part in parents:
        target = target[int(part) if isinstance(target, list) else part]
    target[last] = value
    assert said in errors_of(live_api, changed)[place]


def test_rows_of_another_customer_and_too_many_rows_are_refused(
    live_api: Api, body: dict[str, Any]
) -> None:
    others = errors_of(live_api, {**body, "customer_id": "someone"})
    assert "another customer than 'someone'" in others["/orders/0/customer_id"]
    many = errors_of(live_api, {**body, "orders": body["orders"][:1] * 5_001})
    assert "at most 5000" in many["/orders"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(live_api: Api, number: str) -> None:
    text = f'{{"customer_id": "a", "orders": [{{"ordered_at": "2026-01-01", "amount": {number}}}]}}'
    response = live_api.post(
        "/v1/scores/live", content=text, headers={"content-type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json_is_refused_as_unreadable(live_api: Api, opening: str) -> None:
    response = live_api.post(
        "/v1/scores/live",
        content=opening * 100_000,
        headers={"content-type": "application/json"},
    )
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_the_openapi_document_lists_the_columns_of_the_contract(live_api: Api) -> None:
    document = live_api.get("/v1/openapi.json").json()
    members = document["components"]["schemas"]["LiveRequest"]["properties"]
    order = members["orders"]["items"]
    assert order["required"] == ["ordered_at", "amount"]
    assert order["additionalProperties"] is False
    assert order["properties"]["amount"] == {
        "type": "number",
        "minimum": -1e12,
        "maximum": 1e12,
        "title": "Amount",
    }


def test_the_documented_call_is_answered(live_api: Api) -> None:
    blocks = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8").split("```")
    (call,) = [block for block in blocks if block.strip().startswith("curl") and "/live" in block]
    body = shlex.split(call)[shlex.split(call).index("-d") + 1]
    answer = live_api.post("/v1/scores/live", json=json.loads(body)).json()
    assert answer["cutoff"] == "2026-06-29T17:00:00Z"
    assert answer["customer"]["customer_id"] == "C-77"
    assert 0 < answer["customer"]["churn_probability"] < 1


def test_live_scoring_needs_only_what_the_serving_environment_has() -> None:
    absent = "duckdb", "pandas", "pyarrow", "sklearn", "mlflow"
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import serving.api.live"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_until_a_scoring_run_leaves_its_numbers_live_scoring_is_not_ready(
    api: Api, company: Company
) -> None:
    response = api.post("/v1/scores/live", json={"customer_id": "a"})
    assert response.status_code == 503
    assert "setia score" in response.json()["detail"]


def test_numbers_made_with_another_bundle_leave_the_ones_that_fit_in_use(
    live_company: LiveCompany, live_api: Api, tmp_path: Path
) -> None:
    served = live_api.shelf.served
    context = json.loads((live_company.config.workspace / "scores" / FILE).read_text())
    place = tmp_path / "scores" / FILE
    place.parent.mkdir()
    place.write_text(json.dumps(context))
    shelf = LiveShelf(tmp_path)
    before = shelf.scorer(served)
    place.write_text(json.dumps({**context, "bundle_digest": "another"}))
    assert shelf.scorer(served) is before
    place.write_text(json.dumps({**context, "cutoff": "2026-07-01T17:00:00Z"}))
    assert shelf.scorer(served).context.cutoff == datetime(2026, 7, 1, 17, tzinfo=UTC)
