"""Delivery: what is due is leased, sent and settled, each endpoint on a thread of its own."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from serving.database import Database, DatabaseError
from serving.outreach.deliver.circuit import Circuit
from serving.outreach.deliver.leases import Attempt, Leased, MaySend, lease, settle
from serving.outreach.deliver.removed import end_removed
from serving.outreach.message import Receipt, Sender, Verdict

_BATCH = 200
"""Messages leased and settled in one transaction each; SQLite waits for the disk at both."""

_SETTLE_TRIES = 3
_LEASE_MARGIN = timedelta(minutes=1)
_POLL_SECONDS = 1.0
_ERROR_SECONDS = 15.0
_REMOVED_SECONDS = 3_600.0
"""Between two looks for messages to endpoints that are configured no more."""

_States = Mapping[str, Counter[str]]
"""Endpoint to its messages by state reached."""


@dataclass(frozen=True)
class Worker:
    """Delivers to endpoints until told to stop; several may work on one database."""

    database: Database
    senders: Mapping[str, Sender]
    """By the endpoint's name."""
    configured: Collection[str]
    """Every endpoint of the configuration, also one that cannot be used now."""
    may_send: MaySend
    clock: Callable[[], datetime]
    draws: random.Random
    """Moves retries apart."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Once set, what is being sent is settled and nothing else leased."""

    def deliver_due(self) -> dict[str, Counter[str]]:
        """Deliver until nothing is due; returns the messages of each endpoint by state reached.

        An endpoint that hangs delays no other, only the return. What waits in vain for endpoints
        that are configured no more ends, and is returned too. Raises DatabaseError when the
        operations database cannot be used, after the others are done.
        """
        with ThreadPoolExecutor(max(len(self.senders), 1)) as threads:
            running = {name: threads.submit(self._deliver_to, name) for name in self.senders}
        return {name: one.result() for name, one in running.items()} | self._end_removed()

    def work(self, told: Callable[[str, Counter[str] | Exception], None]) -> None:
        """Deliver what becomes due until stopped; `told` hears what came of it, by endpoint.

        What goes wrong is told, and tried again: a worker that ended would deliver nothing.
        """
        with ThreadPoolExecutor(len(self.senders) + 1) as threads:
            threads.submit(
                self._keep, "removed endpoints", self._end_removed, _REMOVED_SECONDS, told
            )
            for name in self.senders:
                threads.submit(
                    self._keep, name, partial(self._delivered, name), _POLL_SECONDS, told
                )

    def _keep(
        self,
        name: str,
        act: Callable[[], _States],
        pause: float,
        told: Callable[[str, Counter[str] | Exception], None],
    ) -> None:
        while not self.stopped.is_set():
            wait = pause
            try:
                for endpoint, states in act().items():
                    told(endpoint, states)
            except Exception as error:
                told(name, error)
                wait = _ERROR_SECONDS
            self.stopped.wait(wait)

    def _end_removed(self) -> dict[str, Counter[str]]:
        return end_removed(self.database, self.configured, self.clock())

    def _delivered(self, name: str) -> _States:
        states = self._deliver_to(name)
        return {name: states} if states else {}

    def _deliver_to(self, name: str) -> Counter[str]:
        sender = self.senders[name]
        at_once = sender.most_at_once * sender.in_flight
        # What cannot be sent twice is leased only as it is sent, lest a crash leave it unknown.
        most = max(_BATCH, at_once) if sender.repeatable else at_once
        states: Counter[str] = Counter()
        with ThreadPoolExecutor(sender.in_flight) as threads:
            while leased := self._lease(name, most, repeatable=sender.repeatable):
                batch = _Batch(sender, self.clock, self.stopped)
                size = sender.most_at_once
                parts = [leased[start : start + size] for start in range(0, len(leased), size)]
                attempts = [one for part in threads.map(batch.send, parts) for one in part]
                states += self._settle(name, attempts)
        return states

    def _lease(self, name: str, most: int, *, repeatable: bool) -> list[Leased]:
        if self.stopped.is_set():
            return []
        now = self.clock()
        return lease(self.database, name, most, now, self.may_send, repeatable=repeatable)

    def _settle(self, name: str, attempts: Sequence[Attempt]) -> Counter[str]:
        """Settle, and not give up at once: what was sent and is not written down is sent again."""
        for _ in range(_SETTLE_TRIES - 1):
            with suppress(DatabaseError):
                return settle(self.database, name, attempts, self.clock(), self.draws)
        return settle(self.database, name, attempts, self.clock(), self.draws)


class _Batch:
    """Messages leased together, sent by several threads until the endpoint is found wanting."""

    def __init__(
        self, sender: Sender, clock: Callable[[], datetime], stopped: threading.Event
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._stopped = stopped
        self._circuit = Circuit()
        self._lock = threading.Lock()

    def send(self, part: Sequence[Leased]) -> list[Attempt]:
        """One attempt for each message; those that may no longer be sent go back as they were."""
        at = self._clock()
        going = [one for one in part if self._may_go(one, at)]
        receipts = self._receipts(going, at) if going else []
        now = self._clock()
        with self._lock:
            self._circuit = self._circuit.after(receipts, now)
        # A clock set back meanwhile must not make it a negative time.
        seconds = max((now - at).total_seconds(), 0.0)
        answers = dict(zip([one.message.id for one in going], receipts, strict=True))
        return [Attempt(one, at, seconds, answers.get(one.message.id)) for one in part]

    def _may_go(self, leased: Leased, at: datetime) -> bool:
        in_time = leased.not_after is None or at < leased.not_after
        held = at + _LEASE_MARGIN < leased.leased_until
        with self._lock:
            admitted = self._circuit.admits(1, at) > 0
        return in_time and held and admitted and not self._stopped.is_set()

    def _receipts(self, going: Sequence[Leased], at: datetime) -> Sequence[Receipt]:
        try:
            receipts = self._sender.send([one.message for one in going], at)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        else:
            if len(receipts) == len(going):
                return receipts
            said = f"{len(receipts)} answers to {len(going)} messages"
        verdict: Verdict = "retry" if self._sender.repeatable else "unknown"
        return [Receipt(verdict, said)] * len(going)
