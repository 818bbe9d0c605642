"""GET /v1/customers, /v1/models and /metrics."""

import pytest

from tests.serving.scored_company import Api, Company


def test_a_customer_is_shown_as_scored_with_its_place_in_the_list(
    api: Api, company: Company
) -> None:
    first = api.get("/v1/at-risk?limit=1").json()["customers"][0]
    answer = api.get(f"/v1/customers/{first['customer_id']}").json()
    assert answer["customer"] == {**answer["customer"], **first}
    assert answer["cutoff"] == "2025-12-31T17:00:00Z"
    assert (answer["currency"], answer["generated"]) == ("USD", True)


def test_a_customers_churn_curve_meets_the_probability_at_the_horizon(api: Api) -> None:
    customer = api.get("/v1/customers/c_0007").json()["customer"]
    curve = {point["days"]: point["churn_probability"] for point in customer["churn_curve"]}
    assert (min(curve), max(curve)) == (7, 180)
    assert curve[90] == pytest.approx(customer["churn_probability"], abs=1e-9)
    assert sorted(curve.values(), reverse=True) == list(curve.values())


def test_a_customers_act_by_date_comes_with_what_it_means(api: Api) -> None:
    customer = api.get("/v1/customers/c_0007").json()["customer"]
    assert customer["act_by_meaning"] == (
        f"Act by {customer['act_by']}: if the customer is silent until then, half of the chance "
        "that they come back by themselves within 90 days is gone"
    )


def test_a_customer_who_was_not_scored_is_not_found(api: Api) -> None:
    answer = api.get("/v1/customers/nobody")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:setia:problem:unknown-customer"
    assert "not in the last scoring run" in answer.json()["detail"]


def test_the_champion_is_described_by_its_manifest_and_card(api: Api, company: Company) -> None:
    champion = api.get("/v1/models").json()["champion"]
    manifest = company.bundle.manifest
    assert champion["contract_hash"] == manifest.contract_hash
    assert champion["trained_on"] == ["2025-09-01T00:00:00Z"]
    assert champion["features"] == company.bundle.contract.names
    assert champion["card"] == "# Tiny (generated)\n"
    assert (champion["customers"], champion["model_version"]) == (300, "1")


def test_metrics_count_by_route_and_never_show_a_customer_id(company: Company) -> None:
    api = Api(company.workspace)
    for customer_id in ("c_0001", "c_0002", "nobody"):
        api.get(f"/v1/customers/{customer_id}")
    api.get("/no/such/path/c_0003")
    text = api.get("/metrics").text
    count = "setia_http_request_duration_seconds_count"
    route = 'method="GET",route="/v1/customers/{customer_id}"'
    assert f'{count}{{{route},status="200"}} 2.0' in text
    assert f'{count}{{{route},status="404"}} 1.0' in text
    assert f'{count}{{method="GET",route="other",status="404"}} 1.0' in text
    assert "setia_served_customers 300.0" in text
    assert "c_000" not in text
