"""How many signed webhooks one worker delivers a second, beside what the receiver can take at all.

`python -m benchmarks.webhooks [messages]`: so many messages on a SQLite that waits for the disk, to
a receiver in a process of its own; then the same requests posted by httpx alone, unsigned and not
recorded, which bounds what any sender on it could reach.
"""

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.webhook_receiver import Receiver, receiving
from features.outreach_config import WebhookEndpoint
from serving.database import Database
from serving.outreach.delivery import Worker
from serving.outreach.message import Message
from serving.outreach.outbox import NewMessage, enqueue
from serving.outreach.recheck import Permission
from serving.outreach.webhooks import WebhookSender, webhook_sender

MESSAGES = 10_000
_PROMISED = 300.0
_VARIABLE = "WEBHOOK_SECRET"
_SECRET = "whsec_" + "c2V0aWEgYmVuY2htYXJrIHNlY3JldCBvZiAzMiBieXRlcw=="
_PAYLOAD = {
    "churn_probability": 0.62,
    "risk_tier": "high",
    "clv": 184.2,
    "value_at_risk": 114.2,
    "currency": "EUR",
    "reasons": [{"text": "First answers took 31 hours on average", "effect": 0.4}] * 3,
    "next_step": "win_back",
}


def main(messages: int) -> int:
    with tempfile.TemporaryDirectory() as folder, _receiver_process() as (url, asked):
        database = Database(Path(folder))
        now = datetime.now(UTC)
        rows = (
            NewMessage("crm", "customer.at_risk", f"c{n}", f"effect {n}", _PAYLOAD)
            for n in range(messages)
        )
        with database.writing() as connection:
            enqueue(connection, rows, now)
        settings = WebhookEndpoint(kind="webhook", url=url, secret_variable=_VARIABLE)
        sender = webhook_sender("crm", settings, {_VARIABLE: _SECRET})
        ours, states = _delivered(database, sender)
        reached, applied = asked()
        bound = _posted(url, messages)
        sender.close()
        database.close()
    rate = messages / ours
    print(f"delivered {states} in {ours:.1f} s: {rate:,.0f} a second, promised {_PROMISED:,.0f}")
    print(f"the receiver got {reached:,} requests and applied {applied:,} messages")
    print(f"httpx alone {messages / bound:,.0f} a second: ratio {bound / ours:.2f}")
    return 0 if rate >= _PROMISED and applied == messages == reached else 1


def _delivered(database: Database, sender: WebhookSender) -> tuple[float, dict[str, int]]:
    draws = random.Random(1)  # noqa: S311
    worker = Worker(database, {"crm": sender}, _anybody, lambda: datetime.now(UTC), draws)
    start = time.perf_counter()
    states = worker.deliver_due()["crm"]
    return time.perf_counter() - start, dict(states)


def _anybody(_: object, messages: Sequence[Message], __: object) -> list[Permission]:
    return [Permission("send") for _ in messages]


def _posted(url: str, messages: int) -> float:
    """Seconds that httpx takes for as many requests with as many at once."""
    with httpx.Client(trust_env=False) as client, ThreadPoolExecutor(8) as threads:
        start = time.perf_counter()

        def post(number: int) -> int:
            headers = {"webhook-id": f"bound {number}"}
            return client.post(url, json={"data": _PAYLOAD}, headers=headers).status_code

        assert set(threads.map(post, range(messages))) == {204}  # noqa: S101
        return time.perf_counter() - start


@contextmanager
def _receiver_process() -> Iterator[tuple[str, Callable[[], tuple[int, int]]]]:
    """The URL of a receiver, and what tells its requests and applied messages."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()

    def asked() -> tuple[int, int]:
        ours.send("count")
        requests, applied = ours.recv()
        return requests, applied

    try:
        yield ours.recv(), asked
    finally:
        ours.send(None)
        process.join()


def _serve(pipe: Connection) -> None:
    with receiving(Receiver()) as receiver:
        pipe.send(receiver.url)
        while pipe.recv():
            pipe.send((receiver.requests, len(receiver.applied)))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES))
