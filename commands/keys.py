"""`setia keys`: make, list, rotate and revoke the keys of the prediction API."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.operations import operations_database
from commands.options import CONFIG, ConfigFile, Json
from commands.terminal import Terminal
from features.config import load_config

if TYPE_CHECKING:
    from serving.keys import ApiKey

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The keys that open the prediction API."
)

Lifetime = Annotated[int, typer.Option("--days", min=1, max=3650, help="Days until it expires.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id that `setia keys list` shows.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will hold it, such as crm-nightly.")],
    scope: Annotated[
        list[str], typer.Option(help="score, list, outreach or admin; repeat for several.")
    ],
    config: ConfigFile = CONFIG,
    days: Lifetime = 365,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests it may make a minute.")] = 6_000,
    json: Json = False,
) -> None:
    """Make a key and show it once; only its hash is kept.

    From the first key on, every request needs one, within two seconds.
    """
    from serving.keys import SCOPES, create_key

    wrong = [given for given in scope if given not in SCOPES]
    if wrong:
        raise typer.BadParameter(f"unknown scope {wrong[0]!r}; choose from {', '.join(SCOPES)}")
    if not 0 < len(name) <= 100:
        raise typer.BadParameter("a name has 1 to 100 characters")
    now = datetime.now(UTC)
    chosen = [known for known in SCOPES if known in scope]
    expires_at = now + timedelta(days=days)
    with operations_database(load_config(config)) as database:
        token, key = create_key(database, name, chosen, per_minute, expires_at, now)
    _show_once(token, key, now, Terminal(json=json))


@app.command("list")
def list_command(config: ConfigFile = CONFIG, json: Json = False) -> None:
    """Show every key ever made: its holder, scopes, state, and when it was last used."""
    from serving.keys import list_keys

    terminal, now = Terminal(json=json), datetime.now(UTC)
    with operations_database(load_config(config)) as database:
        keys = list_keys(database) if database.exists else []
    if not keys:
        terminal.say("no key exists; requests over this machine's loopback are answered without")
    for key in keys:
        used = f"last used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        terminal.say(
            f"{key.id}  {key.state(now):8}  {key.name}  {'+'.join(sorted(key.scopes))}  "
            f"{key.requests_per_minute}/min  expires {key.expires_at:%Y-%m-%d}  {used}"
        )
    terminal.document([_shown(key, now) for key in keys])


@app.command()
def rotate(
    key_id: KeyId,
    config: ConfigFile = CONFIG,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=24 * 90, help="So long the old key still holds.")
    ] = 24.0,
    days: Lifetime = 365,
    json: Json = False,
) -> None:
    """Make a key with the same rights and show it once; the old one ends after the overlap."""
    from serving.keys import rotate_key

    now, terminal = datetime.now(UTC), Terminal(json=json)
    overlap = timedelta(hours=overlap_hours)
    with operations_database(load_config(config)) as database:
        token, key = rotate_key(database, key_id, overlap, timedelta(days=days), now)
    terminal.say(f"key {key_id} ends at {now + overlap:%Y-%m-%d %H:%M} UTC at the latest")
    _show_once(token, key, now, terminal)


@app.command()
def revoke(key_id: KeyId, config: ConfigFile = CONFIG) -> None:
    """End a key, within two seconds in every running service."""
    from serving.keys import revoke_key

    with operations_database(load_config(config)) as database:
        revoke_key(database, key_id, datetime.now(UTC))
    Terminal().say(f"key {key_id} is revoked; keys stay required")


def _show_once(token: str, key: "ApiKey", now: datetime, terminal: Terminal) -> None:
    terminal.say(f"key {key.id} for {key.name}: {', '.join(sorted(key.scopes))}; keep it now:")
    terminal.say(token)
    terminal.document({"key": token, **_shown(key, now)})


def _shown(key: "ApiKey", now: datetime) -> dict[str, Any]:
    hidden = {"digest"}
    fields = {name: value for name, value in vars(key).items() if name not in hidden}
    return {**fields, "scopes": sorted(key.scopes), "state": key.state(now)}
