"""POST /v1/events: something fresh of one customer, kept, and the customer scored anew."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, ConfigDict, JsonValue, model_validator
from starlette.responses import Response

from features.live.admission import RowsRefused
from serving.api import schemas
from serving.api.answers import json_answer, origin, served_now
from serving.api.document import link
from serving.api.language import Asked, record_told, spoken
from serving.api.live import BehaviourRows, live_scorer, refused
from serving.api.problems import Problem
from serving.fresh_scoring import FreshScorer, Rescored
from serving.live import LiveScorer
from serving.outreach.forgotten import Erased
from serving.scoring import score_record, utc_text
from serving.served import NotReady, Served

router = APIRouter()

_LINKS = {
    "customer": link(
        "get_customer",
        "The same customer as the last scoring run found it.",
        parameters={"customer_id": "$request.body#/customer_id"},
    )
}


_DOCUMENTED: dict[str, JsonValue] = {
    "anyOf": [
        {"required": [table], "properties": {table: {"minItems": 1}}}
        for table in ("orders", "events", "subscriptions", "tickets", "surveys")
    ],
    "examples": [
        {
            "customer_id": "C-77",
            "orders": [{"ordered_at": "2026-05-04T10:15:00+07:00", "amount": 20}],
            "tickets": [{"ticket_id": "T-1", "opened_at": "2026-06-20T08:00+07:00"}],
        }
    ],
}


class FreshRequest(BehaviourRows):
    """What is new of one customer: orders, usage, and tickets or surveys as they stand now."""

    model_config = ConfigDict(json_schema_extra=_DOCUMENTED)

    @model_validator(mode="after")
    def _something(self) -> "FreshRequest":
        if not self.rows:
            raise ValueError("give at least one row of orders, events, tickets or another table")
        return self


class FreshAnswer(schemas.Origin):
    """The customer as scored from all that was known and what the call brought."""

    company_cutoff: AwareDatetime
    """As of when the company's own numbers hold."""
    customer: schemas.ScoreAnswer | None
    """Null for a customer whom the nightly run would leave out; `not_scored` says why."""
    score_id: str | None
    not_scored: str | None
    event: Literal["customer.at_risk", "customer.recovered"] | None
    """What the score changed, if it crossed the limit of high risk."""


@router.post(
    "/v1/events",
    response_model=FreshAnswer,
    responses={200: {"links": _LINKS}},
    tags=["scores"],
)
async def post_events(
    request: Request,
    body: FreshRequest,
    served: Annotated[Served, Depends(served_now)],
    language: Asked,
) -> Response:
    """Keep fresh rows of one customer and score the customer as of today.

    A ticket, subscription or survey that is known already is changed by what the row names; an
    order line with a known order and product is replaced; anything else is added.
    """
    scorer, now = live_scorer(request, served), datetime.now(UTC)
    fresh: FreshScorer = request.app.state.fresh

    def work() -> dict[str, Any]:
        answer = _answer(fresh, served, scorer, body, now)
        customer = answer["customer"]
        return {**answer, "customer": customer and record_told(customer, served, language)}

    return json_answer(await anyio.to_thread.run_sync(work), spoken(language))


def _answer(
    fresh: FreshScorer, served: Served, scorer: LiveScorer, body: FreshRequest, now: datetime
) -> dict[str, Any]:
    try:
        found = fresh.take_in(served, scorer, body.customer_id, body.rows, now)
    except RowsRefused as error:
        raise refused(error) from None
    except Erased as error:
        raise Problem(404, str(error), slug="erased") from None
    except NotReady as error:
        raise Problem(503, str(error), slug="not-ready") from None
    return {
        **origin(served),
        "cutoff": utc_text(scorer.cutoff(now)),
        "as_of": utc_text(now),
        "company_cutoff": utc_text(scorer.context.cutoff),
        **_outcome(found, explain=body.explain),
    }


def _outcome(found: Rescored, *, explain: bool) -> dict[str, Any]:
    score = found.score
    if score and not explain:
        score = replace(score, reasons=(), next_step=None)
    score_id = found.kept.score_id if found.kept else None
    return {
        "customer": score_record(score, score_id) if score else None,
        "score_id": score_id,
        "not_scored": found.not_scored,
        "event": found.event,
    }
