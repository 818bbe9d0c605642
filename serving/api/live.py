"""POST /v1/scores/live: score one customer from the rows of the call."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue
from starlette.responses import Response

from features.config import TableName
from features.live.admission import RowFault, RowsRefused
from features.live.readings import TIME_PATTERN, instant
from features.wording import Language
from serving.api import schemas
from serving.api.answers import json_answer, origin, served_now
from serving.api.language import Asked, record_told, spoken
from serving.api.live_rows import MOST_ROWS, RowOf
from serving.api.problems import FieldError, Problem
from serving.live import GivenRows, LiveScorer, LiveShelf, NotEligible
from serving.scoring import score_record, utc_text
from serving.served import NotReady, Served

router = APIRouter()

Row = dict[str, Any]

_INLINE_ROWS = 300
"""Up to so many rows a score takes less time than is worth a thread."""
_LISTED = 20


class BehaviourRows(schemas.Request):
    """Rows of one customer under the names of the data contract.

    A table or column that the company's nightly data lacks is refused: the model knows none.
    """

    customer_id: schemas.CustomerId
    orders: list[Annotated[Row, RowOf("orders")]] = Field([], max_length=MOST_ROWS["orders"])
    events: list[Annotated[Row, RowOf("events")]] = Field([], max_length=MOST_ROWS["events"])
    subscriptions: list[Annotated[Row, RowOf("subscriptions")]] = Field(
        [], max_length=MOST_ROWS["subscriptions"]
    )
    tickets: list[Annotated[Row, RowOf("tickets")]] = Field([], max_length=MOST_ROWS["tickets"])
    surveys: list[Annotated[Row, RowOf("surveys")]] = Field([], max_length=MOST_ROWS["surveys"])
    explain: bool = True
    """Whether to add reasons and the next step."""

    @property
    def rows(self) -> GivenRows:
        """The rows by table; tables without any are left out."""
        tables: dict[TableName, list[Row]] = {
            "orders": self.orders,
            "events": self.events,
            "subscriptions": self.subscriptions,
            "tickets": self.tickets,
            "surveys": self.surveys,
        }
        return {name: rows for name, rows in tables.items() if rows}


_EXAMPLE: dict[str, JsonValue] = {
    "customer_id": "C-77",
    "as_of": "2026-06-30",
    "customer": {"signed_up_at": "2025-11-02"},
    "orders": [
        {"ordered_at": "2026-05-04T10:15:00+07:00", "amount": 20, "order_id": "A-1"},
        {"ordered_at": "2026-06-01 09:00:00", "amount": -4, "order_id": "A-2"},
    ],
    "tickets": [{"ticket_id": "T-1", "opened_at": "2026-06-20T08:00+07:00", "channel": "email"}],
    "surveys": [{"kind": "csat", "answered_at": "2026-06-21", "score": 2, "ticket_id": "T-1"}],
}


class LiveRequest(BehaviourRows):
    """One customer and all that is known of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    as_of: (
        Annotated[str, Field(max_length=40, json_schema_extra={"pattern": TIME_PATTERN})] | None
    ) = None
    """The instant to stand at, or a date for the start of that day; now when left out."""
    customer: Annotated[Row, RowOf("customers")] | None = None

    @property
    def rows(self) -> GivenRows:
        """The rows by table, the customer's own among them."""
        own: GivenRows = {"customers": [self.customer]} if self.customer is not None else {}
        return {**super().rows, **own}


class LiveAnswer(schemas.Origin):
    """One customer as scored from the rows of the call."""

    company_cutoff: AwareDatetime
    """As of when the company's own numbers, with which the customer is compared, hold."""
    customer: schemas.ScoreAnswer


@router.post("/v1/scores/live", response_model=LiveAnswer, tags=["scores"])
async def post_live(
    request: Request,
    body: LiveRequest,
    served: Annotated[Served, Depends(served_now)],
    language: Asked,
) -> Response:
    """Score one customer from rows sent along, as the nightly run would from the same rows.

    The cutoff is the end of the local day of `as_of`, so that all of today counts; `as_of` at
    the start of a day is the cutoff itself. Rows at or after the cutoff count for nothing.
    """
    scorer, now = live_scorer(request, served), datetime.now(UTC)
    work = partial(_answer, scorer, served, body, language, now)
    is_small = sum(map(len, body.rows.values())) <= _INLINE_ROWS
    answer = work() if is_small else await anyio.to_thread.run_sync(work)
    return json_answer(answer, spoken(language))


def live_scorer(request: Request, served: Served) -> LiveScorer:
    """What scores live now. Raises Problem 503 when the last scoring run left nothing for it."""
    shelf: LiveShelf = request.app.state.live
    try:
        return shelf.scorer(served)
    except NotReady as error:
        raise Problem(503, str(error), slug="not-ready") from None


def _answer(
    scorer: LiveScorer, served: Served, body: LiveRequest, language: Language, now: datetime
) -> dict[str, Any]:
    cutoff = scorer.cutoff(_as_of(body.as_of, scorer.context.shape.zone, now))
    try:
        rows = scorer.admit(body.customer_id, body.rows, now)
        score = scorer.score(
            body.customer_id, rows, cutoff, served.snapshot.about.serving, explain=body.explain
        )
    except RowsRefused as error:
        raise refused(error) from None
    except NotEligible as error:
        raise Problem(422, str(error), slug="not-eligible") from None
    return {
        **origin(served),
        "cutoff": utc_text(cutoff),
        "company_cutoff": utc_text(scorer.context.cutoff),
        "customer": record_told(score_record(score), served, language),
    }


def _as_of(given: str | None, zone: ZoneInfo, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        as_of = instant(given, zone)
    except ValueError as error:
        raise _invalid([FieldError(location="/as_of", detail=str(error))]) from None
    if as_of > now:
        detail = f"{utc_text(as_of)} lies in the future; leave it out to stand at now"
        raise _invalid([FieldError(location="/as_of", detail=detail)])
    return as_of


def refused(error: RowsRefused) -> Problem:
    """The problem that names every value that breaks the contract, by JSON pointer."""
    return _invalid([FieldError(location=_pointer(f), detail=f.detail) for f in error.faults])


def _invalid(errors: list[FieldError]) -> Problem:
    listed = errors[:_LISTED]
    more = f" (the first {len(listed)} are listed)" if len(errors) > len(listed) else ""
    return Problem(422, f"{len(errors)} part(s) of the request are not valid{more}", listed)


def _pointer(fault: RowFault) -> str:
    column = fault.column.replace("~", "~0").replace("/", "~1")
    if fault.table == "customers":
        return f"/customer/{column}"
    return f"/{fault.table}/{fault.row}/{column}"
