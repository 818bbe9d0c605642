"""Accept-Language: the reasons in the client's language, wherever they are told."""

import csv
import io
from pathlib import Path

import httpx
import pytest

from features.config import ServingConfig
from features.wording import Language
from serving.api.language import negotiated
from tests.serving.scored_company import Api, score_company

ENGLISH, INDONESIAN = {"accept-language": "en"}, {"accept-language": "id-ID, en;q=0.5"}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The same company as that of `api`, scored in Indonesian."""
    folder: Path = tmp_path_factory.mktemp("local")
    score_company(folder, serving=ServingConfig(language="id"))
    return Api(folder)


@pytest.mark.parametrize(
    ("asked", "own", "given"),
    [
        ("", "en", "en"),
        ("id", "en", "id"),
        ("ID-id", "en", "id"),
        ("en, id;q=0.9", "id", "en"),
        ("en;q=0.2, id;q=0.9", "en", "id"),
        ("id, en", "en", "id"),
        ("fr, de;q=0.9", "id", "id"),
        ("fr, id;q=0.1", "en", "id"),
        ("*", "id", "id"),
        ("en;q=0, *", "en", "id"),
        ("*;q=0.5, en;q=0.4", "en", "id"),
        ("en;q=0", "en", "en"),
        ("en-GB;q=0.3, en;q=0.8, id;q=0.5", "id", "en"),
        ("id;q=high, en", "id", "en"),
        (";;,=,\x00", "id", "id"),
    ],
)
def test_the_language_wanted_most_is_given(asked: str, own: Language, given: Language) -> None:
    assert negotiated(asked, own) == given


def _same(ours: httpx.Response, theirs: httpx.Response) -> None:
    assert ours.status_code == theirs.status_code == 200
    assert ours.content == theirs.content
    assert ours.headers["content-language"] == theirs.headers["content-language"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/c_0007",
        "/v1/at-risk?limit=50",
        "/v1/at-risk?limit=50&format=csv",
        "/v1/at-risk/export",
        "/v1/at-risk/export?format=csv",
    ],
)
def test_an_answer_is_that_of_a_company_scored_in_the_language(
    api: Api, local: Api, path: str
) -> None:
    _same(api.get(path, headers=INDONESIAN), local.get(path))
    _same(local.get(path, headers=ENGLISH), api.get(path))
    assert "Accept-Language" in api.get(path).headers["vary"]
    assert api.get(path).content != local.get(path).content


@pytest.mark.parametrize("more", [{}, {"repredict": True}, {"explain": False}])
def test_scores_by_id_are_too(api: Api, local: Api, more: dict[str, bool]) -> None:
    body = {"customer_ids": ["c_0001", "nobody", "c_0042"], **more}
    _same(
        api.post("/v1/scores", json=body, headers=INDONESIAN), local.post("/v1/scores", json=body)
    )


def test_the_tag_of_a_page_tells_languages_apart(api: Api) -> None:
    tag = api.get("/v1/at-risk").headers["etag"]
    told = api.get("/v1/at-risk", headers={**INDONESIAN, "if-none-match": tag})
    assert told.status_code == 200
    assert api.get("/v1/at-risk", headers={"if-none-match": tag}).status_code == 304


def test_parquet_is_as_the_run_wrote_it_and_says_so(api: Api) -> None:
    path = "/v1/at-risk/export?format=parquet"
    asked, plain = api.get(path, headers=INDONESIAN), api.get(path)
    assert (asked.content, asked.headers["content-language"]) == (plain.content, "en")


def test_the_reasons_of_the_csv_are_indonesian(api: Api) -> None:
    text = api.get("/v1/at-risk?format=csv&limit=5", headers=INDONESIAN).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(
        row["reason_1"].endswith(("menaikkan risiko)", "menurunkan risiko)")) for row in rows
    )
