"""`setia outreach`: decide whom to contact, deliver, see what became of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from commands.delivery import app as delivery_app
from commands.delivery import deliver_once
from commands.operations import operations_database
from commands.options import CONFIG, ConfigFile, Json
from commands.plan import show_plan
from commands.terminal import Terminal
from features.config import PipelineConfig, load_config

if TYPE_CHECKING:
    from serving.outreach.decide.plan_report import PlanReport

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Decide whom to contact, deliver the messages, and see what became of them.",
)
app.add_typer(delivery_app)


@app.command()
def plan(
    config: ConfigFile = CONFIG,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and write nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Decide on every scored customer: contact, by what and when, or not, and why.

    Decisions and messages are written together; `setia outreach send` then delivers them.
    """
    terminal = Terminal(json=json)
    settings = load_config(config)
    report = run_plan(settings, terminal, dry_run=dry_run)
    terminal.document(report)


@app.command()
def run(config: ConfigFile = CONFIG, json: Json = False) -> None:
    """Plan, then deliver once what is due: for cron and timers, as often as you like.

    Exits with 1 when an endpoint cannot be used as configured; the others are delivered to.
    """
    terminal = Terminal(json=json)
    settings = load_config(config)
    planned = run_plan(settings, terminal, dry_run=False)
    terminal.step("Delivery")
    states, problems = deliver_once(settings, terminal)
    terminal.document({"plan": planned, "endpoints": states, "problems": problems})
    if problems:
        raise typer.Exit(1)


@app.command()
def preview(
    customer_id: Annotated[
        str | None, typer.Argument(help="A scored customer; a made-up one unless given.")
    ] = None,
    step: Annotated[str, typer.Option(help="apology, check_in or win_back.")] = "win_back",
    channel: Annotated[
        str | None, typer.Option(help="email, messaging, phone …; unless given, all yours.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="en, id or one of your own; unless given, the customer's.")
    ] = None,
    config: ConfigFile = CONFIG,
    json: Json = False,
) -> None:
    """Show what a customer, or who calls them, would read. Nothing is decided, nothing sent."""
    from serving.outreach.decide.decisions import STEPS
    from serving.outreach.words.playbook import FORMS, playbook_of
    from serving.outreach.words.preview import preview_payloads

    settings = load_config(config)
    playbook = playbook_of(settings)
    _one_of("--step", step, STEPS.values())
    _one_of("--channel", channel, FORMS)
    _one_of("--language", language, playbook.languages)
    terminal = Terminal(json=json)
    shown = []
    for payload in preview_payloads(
        settings, customer_id, step, channel, language, datetime.now(UTC)
    ):
        words = playbook.words(payload)
        told = {name: payload[name] for name in ("customer_id", "channel", "step", "language")}
        terminal.step(", ".join(told.values()))
        if words.subject:
            terminal.say(f"Subject: {words.subject}\n")
        terminal.say(words.text)
        shown.append(told | words.parts())
    terminal.document(shown)


def _one_of(option: str, given: str | None, known: Iterable[str]) -> None:
    if given is not None and given not in known:
        raise typer.BadParameter(f"{option} {given} is none of {', '.join(known)}")


def run_plan(settings: PipelineConfig, terminal: Terminal, *, dry_run: bool) -> "PlanReport":
    """Plan as of now, write it unless it is a `dry_run`, and show it.

    A template that cannot be used stops the plan before anything is decided.
    """
    from serving.outreach.decide.basis import read_basis
    from serving.outreach.decide.plan_report import report_plan
    from serving.outreach.decide.planning import preview_plan, write_plan
    from serving.outreach.decide.support_list import write_support_list
    from serving.outreach.words.playbook import playbook_of
    from serving.served import load_served

    now = datetime.now(UTC)
    playbook_of(settings).check(settings.outreach.channels)
    basis = read_basis(settings, load_served(settings.workspace), now)
    make = preview_plan if dry_run else write_plan
    with operations_database(settings) as database:
        made = make(database, settings, basis, now)
    listed = None if dry_run else write_support_list(settings.workspace / "outreach", made)
    report = report_plan(made, settings)
    show_plan(report, settings, listed, terminal)
    return report
