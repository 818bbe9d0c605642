"""Fixtures of the API's tests: a generated company of each module's own, and a service over it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from serving.database import Database
from tests.running_server import Server
from tests.serving.live_company import LiveCompany, score_live_company
from tests.serving.operations import new_key
from tests.serving.test_service import serving

SCHEMATHESIS_SECONDS = int(os.environ.get("SETIA_SCHEMATHESIS_SECONDS", "0"))
"""How long schemathesis looks for a failure; 1200 is the long run, 0 a few examples each."""


@dataclass(frozen=True)
class Tokens:
    """Keys of the company's service: one for everything, one as a client is given it."""

    admin: str
    client: str


@pytest.fixture(scope="module")
def live_company(tmp_path_factory: pytest.TempPathFactory) -> LiveCompany:
    return score_live_company(tmp_path_factory.mktemp("live"), 60)


@pytest.fixture(scope="module")
def tokens(live_company: LiveCompany) -> Tokens:
    database = Database(live_company.config.workspace)
    admin, _ = new_key(database, "admin", per_minute=10_000_000)
    client, _ = new_key(database, "score", "list")
    database.close()
    return Tokens(admin, client)


@pytest.fixture(scope="module")
def server(
    live_company: LiveCompany,
    tokens: Tokens,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("bentoml")
    with serving(live_company.config.workspace, home, SCHEMATHESIS_SECONDS + 300) as answering:
        yield answering
