"""What a live request must know of how the company writes its rows, taken from its snapshot."""

from features.config import PipelineConfig
from features.contracts import TABLES, Table
from features.live.shape import CompanyShape
from features.snapshot import Snapshot


def company_shape(config: PipelineConfig, snapshot: Snapshot) -> CompanyShape:
    """The columns, attributes, survey scales and largest amounts of the company's tables."""
    entries = snapshot.manifest.tables
    tables = {name: entries[name] for name in TABLES if name in entries and name != "contacts"}
    return CompanyShape.model_validate(
        {
            "timezone": snapshot.manifest.timezone,
            "columns": {name: entry.columns for name, entry in tables.items()},
            "attributes": tables["customers"].attributes if "customers" in tables else {},
            "scales": config.sources["surveys"].scales if "surveys" in config.sources else {},
            "largest": {name: _largest(snapshot, TABLES[name]) for name in tables},
            "churn": config.churn,
        }
    )


def _largest(snapshot: Snapshot, table: Table) -> dict[str, float]:
    """Money column to its largest absolute value, for columns that have any."""
    names = [column.name for column in table.columns if column.kind == "money"]
    if not names:
        return {}
    most = ", ".join(f"max(abs({name}))" for name in names)
    values = snapshot.connection.cursor().execute(f"SELECT {most} FROM {table.name}").fetchone()
    return {name: value for name, value in zip(names, values or (), strict=True) if value}
