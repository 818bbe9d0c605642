"""What ingest found: rows accepted, rejected and set aside, with reasons and advice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from features.config import TableName


@dataclass(frozen=True)
class Rejection:
    """All rows of a table that were rejected for one reason."""

    table: TableName
    code: str
    """Stable name of the reason, as in the `reason` column of the rejects file."""
    column: str
    """The canonical column at fault; empty when it is the whole line."""
    rows: int
    share: float
    """Of the rows that were judged (read and not set aside)."""
    example: str | None
    sentence: str
    advice: str


@dataclass(frozen=True)
class TableReport:
    """One table through ingest; rows accepted, rejected and set aside add up to those read."""

    table: TableName
    rows_read: int
    accepted: int
    rejections: tuple[Rejection, ...]
    set_aside: Mapping[str, int]
    """What was left out by wish, to rows."""
    normalised: Mapping[str, int]
    """What was read differently from how it was written, to accepted rows."""
    warnings: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    coverage: Mapping[str, float]
    """Mapped column or attribute to its share of accepted rows that hold a value."""
    max_reject_rate: float

    @property
    def rejected(self) -> int:
        """Rows rejected, for whatever reason."""
        return sum(rejection.rows for rejection in self.rejections)

    @property
    def reject_rate(self) -> float:
        """Share of the judged rows that were rejected."""
        judged = self.accepted + self.rejected
        return self.rejected / judged if judged else 0.0

    @property
    def too_many(self) -> bool:
        """Whether more was rejected than the configuration allows."""
        return self.reject_rate > self.max_reject_rate

    @property
    def problems(self) -> tuple[str, ...]:
        """Every rejection and warning as a sentence with its advice."""
        rejected = (f"{each.sentence}; {each.advice}" for each in self.rejections)
        return (*rejected, *self.warnings)


@dataclass(frozen=True)
class IngestReport:
    """What came of every source, and of holding the tables against each other."""

    tables: tuple[TableReport, ...]
    warnings: tuple[str, ...] = field(default=())
    """What does not fit between tables, with advice."""
    first: datetime | None = None
    watermark: datetime | None = None
    fingerprint: str | None = None

    @property
    def too_many(self) -> tuple[TableReport, ...]:
        """The tables that lost more rows than they may."""
        return tuple(report for report in self.tables if report.too_many)

    def table(self, name: TableName) -> TableReport:
        """The report of one table; KeyError when there is none."""
        for report in self.tables:
            if report.table == name:
                return report
        raise KeyError(name)

    def problems(self) -> list[str]:
        """Every rejection and warning as a sentence with its advice, table by table."""
        lines = [f"{each.table}: {problem}" for each in self.tables for problem in each.problems]
        return lines + list(self.warnings)


def share(part: int, whole: int) -> str:
    """`part` and what it is of `whole`, as people write it: 1,234 rows (5.6 %)."""
    percent = 100 * part / whole if whole else 0.0
    shown = f"{percent:.1f}" if percent >= 0.1 or not part else "<0.1"
    return f"{part:,} row{'' if part == 1 else 's'} ({shown} %)"
