"""The send boundary of a worker that outlives scoring runs: as the files have it now."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from features.outreach_config import OutreachConfig
from serving.history import FILE
from serving.outreach.deliver.recheck import Boundary, Permission, boundary_of
from serving.outreach.message import Message


class LatestBoundary:
    """A boundary that is made again once a file that it was made from has been replaced."""

    def __init__(self, config: OutreachConfig, workspace: Path) -> None:
        self._config = config
        self._workspace = workspace
        self._files = [workspace / "scores" / FILE, *([config.merged] if config.merged else [])]
        self._made = self._make()

    def permissions(
        self, connection: Connection, messages: Sequence[Message], now: datetime
    ) -> list[Permission]:
        """One permission for each message, as `Boundary.permissions` gives it."""
        changed_at, boundary = self._made
        if self._changed_at() != changed_at:
            self._made = self._make()
            _, boundary = self._made
        return boundary.permissions(connection, messages, now)

    def _make(self) -> tuple[list[int | None], Boundary]:
        # The times first: what is replaced meanwhile is then read once more.
        return self._changed_at(), boundary_of(self._config, self._workspace)

    def _changed_at(self) -> list[int | None]:
        return [file.stat().st_mtime_ns if file.exists() else None for file in self._files]
