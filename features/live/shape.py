"""How a company writes its rows, so that a call's rows are read as the nightly run reads them."""

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from features.config import ChurnConfig, SurveyKind, TableName


class CompanyShape(BaseModel):
    """What batch knew of the company's tables when it scored, saved beside the scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str
    columns: dict[TableName, tuple[str, ...]]
    """The contract's columns that the company's sources fill; the model knows no others."""
    attributes: dict[str, Literal["numeric", "category"]]
    """Further columns of customers, and how each is read."""
    scales: dict[SurveyKind, tuple[float, float]]
    """Survey kind to the lowest and highest score, where the company has scales of its own."""
    largest: dict[TableName, dict[str, float]]
    """The largest absolute value of each money column, in the company's currency."""
    churn: ChurnConfig

    @property
    def zone(self) -> ZoneInfo:
        """The time zone whose calendar days the features count."""
        return ZoneInfo(self.timezone)
