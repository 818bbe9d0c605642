"""A workspace with source files, ingested on demand, and what came of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from features.config import PipelineConfig
from features.ingest.report import IngestReport, TableReport
from features.ingest.run import ingest
from features.snapshot import Manifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Shop:
    """A workspace with one source file for each table, ingested on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ingest(
        self,
        files: Mapping[str, str | bytes],
        sources: Mapping[str, Mapping[str, Any]] | None = None,
        **config: Any,
    ) -> IngestReport:
        """Write `files` (table to content) and ingest them; nothing is too many rejects."""
        described = {}
        for table, content in files.items():
            path = self.folder / f"{table}.csv"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            extra = (sources or {}).get(table, {})
            described[table] = {"path": str(path), "max_reject_rate": 1, **extra}
        settled = {"name": "shop", "currency": "IDR", "sources": described, **config}
        return ingest(
            PipelineConfig.model_validate({**settled, "workspace": self.folder / "var"}), now=NOW
        )

    def orders(self, content: str | bytes, **source: Any) -> TableReport:
        """Ingest an orders file alone."""
        return self.ingest({"orders": content}, {"orders": source}).table("orders")

    def rows(self, columns: str, table: str = "orders") -> list[tuple[Any, ...]]:
        """Columns of a snapshot table, in its order; times as text in UTC."""
        return self.read(f"SELECT {columns} FROM '{self.folder}/var/snapshots/{table}.parquet'")

    def rejects(self, columns: str, table: str = "orders") -> list[tuple[Any, ...]]:
        """Columns of a rejects file, in its order."""
        return self.read(f"SELECT {columns} FROM '{self.folder}/var/rejects/{table}.parquet'")

    def manifest(self) -> Manifest:
        """The manifest of the snapshot."""
        path = self.folder / "var" / "snapshots" / "manifest.json"
        return Manifest.model_validate_json(path.read_bytes())

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query that runs in UTC."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query).fetchall()


def reasons(report: TableReport) -> dict[tuple[str, str], int]:
    """Why rows were rejected, and how many."""
    return {(each.code, each.column): each.rows for each in report.rejections}
