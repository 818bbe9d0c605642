"""Fixtures of the serving tests: one scored company, the API over it, operations databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.database import Database
from tests.postgres_server import postgres_server
from tests.serving.operations import Place, fresh_postgres
from tests.serving.scored_company import Api, Company, score_company


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return score_company(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="session")
def api(company: Company) -> Api:
    return Api(company.workspace)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("runtime")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path / "var", None)
    return Place(tmp_path / "var", fresh_postgres(request.getfixturevalue("postgres_url")))


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    opened = place.open()
    yield opened
    opened.close()


@pytest.fixture
def other(place: Place, database: Database) -> Iterator[Database]:
    """The same database as another worker has it open."""
    opened = place.open()
    yield opened
    opened.close()
