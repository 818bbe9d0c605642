"""How a plan of outreach looks on a terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

from commands.terminal import Terminal
from features.config import PipelineConfig

if TYPE_CHECKING:
    from serving.outreach.decide.plan_report import HoldoutSize, PlanReport


def show_plan(
    report: "PlanReport", settings: PipelineConfig, listed: Path | None, terminal: Terminal
) -> None:
    """Show a plan: first what the holdout can show, then who, why, the money and what bound."""
    if report.generated:
        terminal.say("Generated company: no customer below is real")
    terminal.step(f"Programme {report.programme!r}")
    terminal.say(_holdout_sentence(report.holdout))
    terminal.say(f"{report.assumption[0].upper()}{report.assumption[1:]}.")
    _contacts(report, settings, terminal)
    _money(report, terminal)
    _support(report, listed, terminal)
    for note in report.notes:
        terminal.say(f"  ! {note}")
    terminal.say(_next(report))


def _holdout_sentence(holdout: "HoldoutSize") -> str:
    kept = (
        f"{holdout.share:.0%} of customers, drawn once for all, are never contacted: "
        f"{holdout.held_out:,} of {holdout.customers:,}."
    )
    if holdout.smallest_effect is None:
        return f"{kept} They are too few to show any effect; raise outreach.holdout_share."
    return (
        f"{kept} With {holdout.planned:,} customers in the programme this shows a change of "
        f"churn (now {holdout.base_rate:.0%}) by {100 * holdout.smallest_effect:.1f} points or "
        "more, four times in five; a smaller one may stay unseen."
    )


def _contacts(report: "PlanReport", settings: PipelineConfig, terminal: Terminal) -> None:
    if not report.first:
        return
    terminal.step(f"The first {len(report.first)} of {report.contacts:,} contacts")
    for rank, one in enumerate(report.first, 1):
        opens = f"{one.opens.astimezone(settings.zone):%a %H:%M}"
        gain = "unknown" if one.expected_gain is None else f"{one.expected_gain:,.0f}"
        terminal.say(
            f"{rank:>3}. {one.customer_id}  {one.step.replace('_', '-')} by {one.channel} from "
            f"{opens}: {one.churn_probability:.0%} of {report.currency} {one.value:,.0f}, "
            f"expected gain {gain}"
        )
        terminal.say(f"       {one.why}")


def _money(report: "PlanReport", terminal: Terminal) -> None:
    seen = (
        (one.words, f"{one.customers:,}", f"{one.expected_gain:,.0f}" if one.expected_gain else "")
        for one in report.reasons
    )
    title = f"{report.considered:,} customers considered"
    terminal.table(title, ("", "customers", f"gain, {report.currency}"), seen, numbers=(1, 2))
    used = ", ".join(f"{one.name} {one.contacts:,} of {one.room:,}" for one in report.channels)
    terminal.say(
        f"{report.contacts:,} contacts cost {report.currency} {report.cost:,.0f} of "
        f"{report.budget_left:,.0f} left today and are expected to bring "
        f"{report.currency} {report.expected_gain:,.0f} beyond that; {used}"
    )


def _support(report: "PlanReport", listed: Path | None, terminal: Terminal) -> None:
    for one in report.incidents:
        terminal.say(
            f"  ! incident: {one.tickets:,} tickets on {one.category!r} in the day to "
            f"{one.ended_at:%Y-%m-%d %H:%M} UTC, where {one.usual:.1f} are usual; the "
            f"{one.customers:,} affected are owed an apology first"
        )
    if report.for_support:
        where = f", with a note each, in {listed}" if listed else ""
        terminal.say(f"{report.for_support:,} customers are for support, not for us{where}")


def _next(report: "PlanReport") -> str:
    if report.run is None:
        return "dry run: nothing was written; without --dry-run this is decided and queued"
    return f"written as {report.run}; `setia outreach send` delivers what is queued"
