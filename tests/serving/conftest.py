"""Fixtures of the serving tests: one scored company and the API over it, made once."""

import pytest

from tests.serving.scored_company import Api, Company, score_company


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return score_company(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="session")
def api(company: Company) -> Api:
    return Api(company.workspace)
