"""What a CRM is told of a customer: which fields, and of these only the ones that changed."""

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Protocol

import httpx
from sqlalchemy import func, select

from serving.database import Database
from serving.outreach.deliver.addresses import ForbiddenAddress
from serving.outreach.deliver.connecting import checked_client
from serving.outreach.deliver.webhooks import retry_after_seconds
from serving.outreach.message import Message, Receipt
from serving.outreach.records import MESSAGES
from serving.outreach.words.playbook import Playbook, PlaybookError

Value = str | float | None
Fields = dict[str, Value]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "churn_risk": ("churn_probability",),
    "churn_risk_band": ("risk_tier",),
    "clv": ("clv",),
    "value_at_risk": ("value_at_risk",),
    "currency": ("currency",),
    "top_reasons": ("reasons",),
    "recommended_action": ("next_step",),
    "outreach_step": ("step",),
    "outreach_channel": ("channel",),
    "outreach_decision": ("decision_id",),
    "outreach_before": ("not_after",),
    "score_as_of": ("score_as_of", "at"),
    "model_version": ("model_version",),
}
"""A CRM's fields, without prefix, and where in a payload each is found; never the arm.

`outreach_decision` is another for each contact, so that a workflow in the CRM can start by it.
"""
WORDS = ("outreach_subject", "outreach_text")
"""Fields with the playbook's words, so that a CRM needs no template of its own."""
STAMPS = ("score_as_of", "model_version")
"""Go along whenever anything goes: without them nobody can tell stale from fresh."""

_SECONDS = 30.0
NOT_REACHED = (httpx.HTTPError, ForbiddenAddress)
"""What a call may end in without an answer; an upsert can then be made again."""

_NEVER = object()
_UNCHANGED = Receipt("delivered", "nothing changed, nothing sent")
_ROUNDING = {"churn_risk": 4, "clv": 2, "value_at_risk": 2}
"""Decimals; what changes behind them is no change."""


@dataclass(frozen=True, slots=True)
class Last:
    """What an endpoint was last told of a customer."""

    sequence: int
    payload: Mapping[str, Any]


LastTold = Callable[[Iterable[str]], Mapping[str, Last]]
"""Customer ids to what the endpoint was last told of each of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One customer in a call, for all their messages in it."""

    customer_id: str
    trace: str
    """Id of the newest message."""
    sent: Fields
    """What is sent; empty where nothing changed."""
    every: Fields
    """All that is known, for a record that turns out to be new."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the CRM made of a row."""

    receipt: Receipt
    is_new: bool = False
    """Whether it made a record, which then has no more than what was sent."""


Answers = dict[str, Answer]
"""By trace."""
Upsert = Callable[[Sequence[Row], datetime], Answers]
"""`Crm.upsert`."""


class Crm(Protocol):
    """A CRM as it is called: how many records at once, and by what client."""

    most_at_once: int
    client: httpx.Client

    def upsert(self, rows: Sequence[Row], now: datetime) -> Answers:
        """One call or more; an answer for every row. Never raises for what the CRM does."""


class CrmSender:
    """Tells a CRM what changed of each message's customer."""

    in_flight = 1
    repeatable = True

    def __init__(self, crm: Crm, told: LastTold, playbook: Playbook) -> None:
        self.most_at_once = crm.most_at_once
        self._crm = crm
        self._told = told
        self._playbook = playbook

    def send(self, messages: Sequence[Message], now: datetime) -> list[Receipt]:
        """One receipt for each message."""
        return deliver(messages, self._told, self._playbook, self._crm.upsert, now)

    def close(self) -> None:
        """Close the connections."""
        self._crm.client.close()


def deliver(
    messages: Sequence[Message], told: LastTold, playbook: Playbook, upsert: Upsert, now: datetime
) -> list[Receipt]:
    """Tell the CRM what changed; one receipt for each message.

    A record that the CRM did not have is told everything in a second call.
    """
    readable: list[tuple[Message, Fields]] = []
    receipts: dict[str, Receipt] = {}
    for message in messages:
        try:
            readable.append((message, fields_of(message.payload) | _words(message, playbook)))
        except PlaybookError as error:
            receipts[message.id] = Receipt("retry", str(error))
    before = told({message.customer_id for message, _ in readable})
    rows = {row.customer_id: row for row in _rows(readable, before)}
    answers = _upserted([row for row in rows.values() if row.sent], upsert, now)
    for message, _ in readable:
        row = rows[message.customer_id]
        receipts[message.id] = answers[row.trace].receipt if row.sent else _UNCHANGED
    return [receipts[message.id] for message in messages]


def _upserted(rows: Sequence[Row], upsert: Upsert, now: datetime) -> Answers:
    if not rows:
        return {}
    answers = upsert(rows, now)
    new = [row for row in rows if answers[row.trace].is_new and row.sent != row.every]
    return answers | upsert([replace(row, sent=row.every) for row in new], now) if new else answers


def _words(message: Message, playbook: Playbook) -> Fields:
    if message.type != "outreach.contact":
        return {}
    words = playbook.words(message.payload)
    return {"outreach_subject": words.subject, "outreach_text": words.text}


def last_told(database: Database, endpoint: str) -> LastTold:
    """A function that looks up in the operations database what `endpoint` has taken."""

    def find(customer_ids: Iterable[str]) -> dict[str, Last]:
        there = [
            MESSAGES.c.endpoint == endpoint,
            MESSAGES.c.state == "delivered",
            MESSAGES.c.customer_id.in_(list(customer_ids)),
        ]
        newest = select(func.max(MESSAGES.c.sequence)).where(*there).group_by("customer_id")
        columns = (MESSAGES.c.customer_id, MESSAGES.c.sequence, MESSAGES.c.payload)
        with database.reading() as connection:
            rows = connection.execute(select(*columns).where(MESSAGES.c.sequence.in_(newest)))
            return {customer_id: Last(number, payload) for customer_id, number, payload in rows}

    return find


def _rows(readable: Iterable[tuple[Message, Fields]], before: Mapping[str, Last]) -> Iterator[Row]:
    """One row for each customer, as CRMs refuse a call that names a record twice."""
    ordered = sorted(readable, key=lambda pair: (pair[0].customer_id, pair[0].sequence))
    for customer_id, group in groupby(ordered, key=lambda pair: pair[0].customer_id):
        every: Fields = {}
        for message, fields in group:
            newest, every = message, every | fields
        sent = _changed(every, newest.sequence, before.get(customer_id))
        yield Row(customer_id, newest.id, sent, every)


def fields_of(payload: Mapping[str, Any]) -> Fields:
    """The CRM fields that a payload tells, by their name without prefix."""
    found: Fields = {}
    for name, places in FIELDS.items():
        for place in places:
            if place in payload:
                found[name] = _value(name, payload[place])
    return found


def _value(name: str, value: Any) -> Value:
    if name == "top_reasons":
        return "; ".join(reason["text"] for reason in value)
    if value is not None and name in _ROUNDING:
        return round(float(value), _ROUNDING[name])
    return None if value is None else str(value)


def _changed(fields: Fields, sequence: int, last: Last | None) -> Fields:
    """Those of `fields` that differ from what was told last, with the stamps if there is any.

    Of a message older than that, only what the newer one did not speak of.
    """
    if last is None:
        return fields
    known = fields_of(last.payload)
    if last.sequence > sequence:
        newer = known.keys() | (WORDS if "outreach_decision" in known else ())
        return {name: value for name, value in fields.items() if name not in newer}
    changed = {name: value for name, value in fields.items() if known.get(name, _NEVER) != value}
    if not changed.keys() - set(STAMPS):
        return {}
    return {name: value for name, value in fields.items() if name in changed or name in STAMPS}


def same(rows: Iterable[Row], receipt: Receipt) -> Answers:
    """The same answer for every row."""
    return {row.trace: Answer(receipt) for row in rows}


def in_halves(rows: Sequence[Row], upsert: Upsert, now: datetime) -> Answers:
    """Ask again for each half of a call refused as a whole, to part the bad from the good."""
    middle = len(rows) // 2
    return upsert(rows[:middle], now) | upsert(rows[middle:], now)


def client_for(url: str, trusted: ssl.SSLContext | None) -> httpx.Client:
    """A client for the CRM at `url`, which connects to public addresses only.

    Raises UrlError for one outside this machine without TLS.
    """
    return checked_client(url, (), _SECONDS, 1, trusted=trusted)


def wait_of(response: httpx.Response, now: datetime) -> float | None:
    """Seconds after which `Retry-After` allows another call; None without it."""
    return retry_after_seconds(response.headers.get("Retry-After"), now)


def json_of(response: httpx.Response) -> Any:
    """The answer's JSON, or None if it is none."""
    try:
        return response.json()
    except ValueError:
        return None
