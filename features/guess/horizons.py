"""How far ahead to ask, judged from how far back the data reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from features.config import TableName
from features.guess.guess import SourceGuess

_USUAL_CHURN_DAYS = 90
_LONG_GAP_DAYS = 60
_MONTH_DAYS, _YEAR_DAYS = 30, 365


@dataclass(frozen=True)
class Horizons:
    """Horizons and eligibility in days, and one sentence on how each was chosen."""

    label: Literal["inactivity", "subscription", "column"]
    activity: Literal["orders", "events"]
    churn_days: int
    clv_days: int
    eligible_days: int
    cutoffs: int
    churn_why: str
    clv_why: str


def suggest_horizons(guesses: Sequence[SourceGuess]) -> Horizons:
    """Choose what churn means and how far ahead to look from the tables given and their span."""
    tables = {guess.table for guess in guesses}
    active = [g for g in guesses if g.table in ("orders", "events", "subscriptions")]
    activity: Literal["orders", "events"] = (
        "events" if tables.isdisjoint({"orders"}) and ("events" in tables) else "orders"
    )
    span = _span_days(active)
    gap = next((g.extent.return_days for g in active if g.table == activity), None)
    churn, churn_why = _churn_days(span, gap)
    clv, clv_why = _clv_days(span)
    training_days = span - 2 * max(churn, clv)
    return Horizons(
        label=_label(guesses, tables),
        activity=activity,
        churn_days=churn,
        clv_days=clv,
        eligible_days=max(1, min(_YEAR_DAYS, span)) if span else _YEAR_DAYS,
        cutoffs=max(1, min(6, training_days // _MONTH_DAYS)) if span else 6,
        churn_why=churn_why,
        clv_why=clv_why,
    )


def _label(
    guesses: Sequence[SourceGuess], tables: set[TableName]
) -> Literal["inactivity", "subscription", "column"]:
    if any(guess.table == "subscriptions" and guess.column("ended_at") for guess in guesses):
        return "subscription"
    return "column" if tables == {"customers"} else "inactivity"


def _span_days(active: Sequence[SourceGuess]) -> int:
    firsts = [guess.extent.first for guess in active if guess.extent.first]
    lasts = [guess.extent.last for guess in active if guess.extent.last]
    return (max(lasts) - min(firsts)).days if firsts and lasts else 0


def _churn_days(span: int, gap: float | None) -> tuple[int, str]:
    days, why = _USUAL_CHURN_DAYS, "A quarter, the usual choice"
    if gap is not None:
        why = f"Customers who come back do so after {gap:.0f} days (median)"
        if gap > _LONG_GAP_DAYS:
            days = min(_YEAR_DAYS, round(1.5 * gap / _MONTH_DAYS) * _MONTH_DAYS)
        why += f", so {days} days without a sign say something"
    if span and days > span // 4:
        days = max(1, span // 4)
        why += f"; no more than a quarter of the {span:,} days there are"
    return days, why


def _clv_days(span: int) -> tuple[int, str]:
    for least, days in ((3 * _YEAR_DAYS, _YEAR_DAYS), (18 * _MONTH_DAYS, 180)):
        if span >= least:
            return days, f"The data spans {span:,} days"
    days = min(_USUAL_CHURN_DAYS, max(1, span // 4)) if span else _USUAL_CHURN_DAYS
    return days, f"The data spans only {span:,} days; lengthen this as it grows"
