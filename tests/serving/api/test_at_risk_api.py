"""GET /v1/at-risk: pages, filters, JSON and CSV."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from serving.at_risk import LIST_COLUMNS
from tests.serving.scored_company import NOW, Api, Company, score_company


def read_all(api: Api, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/at-risk?{query}{cursor}").json()
        rows += page["customers"]
        if page["next_cursor"] is None:
            return rows
        cursor = f"&cursor={page['next_cursor']}"


def test_pages_cover_every_customer_exactly_once_in_order(api: Api, company: Company) -> None:
    expected = sorted(
        company.scores, key=lambda s: (s.risk_tier == "low", -s.value_at_risk, s.customer_id)
    )
    for limit in (1_000, 300, 299, 7):
        rows = read_all(api, f"limit={limit}")
        assert [row["customer_id"] for row in rows] == [s.customer_id for s in expected]
        assert [row["rank"] for row in rows] == list(range(1, 301))


def test_filters_keep_the_ranks_of_the_whole_list(api: Api) -> None:
    everyone = read_all(api, "limit=1000")
    some = read_all(api, "limit=5&tier=medium&min_probability=0.4&min_value=15")
    assert some == [
        row
        for row in everyone
        if row["risk_tier"] == "medium"
        and row["churn_probability"] >= 0.4
        and row["value_at_risk"] >= 15
    ]
    assert 0 < len(some) < 300


def test_csv_holds_what_json_holds(api: Api) -> None:
    page = api.get("/v1/at-risk?limit=50").json()["customers"]
    answer = api.get("/v1/at-risk?limit=50", headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == LIST_COLUMNS
    for row, item in zip(rows, page, strict=True):
        for name in ("churn_probability", "clv", "clv_low", "clv_high", "value_at_risk"):
            assert float(row[name]) == item[name]
        assert (row["customer_id"], int(row["rank"])) == (item["customer_id"], item["rank"])
        reasons = [row[f"reason_{place}"] for place in (1, 2, 3)]
        assert [text for text in reasons if text] == [r["text"] for r in item["reasons"]]
        assert row["next_step"] == item["next_step"]
        assert row["currency"] == "USD"


def test_format_overrides_accept(api: Api) -> None:
    as_csv = api.get("/v1/at-risk?limit=1&format=csv")
    as_json = api.get("/v1/at-risk?limit=1&format=json", headers={"accept": "text/csv"})
    assert as_csv.text.startswith("rank,customer_id")
    assert as_json.json()["customers"][0]["rank"] == 1


def test_the_link_header_leads_from_page_to_page_in_csv_too(api: Api) -> None:
    path, ids = "/v1/at-risk?limit=120&format=csv", []
    while path:
        answer = api.get(path)
        ids += [row["customer_id"] for row in csv.DictReader(io.StringIO(answer.text))]
        path = answer.headers.get("link", "").partition("<")[2].partition(">")[0]
    assert len(ids) == len(set(ids)) == 300


def test_a_cursor_of_a_replaced_list_is_gone(tmp_path: Path) -> None:
    score_company(tmp_path, customers=20)
    api = Api(tmp_path)
    cursor = api.get("/v1/at-risk?limit=5").json()["next_cursor"]
    score_company(tmp_path, customers=20, now=NOW + timedelta(days=1))
    api.shelf.refresh()
    answer = api.get(f"/v1/at-risk?limit=5&cursor={cursor}")
    assert answer.status_code == 410
    assert "start again without cursor" in answer.json()["detail"]


def test_a_cursor_belongs_to_its_filters(api: Api) -> None:
    cursor = api.get("/v1/at-risk?limit=5").json()["next_cursor"]
    answer = api.get(f"/v1/at-risk?limit=5&tier=high&cursor={cursor}")
    assert answer.status_code == 400
    assert "other filters" in answer.json()["detail"]


def test_a_cursor_that_is_not_ours_is_refused(api: Api) -> None:
    for cursor in ("abc", "W10", "bnVsbA"):
        answer = api.get(f"/v1/at-risk?cursor={cursor}")
        assert answer.status_code == 400
        assert "not one of ours" in answer.json()["detail"]
    for cursor in ("%F0%9F%98%80", "a" * 201, ""):
        assert api.get(f"/v1/at-risk?cursor={cursor}").status_code == 422
