"""The data contract: the columns, grain, times and rules of every canonical table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from features.config import TableName
from features.text.themes import THEMES

Kind = Literal["id", "text", "time", "money", "number", "whole", "boolean", "choice"]

CHANNELS: tuple[str, ...] = (
    "in_person",
    "phone",
    "email",
    "chat",
    "messaging",
    "social",
    "self_service",
    "chatbot",
    "forum",
    "other",
)


class ContractError(ValueError):
    """Data that cannot meet the contract; the message names the table and what to do."""


@dataclass(frozen=True)
class Column:
    """One canonical column: how its values are read, and which of them are believable."""

    name: str
    kind: Kind = "text"
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    otherwise: str | None = None
    """For a choice: what an unlisted value becomes; None rejects the row."""


@dataclass(frozen=True)
class Table:
    """One canonical table; `time` is the column that places a row on the time line."""

    name: TableName
    grain: str
    columns: tuple[Column, ...]
    time: str | None
    time_fallback: str | None = None
    """Column that stands in where `time` is empty; one of the two is required."""
    unique: tuple[str, ...] | None = None
    """Columns of which no two rows may share all values."""
    known_at: Mapping[str, str] = field(default_factory=dict)
    """Late column to the time column at which its value became known."""
    order: tuple[tuple[str, str], ...] = ()
    """Pairs of time columns of which the second may not lie before the first."""
    future: tuple[str, ...] = ()
    """Time columns that may lie ahead, such as the agreed end of a subscription."""
    is_activity: bool = False
    """Whether rows move the watermark and can stand for a customer being active."""

    @property
    def kept(self) -> tuple[Column, ...]:
        """The columns of a snapshot, in order: numbers about a text stand in its place."""
        plain = tuple(column for column in self.columns if column.name != "text")
        return plain if plain == self.columns else (*plain, *TEXT_COLUMNS)

    @property
    def kept_known_at(self) -> Mapping[str, str]:
        """Late column of a snapshot to the time column at which its value became known."""
        known = dict(self.known_at)
        time = known.pop("text", None)
        return known if time is None else known | {column.name: time for column in TEXT_COLUMNS}

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns that every row must fill."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def times(self) -> tuple[str, ...]:
        """Every time column, in order."""
        return tuple(column.name for column in self.columns if column.kind == "time")

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


TEXT_COLUMNS: tuple[Column, ...] = (
    Column("text_length", "whole"),
    Column("text_language"),
    Column("text_sentiment", "number"),
    *(Column(f"text_{theme}", "boolean") for theme in THEMES),
)
"""What is kept of a text: see `features.text.reading`."""

_CUSTOMER = Column("customer_id", "id", required=True)
_CHANNEL = Column("channel", "choice", choices=CHANNELS, otherwise="other")
_ABSURD_AMOUNT = 1e12
_SCALES = {"nps": (0.0, 10.0), "csat": (1.0, 5.0), "ces": (1.0, 7.0)}

SURVEY_SCALES: Mapping[str, tuple[float, float]] = _SCALES
"""Survey kind to the lowest and highest score it can have."""


def _money(name: str, *, required: bool = False, minimum: float = -_ABSURD_AMOUNT) -> Column:
    return Column(name, "money", required, minimum, _ABSURD_AMOUNT)


_CUSTOMERS = Table(
    name="customers",
    grain="customer",
    columns=(
        _CUSTOMER,
        Column("signed_up_at", "time"),
        Column("segment"),
        Column("region"),
        Column("language"),
        Column("timezone"),
        Column("preferred_channel", "choice", choices=CHANNELS, otherwise="other"),
        Column("email_consent", "boolean"),
        Column("sms_consent", "boolean"),
        Column("valid_from", "time"),
    ),
    time=None,
    unique=("customer_id", "valid_from"),
)

_ORDERS = Table(
    name="orders",
    grain="order or order line",
    columns=(
        _CUSTOMER,
        Column("ordered_at", "time", required=True),
        _money("amount", required=True),
        Column("order_id", "id"),
        Column("product_id", "id"),
        Column("category"),
        Column("channel"),
        Column("quantity", "number"),
        _money("margin"),
        _money("discount"),
        Column("refunded_at", "time"),
        _money("refund_amount", minimum=0),
    ),
    time="ordered_at",
    known_at={"refunded_at": "refunded_at", "refund_amount": "refunded_at"},
    order=(("ordered_at", "refunded_at"),),
    is_activity=True,
)

_EVENTS = Table(
    name="events",
    grain="usage event",
    columns=(
        _CUSTOMER,
        Column("occurred_at", "time", required=True),
        Column("event", required=True),
        Column("value", "number"),
        Column("session_id", "id"),
        Column("channel"),
    ),
    time="occurred_at",
    is_activity=True,
)

_SUBSCRIPTIONS = Table(
    name="subscriptions",
    grain="subscription",
    columns=(
        _CUSTOMER,
        Column("subscription_id", "id", required=True),
        Column("started_at", "time", required=True),
        Column("ended_at", "time"),
        Column("plan"),
        _money("monthly_price", minimum=0),
        Column("auto_renew", "boolean"),
        Column(
            "end_reason",
            "choice",
            choices=("voluntary", "payment_failure", "other"),
            otherwise="other",
        ),
    ),
    time="started_at",
    unique=("subscription_id",),
    known_at={"ended_at": "ended_at", "end_reason": "ended_at"},
    order=(("started_at", "ended_at"),),
    future=("ended_at",),
    is_activity=True,
)

_TICKETS = Table(
    name="tickets",
    grain="ticket",
    columns=(
        _CUSTOMER,
        Column("ticket_id", "id", required=True),
        Column("opened_at", "time", required=True),
        Column("first_response_at", "time"),
        Column("resolved_at", "time"),
        Column("reopened_at", "time"),
        Column("escalated_at", "time"),
        _CHANNEL,
        Column("category"),
        Column("priority"),
        Column("contacts", "whole", minimum=0, maximum=10_000),
        Column("transfers", "whole", minimum=0, maximum=10_000),
        Column("agent_id", "id"),
        Column("text"),
        Column("language"),
    ),
    time="opened_at",
    unique=("ticket_id",),
    known_at={
        "first_response_at": "first_response_at",
        "resolved_at": "resolved_at",
        "reopened_at": "reopened_at",
        "escalated_at": "escalated_at",
        "contacts": "resolved_at",
        "transfers": "resolved_at",
        "agent_id": "resolved_at",
    },
    order=(
        ("opened_at", "first_response_at"),
        ("opened_at", "resolved_at"),
        ("opened_at", "reopened_at"),
        ("opened_at", "escalated_at"),
    ),
)

_SURVEYS = Table(
    name="surveys",
    grain="survey sent or answered",
    columns=(
        _CUSTOMER,
        Column("kind", "choice", required=True, choices=tuple(_SCALES)),
        Column("sent_at", "time"),
        Column("answered_at", "time"),
        Column("score", "number"),
        Column("ticket_id", "id"),
        Column("text"),
    ),
    time="sent_at",
    time_fallback="answered_at",
    known_at={"answered_at": "answered_at", "score": "answered_at", "text": "answered_at"},
    order=(("sent_at", "answered_at"),),
)

_CONTACTS = Table(
    name="contacts",
    grain="past outreach",
    columns=(
        _CUSTOMER,
        Column("contacted_at", "time", required=True),
        Column("campaign"),
        _CHANNEL,
        Column("arm", "choice", choices=("treatment", "holdout")),
        Column("offer"),
    ),
    time="contacted_at",
)

TABLES: Mapping[TableName, Table] = {
    table.name: table
    for table in (
        _CUSTOMERS,
        _ORDERS,
        _EVENTS,
        _SUBSCRIPTIONS,
        _TICKETS,
        _SURVEYS,
        _CONTACTS,
    )
}
"""Every canonical table by name."""
