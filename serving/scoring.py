"""Scores: what the champion says of each customer, the same in batch and in a live request."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from features.config import ServingConfig
from features.feature_contract import Matrix
from serving.reasons import SHOWN, Narrator, Reason
from serving.tables import csv_text, write_whole
from training.bundle import Bundle, Prediction

RiskTier: TypeAlias = Literal["high", "medium", "low"]
TIERS: tuple[RiskTier, ...] = ("high", "medium", "low")

NUMBER_COLUMNS = (
    "churn_probability",
    "clv",
    "clv_low",
    "clv_high",
    "expected_orders",
    "value_at_risk",
)
"""Those of SCORE_COLUMNS that hold numbers."""

SCORE_COLUMNS = (
    "customer_id",
    "cutoff",
    *NUMBER_COLUMNS,
    "risk_tier",
    "act_by",
    "reason_1",
    "reason_2",
    "reason_3",
)
"""The score file's columns; money in the bundle's currency, the CLV interval at 90 %."""

_EXPLAINED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Score:
    """One customer's score; None where the bundle has no model for the quantity."""

    customer_id: str
    cutoff: datetime | None
    churn_probability: float
    clv: float | None
    clv_low: float | None
    clv_high: float | None
    expected_orders: float | None
    value_at_risk: float
    """Propensity times CLV, in the bundle's currency; the propensity alone without CLV."""
    risk_tier: RiskTier
    act_by: date | None = None
    """The local date by which to act; None for labels or features without a time."""
    reasons: tuple[Reason, ...] = ()
    next_step: str | None = None


_TOLD = ("cutoff", "reasons", "next_step")
_NUMBERS = tuple(field.name for field in fields(Score) if field.name not in _TOLD)
_numbers_of = attrgetter(*_NUMBERS)


def score_rows(
    bundle: Bundle,
    customer_ids: Sequence[str],
    X: Matrix,
    cutoff: datetime | None,
    serving: ServingConfig,
    *,
    explain: bool = True,
    progress: Callable[[int], None] | None = None,
) -> list[Score]:
    """Score customers from their encoded feature rows, in the order given.

    Row i of `X` belongs to `customer_ids[i]`. Without `explain` a score has no reasons, which
    is some hundred times faster; `progress` is told how many rows have been explained so far.
    """
    if not len(X):
        return []
    prediction = bundle.predict(X)
    act_by = bundle.act_by(prediction.propensity, X, cutoff)
    scores = list(_scores(prediction, customer_ids, cutoff, act_by, serving))
    if not explain:
        return scores
    narrator = Narrator(
        bundle.contract, serving.language, bundle.manifest.currency, bundle.models.typical
    )
    explained: list[Score] = []
    for start in range(0, len(scores), _EXPLAINED_AT_ONCE):
        rows = slice(start, start + _EXPLAINED_AT_ONCE)
        explained += _explained(bundle, X[rows], scores[rows], narrator)
        if progress:
            progress(len(explained))
    return explained


def risk_tier(propensity: float, serving: ServingConfig) -> RiskTier:
    """The tier of a propensity; one at a limit belongs to the tier above it."""
    if propensity >= serving.high_risk:
        return "high"
    return "medium" if propensity >= serving.medium_risk else "low"


def _scores(
    prediction: Prediction,
    ids: Sequence[str],
    cutoff: datetime | None,
    act_by: Sequence[date | None],
    serving: ServingConfig,
) -> Iterator[Score]:
    columns = zip(
        ids,
        prediction.propensity.tolist(),
        _optional(prediction.clv),
        _optional(prediction.clv_low),
        _optional(prediction.clv_high),
        _optional(prediction.expected_orders),
        act_by,
        strict=True,
    )
    for customer_id, propensity, clv, low, high, orders, day in columns:
        at_risk = propensity if clv is None else propensity * clv
        tier = risk_tier(propensity, serving)
        yield Score(customer_id, cutoff, propensity, clv, low, high, orders, at_risk, tier, day)


def _optional(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124


def _explained(
    bundle: Bundle, X: Matrix, scores: Sequence[Score], narrator: Narrator
) -> Iterator[Score]:
    at_risk = [score.risk_tier != "low" for score in scores]
    explanations = narrator.explain(X, bundle.contributions(X), at_risk)
    for score, told in zip(scores, explanations, strict=True):
        yield replace(score, reasons=told.reasons, next_step=told.next_step)


def score_record(score: Score, score_id: str | None = None) -> dict[str, Any]:
    """The score as the API and the online snapshot hold it; the cutoff is said once, beside it.

    A score that is kept has an id. `live` is filled in where a live score is shown in place of a
    scoring run's.
    """
    record: dict[str, Any] = dict(zip(_NUMBERS, _numbers_of(score), strict=True))
    record["score_id"], record["live"] = score_id, None
    record["reasons"] = [asdict(one) for one in score.reasons]
    record["next_step"] = score.next_step
    return record


def score_row(record: Mapping[str, Any], cutoff: datetime | None) -> dict[str, Any]:
    """A `score_record` as one row of the score file (SCORE_COLUMNS)."""
    texts = [reason["text"] for reason in record["reasons"]] + [None] * SHOWN
    row = {name: record[name] for name in SCORE_COLUMNS if name in record}
    row |= {f"reason_{place}": text for place, text in enumerate(texts[:SHOWN], 1)}
    return {**row, "cutoff": utc_text(cutoff)}


def utc_text(instant: datetime | None) -> str | None:
    """The instant as 2024-06-29T17:00:00Z."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def write_scores(folder: Path, scores: Sequence[Score]) -> None:
    """Write scores.csv and scores.parquet, one row per customer with SCORE_COLUMNS."""
    rows = write_score_csv(folder / "scores.csv", scores)
    typed = [{**row, "cutoff": score.cutoff} for row, score in zip(rows, scores, strict=True)]
    write_whole(folder / "scores.parquet", parquet_bytes(SCORE_COLUMNS, typed))


def write_score_csv(path: Path, scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Write one CSV row per customer with SCORE_COLUMNS; returns the rows."""
    rows = [score_row(score_record(score), score.cutoff) for score in scores]
    write_whole(path, csv_text(SCORE_COLUMNS, rows).encode())
    return rows


def parquet_bytes(columns: Sequence[str], rows: list[dict[str, Any]]) -> bytes:
    """The rows as Parquet; pyarrow is only in the batch environment."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {name: pa.float64() for name in NUMBER_COLUMNS}
    kinds |= {"cutoff": pa.timestamp("us", tz="UTC"), "act_by": pa.date32(), "rank": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()
