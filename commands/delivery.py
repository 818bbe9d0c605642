"""`setia outreach send|work|status|dead|replay|enable`: deliver, see how it goes, mend it."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from commands.operations import operations_database
from commands.options import CONFIG, ConfigFile, Json
from commands.terminal import Terminal
from features.config import PipelineConfig, load_config

if TYPE_CHECKING:
    from serving.database import Database
    from serving.outreach.deliver.dead_letters import DeadLetter
    from serving.outreach.deliver.delivery import Worker
    from serving.outreach.deliver.endpoints import EndpointStatus
    from serving.outreach.message import Sender

app = typer.Typer()

_ACTOR = "command line"
_STATES = {
    "delivered": "delivered",
    "pending": "to be tried again",
    "dead": "given up",
    "expired": "past their time",
    "unknown": "of which nobody knows whether they arrived",
    "overtaken": "settled by another worker",
}

EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", metavar="NAME", help="Those of one endpoint.")
]
Since = Annotated[
    str | None, typer.Option(help="Given up at or after, as 2024-06-30 or 2024-06-30T14:00.")
]
Until = Annotated[str | None, typer.Option(help="Given up before.")]


class DeliveryError(RuntimeError):
    """Nothing can be delivered as configured; the message says what to change."""


@app.command()
def send(config: ConfigFile = CONFIG, json: Json = False) -> None:
    """Deliver every message that is due, once over, and say what became of them.

    Exits with 1 when an endpoint cannot be used as configured; the others are delivered to.
    """
    terminal = Terminal(json=json)
    settings = load_config(config)
    states, problems = deliver_once(settings, terminal)
    terminal.document({"endpoints": states, "problems": problems})
    if problems:
        raise typer.Exit(1)


@app.command()
def work(config: ConfigFile = CONFIG) -> None:
    """Deliver what becomes due until told to stop (Ctrl-C or SIGTERM).

    What is then on its way is finished and written down, within half a minute.
    """
    terminal = Terminal()
    settings = load_config(config)

    def told(endpoint: str, what: Counter[str] | Exception) -> None:
        said = f"! {what}" if isinstance(what, Exception) else _counted(what)
        terminal.say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {endpoint}: {said}")

    with _working(settings) as (worker, problems):
        _say(problems, terminal)
        if not worker.senders:
            raise DeliveryError("no endpoint can be delivered to; mend outreach.endpoints")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stopped.set())
        terminal.say(f"delivering to {', '.join(worker.senders)} (Ctrl-C stops)")
        worker.work(told)
        terminal.say("stopped; nothing is on its way")


@app.command()
def status(config: ConfigFile = CONFIG, json: Json = False) -> None:
    """Show what waits for each endpoint, what became of the rest, and whether it answers."""
    from serving.outreach.deliver.endpoints import endpoint_statuses

    terminal, now = Terminal(json=json), datetime.now(UTC)
    settings = load_config(config)
    with operations_database(settings) as database:
        known = endpoint_statuses(database, settings.outreach.endpoints, now)
    if not known:
        terminal.say("no endpoint is configured, and no message was ever written")
    for one in known:
        terminal.say(_status_line(one, now))
    _say(
        _unconfigured((one.name for one in known if one.states.get("pending")), settings), terminal
    )
    terminal.document([_status(one, now) for one in known])


@app.command()
def dead(
    config: ConfigFile = CONFIG,
    endpoint: EndpointOption = None,
    most: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    json: Json = False,
) -> None:
    """List the messages that were given up, or may have arrived and must not be sent twice."""
    from serving.outreach.deliver.dead_letters import Choice, dead_letters

    terminal = Terminal(json=json)
    with operations_database(load_config(config)) as database:
        letters = dead_letters(database, Choice(endpoint=endpoint), most)
    if not letters:
        terminal.say("no message was given up")
    _list(letters, terminal)
    terminal.document(letters)


@app.command()
def replay(
    config: ConfigFile = CONFIG,
    message_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="One message, as `dead` shows it.")
    ] = None,
    endpoint: EndpointOption = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show them.")] = False,
    json: Json = False,
) -> None:
    """Send messages again that were given up, under the ids that their receivers know.

    One that may have arrived is sent again only by --id.
    """
    from serving.outreach.deliver.dead_letters import Choice
    from serving.outreach.deliver.dead_letters import replay as send_again

    terminal = Terminal(json=json)
    settings = load_config(config)
    times = [_instant(one, settings.zone) for one in (since, until)]
    choice = Choice(message_id, endpoint, *times)
    with operations_database(settings) as database:
        found = send_again(database, choice, datetime.now(UTC), _ACTOR, dry_run=dry_run)
    _list(found.again, terminal)
    done = "would be sent" if dry_run else "will be sent"
    terminal.say(f"{_messages(len(found.again))} {done} again at the next delivery")
    _say(_unconfigured((one.endpoint for one in found.again), settings), terminal)
    if found.too_late:
        terminal.say(f"{_messages(len(found.too_late))} not sent again: too late for it")
    terminal.document({"again": found.again, "too_late": found.too_late, "dry_run": dry_run})


@app.command()
def enable(
    endpoint: Annotated[str, typer.Argument(help="Its name in outreach.endpoints.")],
    config: ConfigFile = CONFIG,
) -> None:
    """Deliver to an endpoint again at once, after a 410 disabled it or failures paused it."""
    from serving.outreach.deliver.endpoints import enable as open_again

    settings = load_config(config)
    with operations_database(settings) as database:
        names = settings.outreach.endpoints
        open_again(database, endpoint, names, datetime.now(UTC), _ACTOR)
    Terminal().say(f"{endpoint} is enabled; its messages go at the next delivery")


def deliver_once(
    settings: PipelineConfig, terminal: Terminal
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Deliver what is due and say so: states by endpoint, and what keeps endpoints from use."""
    with _working(settings) as (worker, problems):
        states = worker.deliver_due()
    for name, counted in states.items():
        terminal.say(f"{name}: {_counted(counted)}")
    given_up = [name for name, counted in states.items() if counted["dead"]]
    _say(_unconfigured(given_up, settings), terminal)
    _say(problems, terminal)
    if not settings.outreach.endpoints:
        raise DeliveryError("no endpoint is configured; outreach.endpoints says where to send")
    return states, problems


@contextmanager
def _working(settings: PipelineConfig) -> "Iterator[tuple[Worker, list[str]]]":
    """A worker with a sender for each endpoint that can be used, and why the others cannot."""
    from serving.outreach.deliver.boundary import LatestBoundary
    from serving.outreach.deliver.delivery import Worker

    with operations_database(settings) as database:
        senders, problems = _senders(settings, database)
        draws = random.Random()  # noqa: S311 - it moves retries apart, no more
        boundary = LatestBoundary(settings.outreach, settings.workspace)
        try:
            yield (
                Worker(
                    database,
                    senders,
                    settings.outreach.endpoints,
                    boundary.permissions,
                    lambda: datetime.now(UTC),
                    draws,
                ),
                problems,
            )
        finally:
            for sender in senders.values():
                sender.close()


def _senders(
    settings: PipelineConfig, database: "Database"
) -> "tuple[dict[str, Sender], list[str]]":
    from serving.outreach.deliver.senders import sender_for
    from serving.outreach.opt_out import made_key
    from serving.outreach.words.playbook import playbook_of

    key = made_key(database) if settings.outreach.public_url else None
    playbook = playbook_of(settings, key)
    senders: dict[str, Sender] = {}
    problems = []
    for name, endpoint in settings.outreach.endpoints.items():
        try:
            senders[name] = sender_for(name, endpoint, os.environ, database, playbook)
        except (ValueError, OSError) as error:
            problems.append(str(error))
    return senders, problems


def _instant(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2024-06-30T14:00") from None
    return given if given.tzinfo else given.replace(tzinfo=zone)


def _counted(states: Mapping[str, int]) -> str:
    told = [f"{states[state]:,} {words}" for state, words in _STATES.items() if states.get(state)]
    return ", ".join(told) or "nothing was due"


def _unconfigured(names: Iterable[str], settings: PipelineConfig) -> list[str]:
    """What becomes of messages to those of the endpoints that are configured no more."""
    return [
        f"{name} is not in outreach.endpoints: its messages wait a day and are then given up; once "
        f"it is back, `setia outreach replay --endpoint {name}` sends them"
        for name in sorted(set(names) - settings.outreach.endpoints.keys())
    ]


def _say(problems: Sequence[str], terminal: Terminal) -> None:
    for problem in problems:
        terminal.say(f"! {problem}")


def _status_line(one: "EndpointStatus", now: datetime) -> str:
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(one.states.items()))
    line = f"{one.name}: {one.standing(now)}; {counts or 'no messages'}"
    if one.oldest_due:
        waited = timedelta(seconds=round((now - one.oldest_due).total_seconds()))
        line += f"; the oldest has been due for {waited}"
    if one.circuit.failing_since:
        line += f"; failing since {one.circuit.failing_since:%Y-%m-%d %H:%M} UTC"
        line += f": {one.circuit.detail}"
    return line


def _status(one: "EndpointStatus", now: datetime) -> dict[str, Any]:
    states = {"pending": 0, "delivered": 0, "dead": 0, "unknown": 0} | one.states
    shown = {"endpoint": one.name, "standing": one.standing(now), "states": states}
    return shown | {"oldest_due": one.oldest_due, "circuit": asdict(one.circuit)}


def _list(letters: "Sequence[DeadLetter]", terminal: Terminal) -> None:
    for one in letters:
        terminal.say(
            f"{one.id}  {one.state:7}  {one.endpoint}  {one.type}  {one.customer_id}  "
            f"{one.ended_at:%Y-%m-%d %H:%M} UTC after {one.attempts}: {one.detail or '-'}"
        )


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"
