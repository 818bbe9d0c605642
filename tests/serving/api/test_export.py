"""GET /v1/at-risk/export: the whole list, streamed."""

import csv
import io
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from serving.at_risk import LIST_COLUMNS
from tests.serving.scored_company import Api, Company, score_company


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Api, Company]:
    """A company of more customers than are read at once."""
    company = score_company(tmp_path_factory.mktemp("many"), customers=1_200)
    return Api(company.workspace), company


def test_ndjson_is_the_list_line_by_line(many: tuple[Api, Company]) -> None:
    api, company = many
    answer = api.get("/v1/at-risk/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["rank"] for row in rows] == list(range(1, 1_201))
    assert rows[:1_000] == api.get("/v1/at-risk?limit=1000").json()["customers"]
    assert {row["customer_id"] for row in rows} == {s.customer_id for s in company.scores}


def test_csv_is_at_risk_csv(many: tuple[Api, Company]) -> None:
    api, _ = many
    rows = list(csv.DictReader(io.StringIO(api.get("/v1/at-risk/export?format=csv").text)))
    assert tuple(rows[0]) == LIST_COLUMNS
    assert len(rows) == 1_200
    page = api.get("/v1/at-risk?limit=1000&format=csv").text
    assert rows[:1_000] == list(csv.DictReader(io.StringIO(page)))


def test_parquet_is_the_list_typed(many: tuple[Api, Company]) -> None:
    api, _ = many
    answer = api.get("/v1/at-risk/export?format=parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    rows = [json.loads(line) for line in api.get("/v1/at-risk/export").text.splitlines()]
    assert table["churn_probability"].to_pylist() == [row["churn_probability"] for row in rows]
    assert str(table.schema.field("cutoff").type) == "timestamp[us, tz=UTC]"


def test_filters_narrow_ndjson_and_are_refused_for_parquet(many: tuple[Api, Company]) -> None:
    api, _ = many
    rows = api.get("/v1/at-risk/export?tier=high").text.splitlines()
    assert {json.loads(row)["risk_tier"] for row in rows} == {"high"}
    answer = api.get("/v1/at-risk/export?tier=high&format=parquet")
    assert answer.status_code == 422
    assert "leave the filters out" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("path", ["/v1/at-risk?limit=3", "/v1/at-risk/export?format=csv"])
def test_what_the_client_has_is_not_sent_again(path: str, tmp_path: Path) -> None:
    score_company(tmp_path, customers=10)
    api = Api(tmp_path)
    first = api.get(path)
    again = api.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert api.get(f"{path}&tier=low").headers["etag"] != first.headers["etag"]
    assert api.get(path, headers={"if-none-match": '"other"'}).content == first.content


def test_headers_say_what_a_json_answer_says(many: tuple[Api, Company]) -> None:
    api, _ = many
    said = api.get("/v1/at-risk?limit=1").json()
    headers = api.get("/v1/at-risk/export").headers
    assert headers["setia-cutoff"] == said["cutoff"]
    assert headers["setia-as-of"] == said["as_of"]
    assert (headers["setia-stale"], said["stale"]) == ("true", True)
    assert headers["setia-model-version"] == said["model_version"]
    assert headers["setia-generated"] == "true"
