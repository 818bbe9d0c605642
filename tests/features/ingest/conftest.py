"""Fixtures of the ingest tests."""

from pathlib import Path

import pytest

from tests.features.ingest.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
