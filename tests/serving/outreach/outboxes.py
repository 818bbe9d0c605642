"""What the tests of outbox and delivery share: messages, a clock to set, senders and workers."""

import base64
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from features.outreach_config import WebhookEndpoint
from serving.database import Database
from serving.outreach.deliver.delivery import Worker
from serving.outreach.deliver.leases import MaySend
from serving.outreach.deliver.recheck import Permission
from serving.outreach.deliver.webhooks import WebhookSender, webhook_sender
from serving.outreach.message import Message, Receipt, Sender
from serving.outreach.outbox import NewMessage, enqueue
from serving.outreach.records import MESSAGES
from tests.serving.operations import NOW

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Clock:
    """Tells the time that it was set to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Scripted:
    """A sender that notes what it is given and answers by a function."""

    most_at_once = 1
    in_flight = 1

    def __init__(
        self, answer: Callable[[Message], Receipt] | None = None, *, repeatable: bool = True
    ) -> None:
        self.repeatable = repeatable
        self.sent: list[str] = []
        self.times: list[datetime] = []
        self.answer = answer or (lambda _: Receipt("delivered"))

    def send(self, messages: Sequence[Message], now: datetime) -> Sequence[Receipt]:
        self.sent += [message.id for message in messages]
        self.times.append(now)
        return [self.answer(message) for message in messages]

    def close(self) -> None:
        """It holds nothing."""


def new(effect: str, customer: str = "", endpoint: str = "crm", **more: Any) -> NewMessage:
    payload = {"customer_id": customer or effect, "clv": 12.5}
    return NewMessage(endpoint, "customer.at_risk", customer or effect, effect, payload, **more)


def write(database: Database, *messages: NewMessage, now: datetime = NOW) -> int:
    with database.writing() as connection:
        return enqueue(connection, messages, now)


def asking(refusal: Callable[[Message], Permission | None]) -> MaySend:
    """Sends what `refusal` gives no other permission for."""

    def may_send(
        connection: Connection, messages: Sequence[Message], now: datetime
    ) -> list[Permission]:
        return [refusal(message) or Permission("send") for message in messages]

    return may_send


def anybody(connection: Connection, messages: Sequence[Message], now: datetime) -> list[Permission]:
    return [Permission("send") for _ in messages]


def states(database: Database) -> dict[str, str]:
    """State by effect key."""
    with database.reading() as connection:
        rows = connection.execute(select(MESSAGES.c.effect_key, MESSAGES.c.state)).all()
    return {row.effect_key: row.state for row in rows}


def webhook(url: str) -> WebhookSender:
    settings = WebhookEndpoint(kind="webhook", url=url, secret_variable="SECRET")
    return webhook_sender("crm", settings, {"SECRET": SECRET})


def worker(
    database: Database,
    senders: Mapping[str, Sender],
    clock: Callable[[], datetime],
    may_send: MaySend = anybody,
) -> Worker:
    return Worker(database, senders, senders.keys(), may_send, clock, random.Random(3))
