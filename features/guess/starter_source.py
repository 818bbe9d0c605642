"""One source of the starter configuration as YAML lines: where, how it is written, what maps."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from features.contracts import TABLES
from features.guess.guess import SourceGuess

_PLAIN = re.compile(r"[A-Za-z_/][\w /.*+%-]*(?<! )")
_VARIABLE_PATH = re.compile(r"\$\{\w+\}[\w/.-]*")
_YAML_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))
_OUTCOMES = frozenset(("churn", "churned", "churn_flag", "is_churn", "exited", "attrition"))
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")

_HINTS = {
    "margin": "what a line contributes; lets clv.value be margin",
    "refunded_at": "when money went back, with refund_amount",
    "refund_amount": "how much went back, with refunded_at",
    "order_id": "joins lines into orders",
    "product_id": "adds variety of products",
    "category": "adds variety of categories",
    "channel": "adds the mix of channels",
    "first_response_at": "adds the wait for a first answer",
    "resolved_at": "adds resolution time and open tickets",
    "reopened_at": "adds reopenings",
    "escalated_at": "adds escalations",
    "text": "adds the tone of what customers write",
    "ended_at": "needed for churn as the end of a subscription",
    "end_reason": "tells failed payments from decisions to leave",
    "email_consent": "outreach by e-mail needs it",
    "sms_consent": "outreach by SMS needs it",
    "signed_up_at": "adds tenure",
}


def source_lines(guess: SourceGuess, folder: Path, *, attributes: bool) -> list[str]:
    """The section of one source, unindented; `attributes` says whether to take them up."""
    extent = guess.extent
    span = f", {extent.first:%Y-%m-%d} to {extent.last:%Y-%m-%d}" if extent.first else ""
    body = [
        *_location(guess, folder),
        *_settings(guess),
        "columns:",
        *indented(_columns(guess), 2),
        *_constants(guess),
        *_trail(guess),
        *_attributes(guess, active=attributes),
        *_exclude(guess),
        *(f"# Check: {_one_line(note)}." for note in guess.notes),
    ]
    unused = [name for name in guess.unused if name not in guess.attributes]
    if unused:
        body.append(f"# Not used: {_one_line(', '.join(unused))}")
    return [f"{guess.table}:  # {extent.rows:,} rows{span}", *indented(body, 2)]


def is_outcome(header: str) -> bool:
    """Whether a column's name says that it holds the outcome: who churned."""
    return header.strip().lower().replace(" ", "_") in _OUTCOMES


def scalar(text: str) -> str:
    """`text` as a YAML scalar, quoted when YAML would otherwise read something else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    if plain or _VARIABLE_PATH.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def indented(lines: Iterable[str], spaces: int) -> list[str]:
    """The lines, moved right."""
    return [" " * spaces + line for line in lines]


def _location(guess: SourceGuess, folder: Path) -> list[str]:
    source = guess.source
    if source.url is None:
        return [f"path: {scalar(_relative(str(source.path), folder))}"]
    url = scalar(source.url)
    if _PASSWORD.search(source.url):
        url = f"${{SETIA_{guess.table.upper()}_URL}}  # it holds a password: export it instead"
    return [f"url: {url}", f"table: {scalar(str(source.table))}"]


def _relative(path: str, folder: Path) -> str:
    inside = os.path.relpath(path, folder.absolute())
    return path if inside.startswith("..") else Path(inside).as_posix()


def _settings(guess: SourceGuess) -> list[str]:
    source, extent = guess.source, guess.extent
    lines = []
    if source.delimiter:
        lines.append(f"delimiter: {json.dumps(source.delimiter)}")
    if source.encoding:
        lines.append(f"encoding: {source.encoding}")
    if source.decimal == ",":
        lines.append('decimal: ","  # so 1.500,25 is fifteen hundred and a quarter')
    if source.date_format:
        lines.append(f"date_format: {json.dumps(source.date_format)}")
    if source.guests:
        share = extent.without_customer / extent.rows
        lines.append(
            f"guests: true  # {share:.1%} of the rows have no customer; set aside, counted"
        )
    return lines


def _columns(guess: SourceGuess) -> list[str]:
    lines = [
        f"{found.canonical}: {scalar(found.source)}  # {found.confidence}: {_one_line(found.why)}"
        for found in guess.columns
    ]
    required = TABLES[guess.table].required
    for name in guess.missing:
        if name in required:
            lines.append(f"{name}: CHOOSE_A_COLUMN  # required, and no column looks like it")
        else:
            lines.append(f"# {name}:" + (f"  # {_HINTS[name]}" if name in _HINTS else ""))
    return lines


def _constants(guess: SourceGuess) -> list[str]:
    if not guess.source.constants:
        return []
    given = ", ".join(f"{name}: {scalar(text)}" for name, text in guess.source.constants.items())
    return [f"constants: {{{given}}}  # the same for every row, as no column says: check"]


def _trail(guess: SourceGuess) -> list[str]:
    trail = guess.source.trail
    if trail is None:
        return []
    numbered = [f"  sequence: {scalar(trail.sequence)}"] if trail.sequence else []
    return [
        "trail:  # the ids repeat: every row is a change, and what the ticket was after it",
        f"  changed_at: {scalar(trail.changed_at)}",
        *numbered,
        f"  status: {scalar(trail.status)}",
        f"  waiting: {_listed(trail.waiting)}  # nobody has answered yet: check",
        f"  resolved: {_listed(trail.resolved)}  # leaving these is a reopening: check",
        "  # escalated: []  # any other status means that somebody is at work",
    ]


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(map(scalar, values))}]"


def _attributes(guess: SourceGuess, *, active: bool) -> list[str]:
    if not guess.attributes:
        return []
    lines = ["attributes:"]
    for name, kind in guess.attributes.items():
        told = "  # the outcome itself" if is_outcome(name) else ""
        lines.append(f"  {scalar(name)}: {kind}{told}")
    if active:
        return ["# Take out what was written down because a customer left.", *lines]
    return [
        "# Further facts, to be taken as fixed in time: uncomment those that were already true",
        "# when the customer joined. One that is kept up to date would tell the future.",
        *(f"# {line}" for line in lines),
    ]


def _exclude(guess: SourceGuess) -> list[str]:
    product = guess.column("product_id")
    if product is None or not guess.odd_products:
        return []
    listed = ", ".join(scalar(name) for name in guess.odd_products)
    return [
        "# These ids are unlike the others. Uncomment to set aside those that are no goods.",
        "# exclude:",
        f"#   {scalar(product.source)}: [{listed}]",
    ]


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
