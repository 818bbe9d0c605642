"""What the command shows: tables and plain sentences on a terminal, or one JSON document."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from features.catalogue import feature_named

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from features.config import PipelineConfig
    from features.guess.guess import SourceGuess
    from features.ingest.report import IngestReport
    from features.leakage import ChangedFeature
    from serving.after_run import Followed
    from serving.batch import ScoreRun
    from serving.scoring import Score
    from training.backtests import BacktestRow
    from training.judging.comparison import Comparison, Estimate
    from training.judging.describe import Description
    from training.run import BacktestReport, TrainReport
    from training.uplift.ranking import UpliftVerdict

_SHOWN = 10
_JSON = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
_COLOURS = {"high": "red", "medium": "yellow", "low": "green"}
_CHURN_METRICS = {
    "auc": "AUC",
    "average_precision": "PR-AUC",
    "brier": "Brier",
    "ece": "ECE",
    "top_decile_lift": "lift 10 %",
}
_VALUE_METRICS = {
    "gini": "Gini",
    "spearman": "Spearman",
    "total_ratio": "total",
    "top_decile_capture": "top 10 %",
}
_BACKTEST_COLUMNS = {
    "base_rate": "churned",
    "auc": "AUC",
    "brier": "Brier",
    "ece": "ECE",
    "gini": "CLV Gini",
    "total_ratio": "CLV total",
    "coverage": "in interval",
    "coverage_top": "of top 10 %",
}


class Terminal:
    """Prints reports; with `json`, only the final document goes to standard output."""

    def __init__(self, *, json: bool = False) -> None:
        self._json = json
        self._out = Console(stderr=json, highlight=False, emoji=False)

    def say(self, sentence: str) -> None:
        """Print one sentence."""
        self._out.print(escape(sentence), soft_wrap=True)

    def step(self, title: str) -> None:
        """Print the title of a stage."""
        self._out.print(f"\n[bold cyan]{escape(title)}[/]")

    def table(
        self,
        title: str,
        headings: Sequence[str],
        rows: Iterable[Sequence[str]],
        numbers: Collection[int] | None = None,
    ) -> None:
        """Print rows under headings; numbers are at the places `numbers`, or all but the first."""
        numbers = range(1, len(headings)) if numbers is None else numbers
        table = _table(title)
        for place, heading in enumerate(headings):
            table.add_column(heading, justify="right" if place in numbers else "left")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self._out.print(table)

    def error(self, error: Exception, *, ours: bool) -> None:
        """Print a problem on standard error; one that is not `ours` to expect is a bug."""
        console = Console(stderr=True, highlight=False, emoji=False)
        if not ours:
            console.print("This is a bug in Setia; SETIA_DEBUG=1 shows where it happened.")
        console.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}", soft_wrap=True)

    def document(self, report: object) -> None:
        """With `--json`, print `report` as one JSON document."""
        if self._json:
            plain = orjson.dumps(report, default=_plain, option=_JSON)
            console = Console(highlight=False, emoji=False)
            console.print(plain.decode(), markup=False, soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[Callable[[str, int, int], None]]:
        """A callback (what, done, total) that keeps one line a stage, with its elapsed time."""
        columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
        with Progress(*columns, console=self._out) as bars:
            tasks: dict[str, Any] = {}

            def report(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    for finished in tasks.values():
                        bars.update(finished, completed=bars.tasks[finished].total)
                    tasks[what] = bars.add_task(escape(what), total=total)
                bars.update(tasks[what], completed=done, total=total)

            yield report
            for task in tasks.values():
                bars.update(task, completed=bars.tasks[task].total)

    def guesses(self, guesses: "Sequence[SourceGuess]") -> None:
        """Show how each file's columns were understood, and what needs the user's eye."""
        for guess in guesses:
            table = _table(f"{guess.table}: {guess.extent.rows:,} rows")
            for title in ("column", "from", "sure?", "why"):
                table.add_column(title)
            for row in guess.listing():
                table.add_row(*(escape(cell) for cell in row))
            self._out.print(table)
            for note in (*guess.problems, *guess.notes):
                self.say(f"  ! {note}")

    def ingested(self, report: "IngestReport") -> None:
        """Show each table's rows, rejects and span, then every problem with its advice."""
        table = _table("Sources against the data contract")
        for title in ("table", "rows", "accepted", "rejected", "set aside", "from", "to"):
            table.add_column(title, justify="left" if title == "table" else "right")
        for entry in report.tables:
            days = [f"{at:%Y-%m-%d}" if at else "" for at in (entry.first, entry.last)]
            rejected = f"{entry.rejected:,}"
            table.add_row(
                entry.table,
                f"{entry.rows_read:,}",
                f"{entry.accepted:,}",
                f"[red]{rejected}[/]" if entry.too_many else rejected,
                f"{sum(entry.set_aside.values()):,}",
                *days,
            )
        self._out.print(table)
        for entry in report.tables:
            for what, rows in (*entry.set_aside.items(), *entry.normalised.items()):
                self.say(f"  {entry.table}: {rows:,} row{'' if rows == 1 else 's'}: {what}")
        for problem in report.problems():
            self.say(f"  ! {problem}")

    def leakage(self, changed: "Sequence[ChangedFeature]", cutoffs: "Sequence[datetime]") -> None:
        """Show which features saw past a cutoff, or say that none did."""
        days = " and ".join(f"{cutoff:%Y-%m-%d}" for cutoff in cutoffs)
        if not changed:
            self.say(f"no leak: deleting everything after {days} changed no feature")
        for found in changed:
            self.say(
                f"  ! leak: {found.name} at {found.cutoff:%Y-%m-%d} changed for "
                f"{found.customers:,} customers (first: {found.customer_id!r}, {found.whole} "
                f"became {found.truncated}); declare when its column becomes known"
            )

    def evaluation(self, report: "TrainReport | BacktestReport", currency: str) -> None:
        """Show the models beside their baselines, with 95 % intervals and a verdict in words."""
        churn = report.churn
        title = f"Churn: {churn.rows:,} customers, {churn.base_rate:.1%} churned"
        self._comparison(title, churn.comparison, _CHURN_METRICS)
        self._sentences(churn.verdicts)
        if report.value:
            title = f"CLV: mean {currency} {report.value.mean_value:,.2f}"
            self._comparison(title, report.value.comparison, _VALUE_METRICS)
            covered = report.value.coverage
            self._sentences(
                (
                    *report.value.verdicts,
                    f"90 % intervals cover {covered.overall:.0%} of all customers, "
                    f"{covered.buyers:.0%} of those with value, "
                    f"{covered.top_decile:.0%} of the most valuable tenth as predicted",
                )
            )
        self._sentences(report.notes)

    def uplift(self, verdict: "UpliftVerdict") -> None:
        """Show how well each ranking finds those whom contact keeps, and whether one is used."""
        table = _table("Uplift: whom contact keeps")
        table.add_column("")
        table.add_column("Qini per 1,000", justify="right")
        for name, found in verdict.qini.items():
            table.add_row(escape(name), escape(_lines(found)))
        self._out.print(table)
        self._sentences([str(verdict)])

    def backtests(self, rows: "Sequence[BacktestRow]") -> None:
        """Show one line for each cutoff, then why some could not be judged."""
        table = _table("Backtests, oldest first")
        for heading in ("cutoff", "customers", *_BACKTEST_COLUMNS.values()):
            table.add_column(heading, justify="right")
        for row in (row for row in rows if not row.refusal):
            cells = [_figure(getattr(row, name)) for name in _BACKTEST_COLUMNS]
            cells[1] += f"\n[{_figure(row.auc_low)}, {_figure(row.auc_high)}]"
            table.add_row(str(row.cutoff), f"{row.customers:,}", *(escape(cell) for cell in cells))
        self._out.print(table)
        self._sentences([f"{row.cutoff} not judged: {row.refusal}" for row in rows if row.refusal])

    def trained(self, report: "TrainReport") -> None:
        """Say what became of the new models."""
        self.say(f"report and plots in {report.folder}")
        if report.promoted:
            self.say(f"promoted: champion is now version {report.promoted.manifest.version}")
        elif report.refusals:
            self.say("not to be promoted:")
            self._sentences(report.refusals)
        else:
            self.say("registered as challenger; `setia promote` makes it champion")

    def at_risk(self, run: "ScoreRun") -> None:
        """Show the head of the at-risk list and what stands behind it."""
        summary = run.summary
        if summary.generated:
            self._out.print("[bold yellow]Generated company: no customer below is real[/]")
        self.step("Whom to contact first: value at risk = churn probability x CLV")
        for rank, score in enumerate(run.scores[:_SHOWN], 1):
            self._customer(rank, score, summary.currency)
        tiers = ", ".join(f"{count:,} {tier}" for tier, count in summary.tiers.items())
        self.say(f"{summary.customers:,} customers scored: {tiers} risk")
        if summary.value_at_risk is not None and summary.top_decile_value_at_risk is not None:
            self.say(
                f"value at risk {summary.currency} {summary.value_at_risk:,.0f}, of which "
                f"{summary.currency} {summary.top_decile_value_at_risk:,.0f} in the first tenth "
                "of the list"
            )
        self.say(f"written to {run.folder}: scores.csv, scores.parquet, at_risk.csv")

    def followed(self, followed: "Followed") -> None:
        """Show whose risk the run changed, where it did."""
        if followed.at_risk or followed.recovered:
            self.say(
                f"since the last run {followed.at_risk:,} customers came into danger and "
                f"{followed.recovered:,} recovered"
            )
        if followed.rescored:
            self.say(f"{followed.rescored:,} customers have rows newer than the data; scored anew")

    def description(self, told: "Description", zone: "ZoneInfo") -> None:
        """Show one feature: its words, its spread and the churn of each part of it."""
        self.step(told.name)
        self.say(f"{told.meaning} ({told.meaning_id})")
        window = "all history" if told.window_days is None else f"{told.window_days} days"
        self.say(f"unit {told.unit}; looks back over {window}; respects {told.respects or '-'}")
        self.say(f"as a reason: {told.example} / {told.example_id}")
        day = f"{told.cutoff.astimezone(zone):%Y-%m-%d}"
        table = _table(f"{told.customers:,} customers at {day}, {told.missing:.1%} without a value")
        for heading in ("value", "customers", "churned"):
            table.add_column(heading, justify="right")
        for band in told.bands:
            table.add_row(escape(band.label), f"{band.customers:,}", f"{band.churned:.1%}")
        self._out.print(table)

    def _customer(self, rank: int, score: "Score", currency: str) -> None:
        worth = ""
        if score.clv is not None:
            at_risk = f"{currency} {score.value_at_risk:,.0f}"
            worth = f" x {currency} {score.clv:,.0f} = [bold]{at_risk}[/] at risk"
        customer, tier = escape(score.customer_id), _COLOURS[score.risk_tier]
        risk = f"[{tier}]{score.churn_probability:.0%} {score.risk_tier}[/]"
        self._out.print(f"{rank:>3}. [bold]{customer}[/]  {risk}{worth}", soft_wrap=True)
        for reason in score.reasons:
            self.say(f"       {reason.text}")
        if score.next_step:
            by = f" (by {score.act_by})" if score.act_by else ""
            self.say(f"       -> {score.next_step}{by}")

    def learned(self, report: "TrainReport", settings: "PipelineConfig") -> None:
        """Sum up a demo run."""
        self.step("What was learned")
        self._sentences(report.churn.verdicts)
        self.say("What the churn model looks at most:")
        self._sentences([feature_named(name).meaning for name in list(report.drivers)[:5]])
        self.say(f"compare runs: mlflow ui --backend-store-uri sqlite:///{_tracked(settings)}")

    def _comparison(self, title: str, comparison: "Comparison", metrics: dict[str, str]) -> None:
        table = _table(title)
        table.add_column("")
        for heading in metrics.values():
            table.add_column(heading, justify="right")
        for method, estimates in comparison.methods.items():
            cells = [escape(_lines(estimates[name])) for name in metrics]
            table.add_row(escape(method), *cells)
            table.add_section()
        self._out.print(table)

    def _sentences(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            self.say(f"  - {sentence}")


def _table(title: str) -> Table:
    return Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )


def _lines(estimate: "Estimate") -> str:
    """The figure, and under it its interval."""
    return "" if isnan(estimate.point) else str(estimate).replace(" [", "\n[", 1)


def _figure(value: float | None) -> str:
    return "" if value is None or isnan(value) else f"{value:.3f}"


def _tracked(settings: "PipelineConfig") -> str:
    return str(settings.workspace / "mlflow.db")


def _plain(value: object) -> object:
    """What orjson does not know: models become their version, rows their number, folders text."""
    manifest = getattr(value, "manifest", None)
    if manifest is not None:
        return manifest.version
    if hasattr(value, "__len__"):
        return len(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return str(value)
