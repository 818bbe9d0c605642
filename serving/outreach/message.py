"""A message on its way to an endpoint, and what the endpoint made of an attempt to deliver it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

MessageType = Literal["outreach.contact", "customer.at_risk", "customer.recovered"]
Verdict = Literal["delivered", "retry", "throttled", "refused", "gone", "unknown"]
State = Literal["pending", "sending", "delivered", "expired", "suppressed", "dead", "unknown"]


@dataclass(frozen=True, slots=True)
class Message:
    """What one attempt delivers; id and payload never change."""

    id: str
    """`msg_…`, the same at every attempt: receivers drop what they have seen."""
    sequence: int
    """Rises from message to message, so that a receiver can drop an older one."""
    type: MessageType
    customer_id: str
    created_at: datetime
    payload: Mapping[str, Any]
    """JSON object: the decision or event, with the score that led to it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an attempt.

    `delivered`; `retry` later; `throttled`, which tells the endpoint's other messages to wait too;
    `refused` for good; `gone` disables the endpoint; `unknown`, when bytes left and no answer came
    on a channel that cannot be asked twice: never sent again by itself.
    """

    verdict: Verdict
    detail: str = ""
    code: int | None = None
    """The HTTP or SMTP status, if there was one."""
    retry_after_seconds: float | None = None


class Sender(Protocol):
    """Delivers messages to one endpoint."""

    most_at_once: int
    """Largest number of messages in one attempt."""
    in_flight: int
    """Attempts that may run at the same time; with more than one, `send` is called by threads."""
    repeatable: bool
    """Whether the same message, sent again, has no second effect.

    Where it has one, a message whose attempt was cut off is `unknown` and stays so.
    """

    def send(self, messages: Sequence[Message], now: datetime) -> Sequence[Receipt]:
        """One receipt for each message, in order. Never raises for what the endpoint does."""

    def close(self) -> None:
        """Let go of connections; nothing is sent afterwards."""
