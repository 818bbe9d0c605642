"""What features compute: sources with their facts, and aggregates over the visible rows."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from features.config import TableName
from features.contracts import TABLES

How = Literal[
    "count",
    "sum",
    "mean",
    "sd",
    "max",
    "median",
    "first",
    "last",
    "last_is",
    "distinct",
    "modal",
    "since_last",
    "since_first",
    "span",
    "slope",
    "trend",
]
"""`last_is` says whether the last row meets `where`; `modal` counts the rows of the value that
most rows share; `slope` fits buckets of a sum, `trend` single values, per TREND_DAYS."""

FIXED = 10_000
"""Money and scores are summed as whole ten-thousandths, so that no order of adding shows."""

TREND_DAYS = 30
"""A trend is the change of the fitted line over so many days."""

_ZERO_WHEN_EMPTY = ("count", "sum", "distinct", "modal", "slope")
_WORD = re.compile(r"'[^']*'|[a-z_]+")


class DeclarationError(ValueError):
    """A feature or source is declared wrongly; the message says where and how to right it."""


@dataclass(frozen=True)
class Fact:
    """One column of a source's facts: the contract columns it needs, and its scale.

    The stored integer divided by `scale` is the value in the feature's unit. A feature is
    left out of a snapshot that lacks a needed column, unless the fact is optional.
    """

    needs: tuple[str, ...]
    scale: int = 1
    is_text: bool = False
    is_optional: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """Rows that features aggregate: `facts` is SQL over one canonical table, free of cutoffs.

    The facts have `customer_id`, `ts` (epoch seconds, or the local day number when `clock`
    is "day") and `columns`. A column drawn from a late contract column is hidden until the
    time at which that became known, which the facts must hold under its contract name.
    """

    name: str
    table: TableName
    time: str | None
    clock: Literal["day", "second"]
    facts: str
    columns: Mapping[str, Fact]
    place: str = "ts"
    """Column that orders a customer's rows without ties."""
    beside: tuple[tuple[TableName, str], ...] = ()
    """Contract columns of other tables that the facts need too; none may be late."""
    known_at: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    """Fact column to the time columns that must lie before the cutoff for it to be seen."""

    def __post_init__(self) -> None:
        late = TABLES[self.table].known_at
        for name, fact in self.columns.items():
            times = {late[need] for need in fact.needs if need in late} - {self.time}
            if not times <= set(self.columns):
                raise DeclarationError(
                    f"source {self.name}: {name} becomes known at {', '.join(sorted(times))}; "
                    "give the facts that column too"
                )
            if times:
                self.known_at[name] = tuple(sorted(times))


@dataclass(frozen=True)
class Aggregate:
    """One number per customer from the visible rows of a source.

    Rows are those whose `time` lies in [cutoff - days, cutoff - until), all history when
    `days` is None, and which meet `where` (SQL over fact columns; late ones are hidden).
    """

    source: Source
    how: How
    column: str | None = None
    where: str = ""
    days: int | None = None
    until: int = 0
    time: str = "ts"
    zero: bool = False
    """Whether nothing to aggregate means 0; counts and sums are 0 in any case."""
    bucket: int = 7
    """Days per point of a slope."""
    scope: Literal["customer", "company"] = "customer"
    """Whether it aggregates the rows of the customer, or of everybody."""

    @property
    def is_zero_when_empty(self) -> bool:
        """Whether a customer without rows gets 0 rather than a missing value."""
        return self.zero or self.how in _ZERO_WHEN_EMPTY

    @property
    def scale(self) -> int:
        """What the SQL result is divided by to be in the feature's unit."""
        if self.how in ("since_last", "since_first", "span"):
            return 1 if self.source.clock == "day" else 86_400
        if self.how in ("count", "distinct", "modal", "last_is") or self.column is None:
            return 1
        return self.source.columns[self.column].scale

    @property
    def is_text(self) -> bool:
        """Whether the result is a category."""
        column = self.column
        return self.how == "last" and column is not None and self.source.columns[column].is_text

    @property
    def used(self) -> tuple[str, ...]:
        """Fact columns that the aggregate reads, `ts` and `place` aside."""
        words = {word for word in _WORD.findall(self.where) if word in self.source.columns}
        named = {self.column, self.time} & set(self.source.columns)
        return tuple(sorted(words | {name for name in named if name}))


@dataclass(frozen=True)
class Level:
    """The company's `hits / trials`; missing where nobody had a trial."""

    hits: Aggregate
    trials: Aggregate


@dataclass(frozen=True)
class Likeness:
    """How far a customer's trials resemble each other, 0 (chance alone) to 1 (all the same).

    The intraclass correlation of the beta-binomial, by moments with the trials as weights:
    Kleinman (1973), "Proportions with extraneous variance", JASA 68, 46-54.
    """

    hits: Aggregate
    trials: Aggregate


@dataclass(frozen=True)
class Shrunk:
    """`hits / trials` drawn towards the company's level, the more so the fewer the trials.

    The posterior mean of the beta-binomial: with n trials and likeness r the customer's own
    rate weighs n r / (1 + (n - 1) r); Casella (1985), "An introduction to empirical Bayes data
    analysis", The American Statistician 39, 83-87. Missing without trials.
    """

    hits: Aggregate
    trials: Aggregate

    @property
    def level(self) -> Level:
        """What it is drawn towards."""
        return Level(self.hits, self.trials)

    @property
    def likeness(self) -> Likeness:
        """What decides how strongly."""
        return Likeness(self.hits, self.trials)


@dataclass(frozen=True)
class Ratio:
    """`top / bottom`; missing where the bottom is zero or either is missing."""

    top: "Formula"
    bottom: "Formula"


@dataclass(frozen=True)
class Change:
    """`(recent - before) / before`; missing where there was nothing before."""

    recent: "Formula"
    before: "Formula"


@dataclass(frozen=True)
class Difference:
    """`left - right`; missing where either is missing."""

    left: "Formula"
    right: "Formula"


@dataclass(frozen=True)
class Until:
    """How much of a cycle of `days` is left after `elapsed`: 365 at 0 and at 365, 1 at 364."""

    elapsed: "Formula"
    days: int


Formula = Aggregate | Shrunk | Ratio | Change | Difference | Until
CompanyNumber = Aggregate | Level | Likeness
"""One number for everybody at a cutoff; an aggregate is one when its scope is the company."""


def operands(formula: Formula) -> tuple[Formula, ...]:
    """The formulas that a formula combines, left to right; none for an aggregate."""
    match formula:
        case Aggregate():
            return ()
        case Shrunk(hits, trials):
            return (hits, trials)
        case Ratio(left, right) | Change(left, right) | Difference(left, right):
            return (left, right)
        case Until(elapsed):
            return (elapsed,)


def aggregates(formula: Formula) -> Iterator[Aggregate]:
    """The aggregates a formula is made of, left to right."""
    if isinstance(formula, Aggregate):
        yield formula
    for part in operands(formula):
        yield from aggregates(part)


def company_numbers(formula: Formula) -> Iterator[CompanyNumber]:
    """The numbers of the whole company that a formula needs, left to right."""
    if isinstance(formula, Aggregate) and formula.scope == "company":
        yield formula
    elif isinstance(formula, Shrunk):
        yield from (formula.level, formula.likeness)
    for part in operands(formula):
        yield from company_numbers(part)


def of_company(part: Aggregate) -> Aggregate:
    """The same aggregate over everybody's rows."""
    return replace(part, scope="company")


def fixed(column: str) -> str:
    """SQL that turns a number into whole ten-thousandths (see FIXED); null beyond 1e12."""
    return f"CAST(CASE WHEN abs({column}) <= 1e12 THEN round({column} * 1e4) END AS BIGINT)"
