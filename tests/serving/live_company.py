"""A generated company scored by a tiny bundle that takes every feature, and its rows as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from features.company.generate import generate_company
from features.config import PipelineConfig, load_config
from features.feature_contract import FeatureColumn, FeatureContract
from features.ingest.run import ingest
from features.outreach_config import OutreachConfig
from features.snapshot import open_snapshot
from features.table import catalogue_contract
from serving.batch import ScoreRun, score_snapshot
from tests.tiny_bundle import tiny_bundle

TABLES = ("customers", "orders", "events", "subscriptions", "tickets", "surveys")

Row = dict[str, Any]


@dataclass(frozen=True)
class LiveCompany:
    """A scored workspace and, by customer and table, the rows of the company's own files."""

    config: PipelineConfig
    run: ScoreRun
    rows: dict[str, dict[str, list[Row]]]

    def call(self, customer_id: str, **members: Any) -> dict[str, Any]:
        """The body that sends all of one customer's rows, as of the nightly cutoff."""
        tables = dict(self.rows[customer_id])
        customer = tables.pop("customers", [None])[0]
        as_of = self.run.cutoff.isoformat()
        body = {"customer_id": customer_id, "as_of": as_of, "customer": customer, **tables}
        return {**body, **members}


def score_live_company(
    folder: Path, customers: int, days: int = 400, outreach: OutreachConfig | None = None
) -> LiveCompany:
    """Generate a company, read it, and score it at the end of its data."""
    config = load_config(generate_company(folder, customers, days=days).config)
    config = config.model_copy(update={"outreach": outreach or config.outreach})
    ingest(config)
    snapshot = open_snapshot(config.workspace / "snapshots")
    contract = _with_categories(catalogue_contract(snapshot))
    snapshot.connection.close()
    tiny_bundle(config.workspace / "bundle", contract)
    run = score_snapshot(config, None, datetime.now(UTC), lambda *_: None)
    return LiveCompany(config, run, _rows_by_customer(folder))


def _with_categories(contract: FeatureContract) -> FeatureContract:
    """Names that the generated company uses, so that categories reach the model."""
    known = ("consumer", "business", "email", "phone", "chat", "delivery", "billing", "referral")
    columns = [
        column
        if column.kind == "numeric"
        else FeatureColumn.model_validate({**column.model_dump(), "categories": known})
        for column in contract.columns
    ]
    return FeatureContract(columns=tuple(columns))


def _rows_by_customer(folder: Path) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = {}
    for name in TABLES:
        for row in pq.read_table(folder / f"{name}.parquet").to_pylist():
            tables = found.setdefault(row["customer_id"], {})
            tables.setdefault(name, []).append(_json_row(row))
    return found


def _json_row(row: Mapping[str, Any]) -> Row:
    """The row as a client sends it: what is missing left out, times as text."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None and value == value  # noqa: PLR0124 - a NaN is missing
    }
