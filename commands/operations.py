"""The operations database as commands use it: the configured one, closed when they are done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from features.config import PipelineConfig

if TYPE_CHECKING:
    from serving.database import Database


@contextmanager
def operations_database(settings: PipelineConfig) -> "Iterator[Database]":
    """The operations database of `settings`. Raises DatabaseError for a URL that is none."""
    from serving.database import Database

    database = Database(settings.workspace, settings.operations_url)
    try:
        yield database
    finally:
        database.close()
