"""How many signed webhooks one worker delivers a second, beside what httpx alone can post.

`python -m benchmarks.webhooks [messages]`: so many contacts, each asked about at the send boundary
and told in words, on a SQLite that waits for the disk, to a receiver in a process of its own. Then
httpx posts as much, unsigned and not recorded, which bounds what any sender on it could reach.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import insert

from benchmarks.webhook_receiver import ReceiverProcess
from features.config import PipelineConfig
from serving.database import Database
from serving.outreach.deliver.delivery import Worker
from serving.outreach.deliver.recheck import boundary_of
from serving.outreach.deliver.senders import sender_for
from serving.outreach.outbox import NewMessage, enqueue
from serving.outreach.records import DECISIONS, PROGRAMMES
from serving.outreach.words.playbook import playbook_of
from serving.outreach.words.samples import sample

MESSAGES = 10_000
_PROMISED = 300.0
_VARIABLE = "WEBHOOK_SECRET"
_SECRET = "whsec_" + "c2V0aWEgYmVuY2htYXJrIHNlY3JldCBvZiAzMiBieXRlcw=="
_PAYLOAD = sample("win_back", "email", "en") | {"generated": True}


def main(messages: int) -> int:
    with tempfile.TemporaryDirectory() as folder, ReceiverProcess() as receiver:
        config = _config(Path(folder), receiver.url)
        database = Database(config.workspace)
        _write(database, messages)
        busy = time.process_time()
        seconds, states = _delivered(database, config)
        busy = 1_000 * (time.process_time() - busy) / messages
        database.close()
        told = receiver.told()
        bound = _posted(receiver.url, messages)
    rate, applied = messages / seconds, len(told.applied)
    print(f"{dict(states)} in {seconds:.1f} s: {rate:,.0f} a second, promised {_PROMISED:,.0f}")
    print(
        f"{busy:.2f} ms of processor time a message; the rest of the wall is others' and the disk's"
    )
    print(f"the receiver got {told.requests:,} requests and applied {applied:,} messages")
    print(f"httpx alone: {messages / bound:,.0f} a second; ours is {bound / seconds:.2f} of it")
    return 0 if rate >= _PROMISED and applied == messages == told.requests else 1


def _config(workspace: Path, url: str) -> PipelineConfig:
    endpoint = {"kind": "webhook", "url": url, "secret_variable": _VARIABLE}
    outreach = {
        "channels": {"email": {"endpoint": "crm", "daily_capacity": MESSAGES}},
        "endpoints": {"crm": endpoint},
        "quiet_hours": {"start": "00:00", "end": "00:00"},
    }
    given = {"name": "shop", "currency": "IDR", "workspace": workspace, "sources": {}}
    return PipelineConfig.model_validate(given | {"outreach": outreach})


def _write(database: Database, messages: int) -> None:
    """Decisions to contact so many customers, and their messages."""
    now = datetime.now(UTC)
    programme = {"name": "retention", "holdout_key": bytes(16), "holdout_share": 1e-9}
    decision = {
        "programme": "retention",
        "run": "run_1",
        "decided_at": now,
        "occasion": "risk",
        "action": "contact",
        "reason": "expected_gain",
        "arm": "contact",
        "channel": "email",
        "step": "win_back",
        "value": 100.0,
        "timezone": "Asia/Jakarta",
        "window_opens": now,
    }
    rows = [decision | {"id": f"dec_{n}", "customer_id": f"c{n}"} for n in range(messages)]
    contacts = (
        NewMessage(
            endpoint="crm",
            type="outreach.contact",
            customer_id=f"c{n}",
            effect_key=f"effect {n}",
            payload=_PAYLOAD | {"score_as_of": now.isoformat()},
            decision_id=f"dec_{n}",
        )
        for n in range(messages)
    )
    with database.writing() as connection:
        begun = {"planned": messages, "started_at": now, "plans": 1}
        connection.execute(insert(PROGRAMMES).values(programme | begun))
        connection.execute(insert(DECISIONS), rows)
        enqueue(connection, contacts, now)


def _delivered(database: Database, config: PipelineConfig) -> tuple[float, Counter[str]]:
    endpoint, playbook = config.outreach.endpoints["crm"], playbook_of(config)
    sender = sender_for("crm", endpoint, {_VARIABLE: _SECRET}, database, playbook)
    boundary = boundary_of(config.outreach, config.workspace)
    draws = random.Random(1)  # noqa: S311
    worker = Worker(
        database,
        {"crm": sender},
        config.outreach.endpoints,
        boundary.permissions,
        lambda: datetime.now(UTC),
        draws,
    )
    start = time.perf_counter()
    states = worker.deliver_due()["crm"]
    seconds = time.perf_counter() - start
    sender.close()
    return seconds, states


def _posted(url: str, messages: int) -> float:
    """Seconds that httpx takes for as many requests with as many at once."""
    with httpx.Client(trust_env=False) as client, ThreadPoolExecutor(8) as threads:
        start = time.perf_counter()

        def post(number: int) -> int:
            headers = {"webhook-id": f"bound {number}"}
            return client.post(url, json={"data": _PAYLOAD}, headers=headers).status_code

        assert set(threads.map(post, range(messages))) == {204}  # noqa: S101
        return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES))
