"""`setia outreach`: decide whom to contact, deliver, see what became of it."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Decide whom to contact, deliver the messages, and see what became of them.",
)
