"""`setia outcomes`: take in what became of customers, and say what contact changed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.operations import operations_database
from commands.options import CONFIG, ConfigFile, Json
from commands.terminal import Terminal
from features.config import PipelineConfig, load_config
from serving.outreach.prove.effect import ODD_RATIO

if TYPE_CHECKING:
    from serving.database import Database
    from serving.outreach.prove.derived import Derived
    from serving.outreach.prove.effect_shapes import EffectReport

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, headings, rows."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What became of the customers, and what contact changed.",
)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: customer_id, kind, occurred_at, …")],
    config: ConfigFile = CONFIG,
    json: Json = False,
) -> None:
    """Take in outcomes: purchase, stayed, left, replied, unsubscribed, complained, bounced.

    A row that was taken in before counts once; one that cannot be true is kept apart with its
    reason. Whoever unsubscribed, complained or bounced is contacted no more.
    """
    from serving.outreach.prove.outcome_files import import_outcomes

    terminal, settings = Terminal(json=json), load_config(config)
    workspace, now = settings.workspace, datetime.now(UTC)
    with operations_database(settings) as database:
        found = import_outcomes(database, file, workspace, settings.currency, now)
    terminal.say(f"{found.kept:,} kept, {found.duplicates:,} known already")
    for reason, rows in found.refused.items():
        terminal.say(f"{rows:,} refused: {reason}")
    if found.rejects:
        terminal.say(f"each refused row is in {found.rejects} with its reason")
    terminal.document(found)
    if found.rejects and not found.kept + found.duplicates:
        raise typer.Exit(1)


@app.command()
def report(
    config: ConfigFile = CONFIG,
    plot: Annotated[Path | None, typer.Option(help="Draw the effect over time as PNG.")] = None,
    json: Json = False,
) -> None:
    """Say what contact changed, how sure that is, and what is still to come.

    First reads from the data of the last `setia check` who stayed. Run it every night: look at it
    as often as you like, and keep it for `GET /v1/outreach/effect`.
    """
    from serving.outreach.prove.effect_plot import plot_effect
    from serving.outreach.prove.effect_report import report_effect, write_report

    terminal, settings = Terminal(json=json), load_config(config)
    now = datetime.now(UTC)
    with operations_database(settings) as database:
        derived = _derive(settings, database, now, terminal)
        until = derived.watermark if derived else now
        with database.reading() as connection:
            found = report_effect(connection, settings, until, now)
    write_report(settings.workspace, found)
    _show(found, terminal)
    if plot:
        plot_effect(found, plot)
        terminal.say(f"the effect over time is drawn in {plot}")
    terminal.document(found.model_dump(mode="json"))


def forget(
    customer_id: Annotated[str, typer.Argument(help="The id as your sources have it.")],
    config: ConfigFile = CONFIG,
    json: Json = False,
) -> None:
    """Erase a person for good: nothing is shown of them or sent to them again.

    Of the id only a keyed hash stays. The receipt says what was erased where, and what is left
    to you. Known or not, the person is never scored or contacted from now on.
    """
    from serving.erasure import erase_customer

    terminal, settings = Terminal(json=json), load_config(config)
    now = datetime.now(UTC)
    with operations_database(settings) as database:
        receipt = erase_customer(database, settings.workspace, customer_id, "command", now)
    if receipt.erased_before:
        terminal.say(
            f"this person was erased before, at {receipt.erased_before:%Y-%m-%d %H:%M} UTC"
        )
    for table, rows in receipt.rows.items():
        terminal.say(f"{table}: {rows:,} rows erased or cleared")
    for file, said in receipt.files.items():
        terminal.say(f"{file}: {said}")
    for endpoint, messages in receipt.sent_to.items():
        terminal.say(
            f"{endpoint} was given {messages:,} messages about them: ask for erasure there"
        )
    terminal.say("left to you:")
    for task in receipt.to_do:
        terminal.say(f"  - {task}")
    terminal.document(receipt)


def _show(found: "EffectReport", terminal: Terminal) -> None:
    """The report in words and tables."""
    if found.generated:
        terminal.say("Generated company: no customer below is real")
    terminal.say(found.sentence)
    terminal.say(
        f"measured {found.measured.contact:,} contacted and {found.measured.holdout:,} held out "
        f"of {found.assigned.contact:,} and {found.assigned.holdout:,} assigned; data until "
        f"{found.data_until:%Y-%m-%d}"
    )
    if found.smallest_detectable is not None:
        terminal.say(
            f"so many can show a change of {1_000 * found.smallest_detectable:.0f} of 1,000 or more"
        )
    waiting = found.waiting
    if waiting.next_at and waiting.last_at:
        customers = waiting.customers.contact + waiting.customers.holdout
        terminal.say(
            f"{customers:,} more are not matured: the next when the data reaches "
            f"{waiting.next_at:%Y-%m-%d}, the last {waiting.last_at:%Y-%m-%d}"
        )
    _warn(found, terminal)
    if found.ledger:
        terminal.table(*_ledger(found))
    if found.slices:
        terminal.table(*_slices(found))
        terminal.say("the intervals of all groups hold together, so each is wider than the whole's")


def _warn(found: "EffectReport", terminal: Terminal) -> None:
    if found.contacts_of_held_out:
        terminal.say(f"! {found.contacts_of_held_out:,} messages were made for held-out customers")
    if found.assigned_ratio_p_value < ODD_RATIO:
        terminal.say("! the arms as assigned are not of the sizes they were drawn with")
    missing = found.unknown.contact + found.unknown.holdout
    if missing:
        terminal.say(f"! of {missing:,} matured customers nobody knows what became")


def _ledger(found: "EffectReport") -> Table:
    """What outreach had changed by the end of each month."""
    headings = ("until", "contacted", "held out", "kept", "95 %", "value", "95 %", "cost")
    rows = [
        (
            one.period,
            f"{one.customers.contact:,}",
            f"{one.customers.holdout:,}",
            f"{one.kept:,.0f}",
            _span(one.kept_low, one.kept_high, 1),
            "" if one.value_kept is None else f"{one.value_kept:,.0f}",
            _span(one.value_low, one.value_high, 1),
            f"{one.cost:,.0f}",
        )
        for one in found.ledger
    ]
    return f"What outreach really changed, in customers and {found.currency}", headings, rows


def _slices(found: "EffectReport") -> Table:
    """The difference in retention in each group."""
    headings = ("group", "contacted", "held out", "kept of 1,000", "95 %")
    rows = [
        (
            f"{one.by} {one.name}",
            f"{one.customers.contact:,}",
            f"{one.customers.holdout:,}",
            f"{1_000 * one.retention.difference:,.0f}",
            _span(one.retention.low, one.retention.high, 1_000),
        )
        for one in found.slices
    ]
    return "Where", headings, rows


def _span(low: float | None, high: float | None, times: int) -> str:
    if low is None or high is None:
        return "unknown"
    return f"{times * low:,.0f} to {times * high:,.0f}"


def _derive(
    settings: PipelineConfig, database: "Database", now: datetime, terminal: Terminal
) -> "Derived | None":
    """What the data shows of the customers in the arms; None where it cannot show it."""
    from features.snapshot import SnapshotError, open_snapshot
    from serving.outreach.prove.derived import NotDerivable, derive_outcomes

    try:
        snapshot = open_snapshot(settings.workspace / "snapshots")
        with database.writing() as connection:
            return derive_outcomes(connection, snapshot, settings, now)
    except (NotDerivable, SnapshotError) as error:
        terminal.say(f"only outcomes that were imported count: {error}")
        return None
