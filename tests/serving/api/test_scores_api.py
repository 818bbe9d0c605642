"""POST /v1/scores: what is served is what the batch wrote."""

import math
from typing import Any

import pytest

from serving.scoring import score_record
from tests.serving.scored_company import CONTRACT, Api, Company

QUANTITIES = ("churn_probability", "clv", "clv_low", "clv_high", "expected_orders")


def features_of(company: Company, place: int) -> dict[str, float | None]:
    row = company.X[place].tolist()
    return {
        name: None if math.isnan(value) else value
        for name, value in zip(CONTRACT.names, row, strict=True)
    }


def by_features(company: Company, places: range, **options: Any) -> dict[str, Any]:
    customers = [
        {"customer_id": company.scores[place].customer_id, "features": features_of(company, place)}
        for place in places
    ]
    return {"customers": customers, **options}


def test_every_customer_is_served_as_batch_scored_to_1e_9(api: Api, company: Company) -> None:
    ids = [score.customer_id for score in company.scores]
    answer = api.post("/v1/scores", json={"customer_ids": ids}).json()
    assert (answer["scored"], answer["failed"]) == (300, 0)
    for served, score in zip(answer["results"], company.scores, strict=True):
        batch = score_record(score)
        for name in (*QUANTITIES, "value_at_risk"):
            assert served[name] == pytest.approx(batch[name], abs=1e-9, rel=0)
        assert served["risk_tier"] == batch["risk_tier"]
        assert [r["text"] for r in served["reasons"]] == [r["text"] for r in batch["reasons"]]
        assert served["next_step"] == batch["next_step"]


def test_features_sent_along_give_the_score_of_the_stored_ones(api: Api, company: Company) -> None:
    places = range(0, 300, 3)
    answer = api.post("/v1/scores", json=by_features(company, places)).json()
    for served, place in zip(answer["results"], places, strict=True):
        batch = score_record(company.scores[place])
        assert {name: served[name] for name in QUANTITIES} == pytest.approx(
            {name: batch[name] for name in QUANTITIES}, abs=1e-9, rel=0
        )
        assert [r["text"] for r in served["reasons"]] == [r["text"] for r in batch["reasons"]]


def test_every_answer_says_cutoff_model_currency_and_that_the_company_is_generated(
    api: Api, company: Company
) -> None:
    stored = api.post("/v1/scores", json={"customer_ids": ["c_0000"]}).json()
    sent = api.post("/v1/scores", json=by_features(company, range(1))).json()
    said = {"model_version": "1", "currency": "USD", "generated": True}
    assert stored.items() >= {"cutoff": "2025-12-31T17:00:00Z", **said}.items()
    assert sent.items() >= {"cutoff": None, **said}.items()


def test_an_unknown_customer_fails_alone_and_in_its_place(api: Api) -> None:
    answer = api.post("/v1/scores", json={"customer_ids": ["c_0001", "nobody", "c_0002"]}).json()
    ids = [result["customer_id"] for result in answer["results"]]
    assert ids == ["c_0001", "nobody", "c_0002"]
    assert answer["results"][1]["error"]["code"] == "unknown_customer"
    assert "error" not in answer["results"][2]
    assert (answer["scored"], answer["failed"]) == (2, 1)


def test_features_that_do_not_fit_are_named_and_fail_alone(api: Api, company: Company) -> None:
    body = by_features(company, range(3))
    features = body["customers"][1]["features"]
    features["orders_frequence"] = features.pop("orders_frequency")
    features["orders_spend_90d"] = "much"
    answer = api.post("/v1/scores", json=body).json()
    assert answer["results"][1]["error"] == {
        "code": "features_do_not_fit",
        "detail": "missing: orders_frequency; "
        "unknown: orders_frequence (did you mean orders_frequency?); "
        "of another kind: orders_spend_90d (a number or null)",
    }
    assert answer["results"][2]["churn_probability"] == pytest.approx(
        company.scores[2].churn_probability, abs=1e-9
    )


def test_without_explain_there_are_no_reasons_and_the_same_numbers(api: Api) -> None:
    body = {"customer_ids": ["c_0001"]}
    plain = api.post("/v1/scores", json={**body, "explain": False}).json()["results"][0]
    told = api.post("/v1/scores", json=body).json()["results"][0]
    assert (plain["reasons"], plain["next_step"]) == ([], None)
    assert all(plain[name] == told[name] for name in QUANTITIES)
    assert len(told["reasons"]) == 3


def test_ten_thousand_customers_are_scored_in_one_call(api: Api) -> None:
    ids = [f"c_{place % 300:04d}" for place in range(10_000)]
    answer = api.post("/v1/scores", json={"customer_ids": ids, "explain": False}).json()
    assert answer["scored"] == 10_000
    assert answer["results"][300] == answer["results"][0]


def test_nobody_asked_about_gives_no_results(api: Api) -> None:
    assert api.post("/v1/scores", json={"customer_ids": []}).json()["results"] == []


def test_text_from_the_api_cannot_be_read_as_markup_by_a_browser(api: Api) -> None:
    answer = api.post("/v1/scores", json={"customer_ids": ["<script>"]})
    assert answer.headers["content-type"] == "application/json"
