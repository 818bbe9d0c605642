"""The effect report as the command prints it, the workspace keeps it and the API answers it."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from serving.outreach.prove.measured import Trait


class Shape(BaseModel):
    """A part of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(Shape):
    """Mean of those assigned to contact less that of those held out; each customer once."""

    difference: float
    low: float | None
    high: float | None
    """Confidence sequence at 95 %; null while nothing can be said."""
    sure: bool
    """Whether the interval leaves 0 out and the arms have the sizes they were drawn with."""


class Count(Shape):
    """Customers in each arm."""

    contact: int
    holdout: int


class Slice(Shape):
    """The effect among some; with 95 % probability the intervals of all slices hold together."""

    by: Trait
    name: str
    customers: Count
    retention: Difference
    value: Difference | None


class Standing(Shape):
    """What outreach had changed by the end of a period, counting all that had matured."""

    period: str
    """A month, 2026-03."""
    customers: Count
    retention: Difference
    kept: float
    """Customers kept by contact, among those assigned to it."""
    kept_low: float | None
    kept_high: float | None
    value_kept: float | None
    """Contribution that contact brought, its cost not taken off, in the currency."""
    value_low: float | None
    value_high: float | None
    cost: float


class Point(Shape):
    """Retention as it stood on a day."""

    day: str
    customers: int
    difference: float
    low: float | None
    high: float | None


class Waiting(Shape):
    """Customers in an arm whose horizon the data does not cover yet."""

    customers: Count
    next_at: AwareDatetime | None
    """When the data must reach for the first of them to be counted."""
    last_at: AwareDatetime | None


class EffectReport(Shape):
    """What outreach really changed, by intention to treat: whom it was assigned to, once each."""

    programme: str
    made_at: AwareDatetime
    data_until: AwareDatetime
    """Nobody whose horizon ends later is counted."""
    horizon_days: int
    currency: str
    generated: bool
    sentence: str
    assigned: Count
    assigned_ratio_p_value: float
    """Anytime-valid p-value that the arms have the sizes they were drawn with."""
    measured: Count
    measured_ratio_p_value: float
    unknown: Count
    """Matured, but nobody knows what became of them."""
    waiting: Waiting
    contacts_of_held_out: int
    """Messages ever made for held-out customers: anything but 0 is a fault."""
    staying: dict[Literal["contact", "holdout"], float | None]
    """Share of the measured who stayed, as counted."""
    retention: Difference
    value: Difference | None
    """Of contribution within the horizon, in the currency, for each customer."""
    cost: float
    """Of all messages that left within the horizons of the measured, in the currency."""
    cost_per_kept: float | None
    """Null unless contact surely keeps customers."""
    smallest_detectable: float | None
    """Change in the share who stay that one look at so many customers finds 4 times in 5."""
    ledger: list[Standing]
    daily: list[Point]
    slices: list[Slice]
