"""The report of a training run or a backtest: comparison tables, pictures and one page of words."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.config import PipelineConfig
from training.judging.comparison import Comparison, number
from training.judging.curves import Bin
from training.judging.grades import Grade
from training.judging.plots import draw_churn, draw_coverage, draw_features, draw_value
from training.judging.segments import Segment
from training.judging.verdict import Verdict


def write_report(folder: Path, page: str, verdict: Verdict, config: PipelineConfig) -> None:
    """Write `report.md` (`page`), the comparisons as CSV, and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page, encoding="utf-8")
    judged = {"churn": verdict.churn, "orders": verdict.orders, "clv": verdict.value}
    for task, evaluation in judged.items():
        if evaluation is not None:
            _write_csv(folder / f"comparison_{task}.csv", evaluation.comparison)
    draw_churn(verdict.churn, folder, generated=config.generated)
    draw_features(verdict.drivers, folder, target="churn", generated=config.generated)
    if verdict.value is not None:
        draw_value(
            verdict.value,
            folder,
            currency=config.currency,
            horizon_days=config.clv.horizon_days,
            generated=config.generated,
        )
        draw_coverage(verdict.value.coverage, folder, generated=config.generated)


def comparison_table(comparison: Comparison) -> str:
    """A Markdown table: a row for each method, a column for each metric with its 95 % interval."""
    metrics = list(next(iter(comparison.methods.values())))
    rows = [
        [method, *(str(estimates[metric]) for metric in metrics)]
        for method, estimates in comparison.methods.items()
    ]
    return markdown_table(["method", *metrics], rows)


def decile_table(deciles: Sequence[Bin], covered: Sequence[Bin] = ()) -> str:
    """A Markdown table of predicted deciles, lowest first: what was said, what happened.

    A star marks a prediction outside the 95 % interval of what happened. `covered` adds how much
    of each decile its 90 % intervals held.
    """
    title = ["decile", "customers", "predicted", "happened"]
    rows = [
        [str(place), f"{found.rows:,}", *_said_and_happened(found)]
        for place, found in enumerate(deciles, 1)
    ]
    if covered:
        title.append("inside the 90 % interval")
        for row, found in zip(rows, covered, strict=True):
            row.append(f"{found.actual:.1%} [{found.low:.1%}, {found.high:.1%}]")
    return markdown_table(title, rows)


def segment_table(segments: Sequence[Segment]) -> str:
    """A Markdown table of segments: calibration as for deciles, AUC and Brier score."""
    rows = [
        [
            segment.name,
            f"{segment.calibration.rows:,}",
            *_said_and_happened(segment.calibration),
            number(segment.auc) if np.isfinite(segment.auc) else "",
            number(segment.brier),
        ]
        for segment in segments
    ]
    return markdown_table(["segment", "customers", "predicted", "happened", "AUC", "Brier"], rows)


def grade_table(grades: Sequence[Grade]) -> str:
    """A Markdown table of the vendors' grades and what each rests on."""
    rows = [[grade.rule, grade.grade, grade.because] for grade in grades]
    return markdown_table(["published rule", "grade", "because"], rows)


def _said_and_happened(found: Bin) -> list[str]:
    star = "*" if found.surprising else ""
    interval = f"[{number(found.low)}, {number(found.high)}]"
    return [f"{number(found.predicted)}{star}", f"{number(found.actual)} {interval}"]


def markdown_table(title: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [title, ["---"] * len(title), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _write_csv(path: Path, comparison: Comparison) -> None:
    rows = comparison.table()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
