"""GET /v1/outreach/decisions: what was decided on each customer, and why."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from serving.api.answers import json_answer, served_now
from serving.api.cursors import Cursor, Place, cursor_at, place_of
from serving.database import Database
from serving.outreach.decide.decision_list import (
    DecisionFilter,
    Row,
    decisions_of_run,
    decisions_on_customer,
    instant_of,
    latest_run,
    place_in_run,
)
from serving.outreach.decide.decisions import Occasion, Reason
from serving.served import Served

router = APIRouter()

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_CUSTOMER = "customer"


class DecisionQuery(BaseModel):
    """Which decisions are asked for; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    customer_id: _Name | None = None
    run: _Name | None = None
    """The plan, as `setia outreach plan` names it; the last one unless a customer is named."""
    reason: Reason | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""

    @property
    def filters(self) -> DecisionFilter:
        """The filters as the records take them."""
        return DecisionFilter(self.customer_id, self.run, self.reason)


class DecisionAnswer(BaseModel):
    """What a plan decided on a customer; money in the answer's currency."""

    id: str
    run: str
    programme: str
    decided_at: AwareDatetime
    customer_id: str
    occasion: Occasion
    action: Literal["contact", "suppress"]
    reason: Reason
    arm: Literal["contact", "holdout"] | None
    """In which arm the effect counts them; not to be shown to whoever talks to customers."""
    channel: str | None
    step: str | None
    expected_gain: float | None
    cost: float | None
    value: float
    change: float | None
    churn_probability: float | None
    risk_tier: str | None
    score_id: str | None
    model_version: str | None
    window_opens: AwareDatetime | None
    window_closes: AwareDatetime | None
    note: str | None
    """For support, when a ticket is open."""


class DecisionsAnswer(BaseModel):
    """A page of decisions: of a plan by customer, or of a customer with the newest first."""

    currency: str
    generated: bool
    decisions: list[DecisionAnswer]
    next_cursor: str | None
    """Give it as `cursor` to read on; null on the last page."""


@router.get("/v1/outreach/decisions", response_model=DecisionsAnswer, tags=["outreach"])
async def get_decisions(
    request: Request,
    served: Annotated[Served, Depends(served_now)],
    query: Annotated[DecisionQuery, Query()],
) -> Response:
    """A page of decisions, those to contact and those not to; filters narrow it."""
    database: Database = request.app.state.database
    filters, about = query.filters, served.snapshot.about
    place = place_of(query.cursor, filters) if query.cursor else None

    def work() -> dict[str, Any]:
        with database.reading() as connection:
            return _page(connection, filters, place, query.limit)

    found = await anyio.to_thread.run_sync(work)
    return json_answer({"currency": about.currency, "generated": about.generated, **found})


def _page(
    connection: Connection, filters: DecisionFilter, place: Place | None, most: int
) -> dict[str, Any]:
    at = place.at if place else None
    if filters.customer_id is not None:
        rows = decisions_on_customer(connection, filters, at, most + 1)
        return _shown(rows, most, filters, lambda row: Place(_CUSTOMER, instant_of(row)))
    # A page that is read on stays with its plan, even if another has been written since.
    run = filters.run or (place.made_for if place else latest_run(connection))
    rows = decisions_of_run(connection, run, filters.reason, at, most + 1) if run else []
    return _shown(rows, most, filters, lambda row: Place(row["run"], place_in_run(row)))


def _shown(
    rows: list[Row], most: int, filters: DecisionFilter, place: Callable[[Row], Place]
) -> dict[str, Any]:
    names = DecisionAnswer.model_fields
    shown = [{name: row[name] for name in names} for row in rows[:most]]
    following = cursor_at(place(rows[most - 1]), filters) if len(rows) > most else None
    return {"decisions": shown, "next_cursor": following}
