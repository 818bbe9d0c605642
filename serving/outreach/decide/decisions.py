"""The records that the outreach policy takes and gives: candidates, rules, decisions, a plan."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from serving.outreach.decide.quiet_hours import QuietHours, SendWindow

Occasion = Literal["incident", "first_purchase", "risk"]
Policy = Literal["expected_gain", "exploration"]
Reason = Literal[
    "expected_gain",
    "exploration",
    "below_value",
    "holdout",
    "no_consent",
    "capped",
    "quiet_hours",
    "open_ticket",
    "recent_complaint",
    "contacted_recently",
    "over_budget",
    "over_capacity",
    "do_not_disturb",
    "stale_score",
    "model_abstains",
]
"""Why a decision fell: the first two of those contacted, the others of those who are not."""


class PolicyError(ValueError):
    """Rules or candidates on which nothing can be decided; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A message sent to the customer, or on its way."""

    at: datetime
    channel: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One customer as the policy sees them; all times are aware."""

    customer_id: str
    value: float
    """What is kept if the customer stays, in the currency."""
    change: float | None
    """What a contact adds to the chance of staying; None when the model abstains."""
    scored_at: datetime
    timezone: str
    """The person's own zone, as an IANA name."""
    consents: frozenset[str]
    """Channels that the person agreed to."""
    held_out: bool
    """By `serving.outreach.holdout`, over all merged identities."""
    occasion: Occasion = "risk"
    do_not_disturb: bool = False
    contacts: tuple[Contact, ...] = ()
    open_ticket: str | None = None
    """The ticket that is open or was just escalated."""
    complained_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people, what one message costs, and how many fit into a day."""

    name: str
    cost: float
    daily_capacity: int


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `most` contacts in any span of length `within`, on `channel` or on all (None)."""

    most: int
    within: timedelta
    channel: str | None = None


STEPS: Mapping[Occasion, str] = MappingProxyType(
    {"incident": "apology", "first_purchase": "check_in", "risk": "win_back"}
)
"""The playbook step for each occasion."""


@dataclass(frozen=True)
class Rules:
    """What a merchant allows."""

    channels: tuple[Channel, ...]
    budget: float
    """Most to be spent in a day, in the currency."""
    caps: tuple[Cap, ...] = (Cap(2, timedelta(days=7)), Cap(4, timedelta(days=30)))
    rest: timedelta = timedelta(days=3)
    """Nobody is contacted again before."""
    complaint_rest: timedelta = timedelta(days=14)
    quiet_hours: QuietHours = field(default_factory=QuietHours)
    send_within: timedelta = timedelta(hours=24)
    score_lasts: timedelta = timedelta(days=7)
    exploration_share: float = 0.05
    """Share of capacity and of budget given to customers drawn at random."""

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if not names or len(set(names)) < len(names):
            raise PolicyError(f"channels {names} must be named once each, and at least one")
        for channel in self.channels:
            if not (0 <= channel.cost < math.inf and channel.daily_capacity >= 0):
                raise PolicyError(f"{channel}: cost and daily capacity must be 0 or more")
        if not 0 <= self.budget < math.inf:
            raise PolicyError(f"a budget of {self.budget} must be a number of at least 0")
        if not 0 <= self.exploration_share < 1:
            raise PolicyError(f"exploration_share {self.exploration_share} must be in [0, 1)")

    @cached_property
    def cheapest_first(self) -> tuple[Channel, ...]:
        """The channels by cost, equal ones by name."""
        return tuple(sorted(self.channels, key=lambda channel: (channel.cost, channel.name)))


@dataclass(frozen=True)
class Day:
    """Where the day stands when a plan is made."""

    now: datetime
    key: bytes
    """Secret that draws the exploration slice."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """Messages by channel already decided today."""
    spent: float = 0.0
    """Money already committed today, in the currency."""

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise PolicyError(f"the time {self.now.isoformat()} has no zone; give an aware one")


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer for one customer."""

    customer_id: str
    action: Literal["contact", "suppress"]
    reason: Reason
    expected_gain: float | None = None
    """value x change - cost, in the currency; None when no change is known."""
    arm: Literal["contact", "holdout"] | None = None
    """Of those in an arm each is contacted, or would be but for the holdout: only they compare."""
    policy: Policy | None = None
    """By what those in an arm were chosen."""
    channel: str | None = None
    """For the held-out of an arm this, policy, step and window are what they would have had."""
    step: str | None = None
    window: SendWindow | None = None
    note: str | None = None
    """For support, when a ticket is open."""


@dataclass(frozen=True)
class Plan:
    """One decision per candidate, by customer id, and what they use up."""

    decisions: tuple[Decision, ...]
    used: Mapping[str, int]
    """Messages by channel."""
    cost: float
    """In the currency."""

    def contacts(self) -> list[Decision]:
        """Those to contact, the largest expected gain first."""
        chosen = [one for one in self.decisions if one.action == "contact"]
        return sorted(chosen, key=lambda one: (-(one.expected_gain or 0.0), one.customer_id))

    def reasons(self) -> Counter[str]:
        """How many decisions fell for each reason: how each constraint bound."""
        return Counter(one.reason for one in self.decisions)
