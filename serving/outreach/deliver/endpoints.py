"""How endpoints fare: their circuits as kept, what waits for them, and opening them again."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from serving.database import Database, insert_or
from serving.outreach.audit import audit
from serving.outreach.deliver.circuit import Circuit
from serving.outreach.records import ENDPOINTS, MESSAGES


class UnknownEndpoint(ValueError):
    """An endpoint that nobody has heard of; the message names those that are known."""


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What waits for an endpoint, what became of the rest, and whether it is spoken to."""

    name: str
    states: dict[str, int]
    """Messages by state."""
    oldest_due: datetime | None
    """Since when the longest waiting message has been due."""
    circuit: Circuit
    is_configured: bool

    def standing(self, now: datetime) -> str:
        """In a word: open to messages, resting until later, on trial, disabled, or not there."""
        if not self.is_configured:
            return "not configured"
        if self.circuit.disabled_at:
            return "disabled"
        if self.circuit.admits(2, now) == 2:
            return "open"
        return "on trial" if self.circuit.admits(2, now) else "resting"


def circuit_of(connection: Connection, endpoint: str, *, locked: bool = False) -> Circuit:
    """How `endpoint` fares; `locked` keeps its row from others until the transaction ends."""
    query = select(ENDPOINTS).where(ENDPOINTS.c.name == endpoint)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    return Circuit(**{name: value for name, value in (row or {}).items() if name != "name"})


def keep_circuit(connection: Connection, endpoint: str, circuit: Circuit) -> None:
    """Write how `endpoint` fares."""
    values = asdict(circuit)
    statement = insert_or(connection, ENDPOINTS).values(name=endpoint, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def endpoint_statuses(
    database: Database, configured: Collection[str], now: datetime
) -> list[EndpointStatus]:
    """One status for each endpoint that is configured or has messages, by name."""
    with database.reading() as connection:
        counts = select(MESSAGES.c.endpoint, MESSAGES.c.state, func.count().label("messages"))
        grouped = counts.group_by(MESSAGES.c.endpoint, MESSAGES.c.state)
        states: dict[str, dict[str, int]] = {name: {} for name in configured}
        for row in connection.execute(grouped):
            states.setdefault(row.endpoint, {})[row.state] = row.messages
        waiting = select(MESSAGES.c.endpoint, func.min(MESSAGES.c.next_at).label("since"))
        due = waiting.where(MESSAGES.c.state == "pending", MESSAGES.c.next_at <= now)
        rows = connection.execute(due.group_by(MESSAGES.c.endpoint)).all()
        oldest: dict[str, datetime] = {row.endpoint: row.since for row in rows}
        return [
            EndpointStatus(
                name,
                states[name],
                oldest.get(name),
                circuit_of(connection, name),
                name in configured,
            )
            for name in sorted(states)
        ]


def enable(
    database: Database, endpoint: str, configured: Iterable[str], now: datetime, actor: str
) -> None:
    """Speak to `endpoint` again at once, whatever became of it before; its messages follow.

    Raises UnknownEndpoint for one that is not configured.
    """
    names = sorted(configured)
    if endpoint not in names:
        known = ", ".join(names) or "none yet"
        raise UnknownEndpoint(f"no endpoint {endpoint!r}; outreach.endpoints has: {known}")
    with database.writing() as connection:
        before = circuit_of(connection, endpoint, locked=True)
        keep_circuit(connection, endpoint, Circuit())
        detail = {"failures": before.failures, "was_disabled": before.disabled_at is not None}
        audit(connection, now, actor, "enable_endpoint", {endpoint: detail})
