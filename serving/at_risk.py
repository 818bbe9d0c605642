"""The at-risk list: customers by value at risk, each with a rank and what to do next."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from serving.scoring import (
    SCORE_COLUMNS,
    TIERS,
    RiskTier,
    Score,
    parquet_bytes,
    score_record,
    score_row,
)
from serving.tables import csv_text, write_whole

LIST_COLUMNS = ("rank", *SCORE_COLUMNS, "next_step", "currency")
"""The at-risk list's columns: those of the score file, its place, the next step, the currency."""


@dataclass(frozen=True, slots=True)
class AtRiskSummary:
    """What a scoring run found, for the command to show."""

    customers: int
    tiers: dict[RiskTier, int]
    value_at_risk: float | None
    """Sum over all customers, in `currency`; None without CLV."""
    top_decile_value_at_risk: float | None
    """The part of it that the first tenth of the list holds."""
    currency: str
    generated: bool


def rank_scores(scores: Sequence[Score]) -> list[int]:
    """Positions of `scores` in at-risk order: highest value at risk first, ties by customer id.

    Customers of the low tier come after all others: a large customer who will stay anyway can
    have more value at risk than a small one who is leaving, but needs no call.
    """

    def place_of(place: int) -> tuple[bool, float, str]:
        score = scores[place]
        return score.risk_tier == "low", -score.value_at_risk, score.customer_id

    return sorted(range(len(scores)), key=place_of)


def summarise(ranked: Sequence[Score], currency: str, *, generated: bool) -> AtRiskSummary:
    """Count tiers and add up value at risk over a ranked list."""
    counts = Counter(score.risk_tier for score in ranked)
    valued = any(score.clv is not None for score in ranked)
    decile = ranked[: -(-len(ranked) // 10)]
    return AtRiskSummary(
        customers=len(ranked),
        tiers={tier: counts[tier] for tier in TIERS},
        value_at_risk=math.fsum(s.value_at_risk for s in ranked) if valued else None,
        top_decile_value_at_risk=math.fsum(s.value_at_risk for s in decile) if valued else None,
        currency=currency,
        generated=generated,
    )


def write_at_risk(folder: Path, ranked: Sequence[Score], currency: str) -> None:
    """Write at_risk.csv, one row per customer with LIST_COLUMNS, in the order of `ranked`."""
    rows = (
        list_row(rank, score_record(score), score.cutoff, currency)
        for rank, score in enumerate(ranked, 1)
    )
    write_whole(folder / "at_risk.csv", csv_text(LIST_COLUMNS, rows).encode())


def at_risk_parquet(ranked: Sequence[Score], currency: str) -> bytes:
    """The list as a Parquet file, a row per customer with LIST_COLUMNS, numbers and times typed."""
    rows = (
        list_row(rank, score_record(score), score.cutoff, currency) | {"cutoff": score.cutoff}
        for rank, score in enumerate(ranked, 1)
    )
    return parquet_bytes(LIST_COLUMNS, list(rows))


def list_row(
    rank: int, record: Mapping[str, Any], cutoff: datetime | None, currency: str
) -> dict[str, Any]:
    """One line of the at-risk list (LIST_COLUMNS) from a `score_record`."""
    row = score_row(record, cutoff)
    return {"rank": rank, **row, "next_step": record["next_step"], "currency": currency}
