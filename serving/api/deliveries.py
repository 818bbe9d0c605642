"""GET /v1/outreach/deliveries and /dead, POST /v1/outreach/replay: messages and what became."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from serving.api import schemas
from serving.api.answers import caller, json_answer
from serving.api.cursors import Cursor, Place, cursor_at, place_of
from serving.database import Database
from serving.instants import Instant
from serving.outreach.deliver.dead_letters import (
    Choice,
    DeadLetter,
    ReplayError,
    dead_letters,
    replay,
)
from serving.outreach.deliver.deliveries import DeliveryFilter, deliveries
from serving.outreach.message import MessageType, State

router = APIRouter()

_SHOWN = 1_000
_MESSAGES = "messages"

_Name = Annotated[str, Field(min_length=1, max_length=200)]


class DeliveryQuery(BaseModel):
    """Which messages are asked for; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    type: MessageType | None = None
    endpoint: _Name | None = None
    customer_id: _Name | None = None
    since: Instant | None = None
    """Written at or after."""
    until: Instant | None = None
    """Written before."""
    limit: Annotated[int, Field(ge=1, le=_SHOWN)] = 100
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""

    @property
    def filters(self) -> DeliveryFilter:
        """The filters as the outbox takes them."""
        return DeliveryFilter(
            self.state, self.type, self.endpoint, self.customer_id, self.since, self.until
        )


class DeliveryAnswer(BaseModel):
    """A message and how far it has come."""

    sequence: int
    id: str
    endpoint: str
    type: MessageType
    customer_id: str
    decision_id: str | None
    state: State
    attempts: int
    created_at: AwareDatetime
    next_at: AwareDatetime
    """When it is tried next, if it is `pending`."""
    not_after: AwareDatetime | None
    settled_at: AwareDatetime | None
    detail: str | None
    """What the endpoint said last, or why the message was stopped."""


class DeliveriesAnswer(BaseModel):
    """A page of messages, the newest first."""

    deliveries: list[DeliveryAnswer]
    next_cursor: str | None
    """Give it as `cursor` to read on; null on the last page."""


class DeadQuery(BaseModel):
    """Which dead letters are asked for."""

    model_config = ConfigDict(extra="forbid")

    endpoint: _Name | None = None
    since: Instant | None = None
    """Given up at or after."""
    until: Instant | None = None
    """Given up before."""
    limit: Annotated[int, Field(ge=1, le=_SHOWN)] = 100


class DeadAnswer(BaseModel):
    """A message that nobody sends any more by itself."""

    id: str
    endpoint: str
    type: MessageType
    customer_id: str
    state: State
    """`dead`, or `unknown` where it may have arrived and must not be sent twice."""
    attempts: int
    created_at: AwareDatetime
    ended_at: AwareDatetime
    not_after: AwareDatetime | None
    detail: str | None


class DeadLettersAnswer(BaseModel):
    """The dead letters, the last to end first."""

    dead: list[DeadAnswer]
    more: bool
    """Whether there are more; ask for those until the last one's `ended_at`."""


class ReplayRequest(schemas.Request):
    """What to send again: messages by id, or those of an endpoint or of a time."""

    ids: Annotated[list[_Name], Field(min_length=1, max_length=_SHOWN)] | None = None
    endpoint: _Name | None = None
    since: Instant | None = None
    until: Instant | None = None
    dry_run: bool = False
    """Only say what would be sent."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        by_range = (self.endpoint, self.since, self.until) != (None, None, None)
        if by_range == (self.ids is not None):
            raise ValueError("give either ids, or an endpoint or a time; not both and not neither")
        return self


class RefusedReplay(BaseModel):
    """A message that is not sent again, and why."""

    id: str
    detail: str


class ReplayAnswer(BaseModel):
    """What is sent again, under the ids that receivers know; at most 1,000 of each are listed."""

    dry_run: bool
    replayed: int
    too_late: int
    """Messages whose time is over; they stay as they are."""
    messages: list[DeadAnswer]
    refused: list[RefusedReplay]


@router.get("/v1/outreach/deliveries", response_model=DeliveriesAnswer, tags=["outreach"])
async def get_deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """A page of messages, whatever became of them; filters narrow it."""
    database: Database = request.app.state.database
    filters = query.filters
    before = place_of(query.cursor, filters).at if query.cursor else None

    def work() -> dict[str, Any]:
        with database.reading() as connection:
            found = deliveries(connection, filters, before, query.limit + 1)
        shown = found[: query.limit]
        more = len(found) > query.limit
        following = cursor_at(Place(_MESSAGES, shown[-1].sequence), filters) if more else None
        return {"deliveries": [asdict(one) for one in shown], "next_cursor": following}

    return json_answer(await anyio.to_thread.run_sync(work))


@router.get("/v1/outreach/dead", response_model=DeadLettersAnswer, tags=["outreach"])
async def get_dead(request: Request, query: Annotated[DeadQuery, Query()]) -> Response:
    """The messages that were given up, or may have arrived and must not be sent twice."""
    database: Database = request.app.state.database
    choice = Choice(endpoint=query.endpoint, since=query.since, until=query.until)
    found = await anyio.to_thread.run_sync(dead_letters, database, choice, query.limit + 1)
    shown = [asdict(one) for one in found[: query.limit]]
    return json_answer({"dead": shown, "more": len(found) > query.limit})


@router.post("/v1/outreach/replay", response_model=ReplayAnswer, tags=["outreach"])
async def post_replay(request: Request, body: ReplayRequest) -> Response:
    """Send dead letters again, on a new schedule; with `dry_run` only say which.

    One that may have arrived (`unknown`) is sent again only by its own id.
    """
    database: Database = request.app.state.database
    who, now = caller(request), datetime.now(UTC)

    def work() -> dict[str, Any]:
        return _replayed(database, body, who, now)

    return json_answer(await anyio.to_thread.run_sync(work))


def _replayed(database: Database, body: ReplayRequest, who: str, now: datetime) -> dict[str, Any]:
    again: list[DeadLetter] = []
    too_late, refused = 0, []
    for choice in _choices(body):
        try:
            found = replay(database, choice, now, who, dry_run=body.dry_run)
        except ReplayError as error:
            refused.append({"id": choice.id, "detail": str(error)})
        else:
            again += found.again
            too_late += len(found.too_late)
    return {
        "dry_run": body.dry_run,
        "replayed": len(again),
        "too_late": too_late,
        "messages": [asdict(one) for one in again[:_SHOWN]],
        "refused": refused,
    }


def _choices(body: ReplayRequest) -> Sequence[Choice]:
    if body.ids is not None:
        return [Choice(id=one) for one in dict.fromkeys(body.ids)]
    return [Choice(endpoint=body.endpoint, since=body.since, until=body.until)]
