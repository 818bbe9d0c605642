"""`setia outreach`: decide whom to contact, deliver, see what became of it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from features.config import PipelineConfig, load_config
from setia_options import CONFIG, ConfigFile, Json
from setia_plan import show_plan
from setia_terminal import Terminal

if TYPE_CHECKING:
    from serving.outreach.plan_report import PlanReport

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Decide whom to contact, deliver the messages, and see what became of them.",
)


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


def run_plan(settings: PipelineConfig, terminal: Terminal, *, dry_run: bool) -> "PlanReport":
    """Plan as of now, write it unless it is a `dry_run`, and show it."""
    from serving.database import Database
    from serving.outreach.basis import read_basis
    from serving.outreach.plan_report import report_plan
    from serving.outreach.planning import preview_plan, write_plan
    from serving.outreach.support_list import write_support_list

    now = datetime.now(UTC)
    basis = read_basis(settings, now)
    database = Database(settings.workspace, settings.operations_url)
    made = (preview_plan if dry_run else write_plan)(database, settings, basis, now)
    listed = None if dry_run else write_support_list(settings.workspace / "outreach", made)
    report = report_plan(made, settings)
    show_plan(report, settings, listed, terminal)
    return report
