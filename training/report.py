"""The report of a training run or a backtest: comparison tables, pictures and one page of words."""

import csv
from pathlib import Path

from features.config import PipelineConfig
from training.evaluate import Comparison
from training.plots import draw_churn, draw_features, draw_value
from training.verdict import Verdict


def write_report(folder: Path, page: str, verdict: Verdict, config: PipelineConfig) -> None:
    """Write `report.md` (`page`), the comparison as CSV, and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page, encoding="utf-8")
    _write_csv(folder / "comparison_churn.csv", verdict.churn.comparison)
    draw_churn(verdict.churn, folder, generated=config.generated)
    draw_features(verdict.drivers, folder, target="churn", generated=config.generated)
    if verdict.value is not None:
        _write_csv(folder / "comparison_clv.csv", verdict.value.comparison)
        draw_value(
            verdict.value,
            folder,
            currency=config.currency,
            horizon_days=config.clv.horizon_days,
            generated=config.generated,
        )


def comparison_table(comparison: Comparison) -> str:
    """A Markdown table: a row for each method, a column for each metric with its 95 % interval."""
    metrics = list(next(iter(comparison.methods.values())))
    lines = [f"| method | {' | '.join(metrics)} |", "| --- " * (len(metrics) + 1) + "|"]
    for method, estimates in comparison.methods.items():
        cells = (str(estimates[metric]) for metric in metrics)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _write_csv(path: Path, comparison: Comparison) -> None:
    rows = comparison.table()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
