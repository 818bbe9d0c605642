"""Public data sets for development: found by `SETIA_SHARED_DATA`, skipped where absent."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(name: str = "") -> Path:
    """The folder of the data sets, or one file in it; skips the test when it is absent."""
    path = Path(os.environ.get("SETIA_SHARED_DATA", _BESIDE)) / name
    if not path.exists():
        pytest.skip(f"{path} is absent; set SETIA_SHARED_DATA to the folder with the data sets")
    return path
