"""The `setia` command: composes features, training and serving, and prints what came out."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.keys import app as keys_app
from commands.options import CONFIG, ConfigFile, Json
from commands.outcomes import app as outcomes_app
from commands.outcomes import forget
from commands.outreach import app as outreach_app
from commands.steps import (
    become_server,
    prove_no_leak,
    run_backtest,
    run_backtests,
    run_description,
    run_features,
    run_ingest,
    run_scoring,
    run_training,
    with_trials,
)
from commands.terminal import Terminal
from features.config import PipelineConfig, load_config
from features.windows import cutoff_from

if TYPE_CHECKING:
    pass

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Who is likely to leave, what they are worth, why, and whom to contact first. "
    "`setia demo` shows the whole loop on a generated company; `setia init --orders FILE` "
    "starts with your own.",
)

app.add_typer(keys_app, name="keys")
app.add_typer(outreach_app, name="outreach")
app.add_typer(outcomes_app, name="outcomes")

CutoffDay = Annotated[
    str | None,
    typer.Option(help="Stand at the start of this day, as 2024-06-30. Default: today's data."),
]


def main() -> None:
    """Run the command. A problem the user can mend is one message and exit code 1."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    # OpenMP's spinning made two threads slower than one on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except Exception as error:
        if os.environ.get("SETIA_DEBUG"):
            raise
        Terminal().error(error, ours=isinstance(error, ValueError | RuntimeError | OSError))
        sys.exit(1)


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where to write pipeline.yaml.", file_okay=False)
    ] = Path(),
    orders: Annotated[str | None, typer.Option(help="File, or URL#TABLE of a database.")] = None,
    customers: Annotated[str | None, typer.Option()] = None,
    events: Annotated[str | None, typer.Option()] = None,
    subscriptions: Annotated[str | None, typer.Option()] = None,
    tickets: Annotated[str | None, typer.Option()] = None,
    surveys: Annotated[str | None, typer.Option()] = None,
    contacts: Annotated[str | None, typer.Option()] = None,
    force: Annotated[bool, typer.Option(help="Overwrite an existing pipeline.yaml.")] = False,
) -> None:
    """Write a commented pipeline.yaml from your files, saying what was guessed and how sure.

    Give each file by its table: `setia init --orders sales.csv --tickets helpdesk.csv`.
    Exits with 1 when a file lacks a required column that you have to choose.
    """
    from features.guess.guess import guess_source
    from features.guess.starter import starter_config

    terminal = Terminal()
    given = {
        "customers": customers,
        "orders": orders,
        "events": events,
        "subscriptions": subscriptions,
        "tickets": tickets,
        "surveys": surveys,
        "contacts": contacts,
    }
    files = [(table, path) for table, path in given.items() if path]
    if not files:
        raise typer.BadParameter("name at least one file, such as --orders sales.csv")
    target = folder / "pipeline.yaml"
    if target.exists() and not force:
        raise typer.BadParameter(f"{target} exists; add --force to overwrite it")
    guesses = [guess_source(table, path) for table, path in files]  # type: ignore[arg-type]
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name
    target.write_text(starter_config(name, guesses, folder), encoding="utf-8")
    terminal.guesses(guesses)
    lacking = [guess.table for guess in guesses if guess.problems]
    task = f"choose the columns of {', '.join(lacking)} in it" if lacking else "read its comments"
    terminal.say(f"wrote {target}; {task}, then run `setia check -c {target}`")
    if lacking:
        raise typer.Exit(1)


@app.command()
def check(
    config: ConfigFile = CONFIG,
    leakage: Annotated[
        bool, typer.Option(help="Also prove that nothing after a cutoff changes a feature.")
    ] = False,
    json: Json = False,
) -> None:
    """Read every source against the contract: rows, rejects by reason, spans, what to mend.

    Accepted rows become the snapshot that features, training and scoring use.
    """
    terminal = Terminal(json=json)
    settings = load_config(config)
    report = run_ingest(settings, terminal)
    sound = not leakage or prove_no_leak(settings, terminal)
    terminal.document(report)
    if not sound:
        raise typer.Exit(1)


@app.command("features")
def features_command(
    config: ConfigFile = CONFIG,
    cutoff: CutoffDay = None,
    out: Annotated[Path | None, typer.Option(help="Write the table (.csv or .parquet).")] = None,
    catalogue: Annotated[
        bool, typer.Option(help="Print the catalogue of all features as Markdown and stop.")
    ] = False,
    describe: Annotated[
        str | None, typer.Option(metavar="NAME", help="Describe one feature in your data.")
    ] = None,
) -> None:
    """Compute the feature table at a cutoff: one row per eligible customer.

    With --describe NAME, say instead what one feature means and how it goes with churn.
    """
    if catalogue:
        from features.catalogue_page import catalogue_page

        sys.stdout.write(catalogue_page())
        return
    settings = load_config(config)
    if describe:
        run_description(settings, describe)
        return
    run_features(settings, _cutoff(settings, cutoff), out, Terminal())


@app.command()
def train(
    config: ConfigFile = CONFIG,
    promote: Annotated[
        bool, typer.Option(help="Serve the new models if the gate finds nothing against them.")
    ] = False,
    tune: Annotated[
        int | None,
        typer.Option(min=1, metavar="TRIALS", help="First search for better boosting settings."),
    ] = None,
    json: Json = False,
) -> None:
    """Train churn and CLV on past cutoffs, judge them on a later one, track them in MLflow."""
    terminal = Terminal(json=json)
    settings = load_config(config)
    report = run_training(with_trials(settings, tune) if tune else settings, promote, terminal)
    terminal.document(report)
    if promote and report.refusals:
        raise typer.Exit(1)


@app.command()
def backtest(
    cutoff: Annotated[str, typer.Option(help="Train before this day, predict at it, judge after.")],
    out: Annotated[Path, typer.Option(help="Folder for predictions.csv, report.md and plots.")],
    config: ConfigFile = CONFIG,
    times: Annotated[int, typer.Option(min=1, help="How many cutoffs, going back.")] = 1,
    every: Annotated[int, typer.Option(min=1, metavar="DAYS", help="Between them.")] = 30,
    json: Json = False,
) -> None:
    """Stand at a past day: train before it, predict at it, and judge by what happened after.

    With --times 6, do so at that day and at five before it, --every so many days; a cutoff that
    cannot be judged is shown with the reason. backtests.csv and backtests.png show the drift.
    """
    terminal = Terminal(json=json)
    settings = load_config(config)
    at = cutoff_from(cutoff, settings.zone)
    if times == 1:
        report: object = run_backtest(settings, at, out, terminal)
        terminal.say(f"predictions and report in {out}")
    else:
        report = run_backtests(settings, at, times, every, out, terminal)
    terminal.document(report)


@app.command()
def promote(config: ConfigFile = CONFIG) -> None:
    """Make the challenger the champion and export the bundle that is served."""
    from training.registry import promote as promote_challenger

    settings = load_config(config)
    bundle = promote_challenger(settings)
    Terminal().say(
        f"champion is now version {bundle.manifest.version}; run `setia score` to use it"
    )


@app.command()
def rollback(config: ConfigFile = CONFIG) -> None:
    """Make the previous champion the champion again."""
    from training.registry import rollback as previous_champion

    bundle = previous_champion(load_config(config))
    Terminal().say(
        f"champion is again version {bundle.manifest.version}; run `setia score` to use it"
    )


@app.command()
def score(
    config: ConfigFile = CONFIG,
    cutoff: CutoffDay = None,
    out: Annotated[Path | None, typer.Option(help="Also copy the score file here.")] = None,
    json: Json = False,
) -> None:
    """Score every eligible customer with the champion; write scores and the at-risk list."""
    terminal = Terminal(json=json)
    settings = load_config(config)
    run = run_scoring(settings, _cutoff(settings, cutoff), terminal)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes((run.folder / "scores.csv").read_bytes())
    terminal.document(run.summary)


@app.command()
def serve(
    config: ConfigFile = CONFIG,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = None,
) -> None:
    """Serve scores, reasons and the at-risk list over HTTP with BentoML, until stopped."""
    become_server(load_config(config), port)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where to put the company.")] = Path("demo"),
    customers: Annotated[int, typer.Option(min=500, help="How many to generate.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 7,
    serve: Annotated[bool, typer.Option(help="Serve when done.")] = True,
) -> None:
    """Run the whole loop on a generated company: check, features, train, score, serve."""
    from features.company.generate import generate_company

    terminal = Terminal()
    terminal.step("Generating a company (nothing in it is real)")
    company = generate_company(folder, customers=customers, seed=seed)
    settings = load_config(company.config)
    terminal.step("Checking its files against the data contract")
    run_ingest(settings, terminal)
    terminal.step("Computing what is known of each customer today")
    run_features(settings, None, None, terminal)
    terminal.step("Training churn and CLV on past cutoffs, judging on a later one")
    report = run_training(settings, True, terminal)
    if not report.promoted:
        raise typer.Exit(1)
    terminal.step("Scoring every eligible customer")
    run_scoring(settings, None, terminal)
    terminal.learned(report, settings)
    if serve:
        terminal.step("Serving")
        become_server(settings, None)
    else:
        setia = ".venv/bin/setia"
        terminal.say(f"to see whom to contact: {setia} outreach plan --dry-run -c {company.config}")
        terminal.say(f"to serve: {setia} serve -c {company.config}")


app.command()(forget)


def _cutoff(settings: PipelineConfig, day: str | None) -> datetime | None:
    return cutoff_from(day, settings.zone) if day else None


if __name__ == "__main__":
    main()
