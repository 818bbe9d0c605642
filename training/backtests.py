"""How well past cutoffs were judged, one after the other: a table and a picture of the drift."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from features.labels import ImmatureCutoff
from features.spine import NobodyEligible
from features.windows import CutoffError, local_day, shift_days
from training.dataset import CannotTrain, NotEnoughHistory
from training.evaluate import CannotJudge, ChurnEvaluation, ValueEvaluation
from training.judging.comparison import MODEL
from training.judging.suspects import SuspectedLeak
from training.run import BacktestReport

_REFUSALS = (
    CannotJudge,
    CannotTrain,
    CutoffError,
    ImmatureCutoff,
    NobodyEligible,
    NotEnoughHistory,
    SuspectedLeak,
)
_COLOUR, _REFERENCE = "#1f5f8b", "#9a9a9a"


@dataclass(frozen=True)
class BacktestRow:
    """One cutoff: how the models fitted before it did after it, or why that cannot be said."""

    cutoff: date
    customers: int | None = None
    base_rate: float | None = None
    """Share of the customers that churned."""
    auc: float | None = None
    auc_low: float | None = None
    """Lower end of the 95 % interval, as `auc_high` is the upper one."""
    auc_high: float | None = None
    brier: float | None = None
    ece: float | None = None
    gini: float | None = None
    """Of CLV; None, as what follows, where value is not modelled or its horizon is not over."""
    gini_low: float | None = None
    gini_high: float | None = None
    total_ratio: float | None = None
    """Predicted total CLV over what came in."""
    coverage: float | None = None
    """Share of customers whose value lies within their 90 % interval."""
    coverage_top: float | None = None
    """The same among the tenth with the highest predicted CLV."""
    refusal: str = ""
    """Why this cutoff could not be judged; empty when it was."""


def cutoffs_back(
    latest: datetime, times: int, every_days: int, zone: ZoneInfo
) -> tuple[datetime, ...]:
    """`times` cutoffs, oldest first: `latest` and so many local days before it, again and again."""
    return tuple(shift_days(latest, -every_days * back, zone) for back in range(times))[::-1]


def walk(
    cutoffs: Sequence[datetime], judged: Callable[[datetime], BacktestReport], zone: ZoneInfo
) -> list[BacktestRow]:
    """A row for each cutoff; where `judged` refuses one, its reason, and on to the next.

    Raises CannotJudge, with the last reason, when every cutoff was refused.
    """
    rows = [_row(cutoff, judged, zone) for cutoff in cutoffs]
    if all(row.refusal for row in rows):
        raise CannotJudge(
            f"none of the {len(rows)} cutoffs can be judged; at {rows[-1].cutoff}: "
            f"{rows[-1].refusal}"
        )
    return rows


def write_rows(rows: Sequence[BacktestRow], path: Path) -> None:
    """Write the rows as CSV, with what is not known left empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(BacktestRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def draw_rows(rows: Sequence[BacktestRow], path: Path, *, generated: bool) -> None:
    """Draw ranking, calibration and value over the cutoffs that were judged, as PNG."""
    known = [row for row in rows if not row.refusal]
    valued = [row for row in known if row.gini is not None]
    figure = Figure(figsize=(7.2, 8.4 if valued else 5.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3 if valued else 2, 1, sharex=True)
    title = "Backtests: models fitted before each cutoff, judged after it"
    figure.suptitle(f"{title}\ngenerated data" if generated else title)
    _ranking(panels[0], known, "auc", "AUC of churn (95 % interval)")
    _lines(panels[1], known, {"brier": "Brier", "ece": "ECE", "base_rate": "share that churned"})
    if valued:
        _ranking(panels[2], valued, "gini", "Gini of CLV (95 % interval)")
        _lines(panels[2], valued, {"coverage_top": "coverage of the top tenth (aim 0.9)"})
    panels[-1].set_xlabel("cutoff")
    figure.autofmt_xdate()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _row(
    cutoff: datetime, judged: Callable[[datetime], BacktestReport], zone: ZoneInfo
) -> BacktestRow:
    day = local_day(cutoff, zone)
    try:
        report = judged(cutoff)
    except _REFUSALS as error:
        return BacktestRow(day, refusal=str(error))
    return BacktestRow(day, **_churn(report.churn), **_value(report.value))


def _churn(churn: ChurnEvaluation) -> dict[str, Any]:
    found = churn.comparison.methods[MODEL]
    auc = found["auc"]
    return {
        "customers": churn.rows,
        "base_rate": churn.base_rate,
        "auc": auc.point,
        "auc_low": auc.low,
        "auc_high": auc.high,
        "brier": found["brier"].point,
        "ece": found["ece"].point,
    }


def _value(value: ValueEvaluation | None) -> dict[str, Any]:
    if value is None:
        return {}
    found = value.comparison.methods[MODEL]
    gini = found["gini"]
    return {
        "gini": gini.point,
        "gini_low": gini.low,
        "gini_high": gini.high,
        "total_ratio": found["total_ratio"].point,
        "coverage": value.coverage.overall,
        "coverage_top": value.coverage.top_decile,
    }


def _ranking(axes: Axes, rows: Sequence[BacktestRow], metric: str, label: str) -> None:
    """A metric with its interval at each cutoff."""
    days = [row.cutoff for row in rows]
    middle, low, high = (
        [getattr(row, f"{metric}{end}") for row in rows] for end in ("", "_low", "_high")
    )
    axes.fill_between(days, low, high, color=_COLOUR, alpha=0.2, linewidth=0)  # type: ignore[arg-type]
    axes.plot(days, middle, "o-", color=_COLOUR, label=label)  # type: ignore[arg-type]
    _plain(axes)


def _lines(axes: Axes, rows: Sequence[BacktestRow], metrics: dict[str, str]) -> None:
    for (metric, label), style in zip(metrics.items(), ("s--", "^:", "-"), strict=False):
        values = [getattr(row, metric) for row in rows]
        axes.plot([row.cutoff for row in rows], values, style, label=label)  # type: ignore[arg-type]
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
