"""How a feature is declared: a formula, and the words that people read."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from features.aggregates import (
    Aggregate,
    DeclarationError,
    Formula,
    Until,
    aggregates,
    company_numbers,
    operands,
)
from features.config import TableName
from features.wording import UNITS, Language, value_text

Group = Literal[
    "recency",
    "frequency",
    "spending",
    "variety",
    "refunds",
    "usage",
    "subscription",
    "support",
    "satisfaction",
    "profile",
    "company",
]


@dataclass(frozen=True)
class Words:
    """What a feature means, and the sentences that turn its value into a reason.

    `reason` takes the value as {value}; `nothing` is said when the value is missing, `zero`
    (if given) when it is 0. Sentences carry no full stop.
    """

    meaning: str
    reason: str
    nothing: str
    zero: str = ""

    def over(self, days: int) -> "Words":
        """The same words with {days} replaced."""
        parts = (self.meaning, self.reason, self.nothing, self.zero)
        return Words(*(part.replace("{days}", str(days)) for part in parts))


@dataclass(frozen=True)
class Feature:
    """One feature: how it is computed and what it means to the people who act on it."""

    name: str
    formula: Formula
    unit: str
    group: Group
    english: Words
    indonesian: Words
    direction: Literal[-1, 0, 1] = 0
    """1 when more of it goes with more risk, -1 with less, 0 when not known."""
    actionable: bool = False
    """Whether a team can do something about it."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DeclarationError(f"{self.name}: unit {self.unit!r} has no wording; add it there")
        for part in aggregates(self.formula):
            if part.column is not None and part.column not in part.source.columns:
                raise DeclarationError(
                    f"{self.name}: source {part.source.name} has no column {part.column!r}"
                )

    @property
    def meaning(self) -> str:
        """What it means, in English."""
        return self.english.meaning

    @property
    def meaning_id(self) -> str:
        """What it means, in Indonesian."""
        return self.indonesian.meaning

    @property
    def kind(self) -> Literal["numeric", "category"]:
        """Whether the feature table holds numbers or text for it."""
        return "category" if self.unit == "text" else "numeric"

    @property
    def source(self) -> TableName:
        """The canonical table it mainly comes from."""
        return next(aggregates(self.formula)).source.table

    @property
    def window_days(self) -> int | None:
        """How many days it looks back; None for all history."""
        return next(aggregates(self.formula)).days

    @property
    def lookback_days(self) -> int | None:
        """How many days back its oldest rows may lie; None where it looks at all history."""
        days = [part.days for part in aggregates(self.formula)]
        known = [each for each in days if each is not None]
        return max(known) if len(known) == len(days) else None

    @property
    def time(self) -> str:
        """The time columns it respects: the rows' own, then those of late columns."""
        parts = list(aggregates(self.formula))
        late = {t for p in parts for c in p.used for t in p.source.known_at.get(c, ())}
        own = dict.fromkeys(part.source.time for part in parts if part.source.time)
        return ", ".join([*own, *sorted(late - set(own))])

    @property
    def needs(self) -> frozenset[tuple[TableName, str]]:
        """The (table, contract column) pairs without which it cannot be computed."""
        return frozenset(need for part in aggregates(self.formula) for need in _needs(part))

    @property
    def definition(self) -> str:
        """Digest of the computation: formula and facts, not words."""
        return hashlib.sha256(_identity(self.formula).encode()).hexdigest()[:16]

    @property
    def company_relative(self) -> bool:
        """Whether it depends on rows of other customers."""
        return next(company_numbers(self.formula), None) is not None

    def sentence(self, value: float | str | None, language: Language, currency: str) -> str:
        """Say what `value` means for one customer, as a sentence without a full stop.

        None and NaN are missing values; `currency` is shown with money.
        """
        words = self.english if language == "en" else self.indonesian
        if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
            return words.nothing
        if value == 0 and words.zero:
            return words.zero
        shown = value_text(value, self.unit, language, currency)
        text = words.reason.replace("{value}", shown)
        return text[:1].upper() + text[1:]


def _needs(part: Aggregate) -> set[tuple[TableName, str]]:
    facts = [part.source.columns[name] for name in part.used]
    columns = {need for fact in facts if not fact.is_optional for need in fact.needs}
    own = columns | ({part.source.time} if part.source.time else set())
    return {(part.source.table, column) for column in own} | set(part.source.beside)


def _identity(formula: Formula) -> str:
    """The computation as text: equal for equal computations only."""
    if not isinstance(formula, Aggregate):
        days = formula.days if isinstance(formula, Until) else ""
        inner = "\n".join(_identity(part) for part in operands(formula))
        return f"{type(formula).__name__}{days}(\n{inner})"
    fields = {name: value for name, value in vars(formula).items() if name != "source"}
    source = formula.source
    late = {name: source.known_at.get(name) for name in formula.used}
    facts = " ".join(source.facts.split())
    return f"{fields} {source.clock} {formula.scale} {source.place} {late} {facts}"


def over(
    days: Sequence[int],
    name: str,
    formula: Callable[[int], Formula],
    unit: str,
    group: Group,
    *,
    english: Words,
    indonesian: Words,
    direction: Literal[-1, 0, 1] = 0,
    actionable: bool = False,
) -> list[Feature]:
    """Declare one feature for each lookback; {days} in the words becomes its length."""
    return [
        Feature(
            f"{name}_{length}d",
            formula(length),
            unit,
            group,
            english.over(length),
            indonesian.over(length),
            direction,
            actionable,
        )
        for length in days
    ]
