"""GET /v1/customers/{customer_id}: one customer by the newest score there is."""

import logging
from typing import Annotated, Any

import anyio.to_thread
import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from features.wording import Language
from serving.api.answers import JSON, newer_scores, served_now, with_live_origin, with_origin
from serving.api.document import link
from serving.api.language import Asked, score_told, spoken, timing_told
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
from serving.database import Database, DatabaseError
from serving.newer import NewerScore
from serving.outreach.forgotten import forgotten_by
from serving.served import Served
from serving.trail import decisions_of, score_history

PREFIX = "/v1/customers/"
ROUTE = f"{PREFIX}{{customer_id}}"

router = APIRouter()

_NO_TRAIL = b'"history":null,"decisions":null'
_log = logging.getLogger("setia.serving")

_LINKS = {
    "predicted_again": link(
        "post_scores",
        "The same score, predicted again from the stored feature row.",
        requestBody={
            "customer_ids": ["$response.body#/customer/customer_id"],
            "repredict": True,
        },
    )
}


class CustomerQuery(BaseModel):
    """The query string of a customer; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    include: Annotated[
        str | None, Field(pattern=r"^(history|decisions)(,(history|decisions))*$", max_length=100)
    ] = None
    """`history`, `decisions` or both with a comma: what else is to be told."""


@router.get(
    ROUTE,
    response_model=CustomerAnswer,
    responses={200: {"links": _LINKS}},
    tags=["customers"],
)
async def get_customer(
    request: Request,
    customer_id: str,
    served: Annotated[Served, Depends(served_now)],
    query: Annotated[CustomerQuery, Query()],
    language: Asked,
) -> Response:
    """Score, value with its interval, reasons, next step, churn curve and place in the list.

    A live score that is newer than the scoring run's takes its place, and `live` says so.
    `include=history,decisions` adds the scores over time, and what outreach decided.
    """
    newer = await newer_scores(request, served, [customer_id])
    trail = await _trail(request, served, customer_id, query) if query.include else _NO_TRAIL
    answer = customer_answer(served, customer_id, newer.get(customer_id), language, trail)
    if answer is None:
        database: Database = request.app.state.database
        forgotten = await anyio.to_thread.run_sync(forgotten_by, database)
        raise _unknown(is_erased=customer_id in forgotten)
    return Response(answer, 200, spoken(language), JSON)


def _unknown(*, is_erased: bool) -> Problem:
    if is_erased:
        return Problem(404, "this person was erased; nothing is shown of them", slug="erased")
    return Problem(
        404,
        "this customer is not in the last scoring run; only customers eligible at its cutoff are "
        "scored",
        slug="unknown-customer",
    )


def customer_answer(
    served: Served,
    customer_id: str,
    newer: NewerScore | None,
    language: Language,
    trail: bytes = _NO_TRAIL,
) -> bytes | None:
    """The answer from the JSON that was stored with the score; None for an unknown customer.

    `trail` is JSON of the members after the customer.
    """
    found = served.snapshot.find(customer_id)
    if newer:
        score, timing = newer.record, newer.timing
    elif found:
        score, timing = found.score, found.timing
    else:
        return None
    if language != served.snapshot.about.serving.language:
        timing = timing_told(timing, score, served, language)
        score = score_told(score, served, language)
    rank = b"%d" % found.rank if found else b"null"
    member = b'"customer":{"rank":%b,%b,%b,%b' % (rank, score[1:-1], timing[1:], trail)
    return with_live_origin(newer, served, member) if newer else with_origin(served, member)


async def _trail(request: Request, served: Served, customer_id: str, query: CustomerQuery) -> bytes:
    """JSON of the members that were asked for."""
    database: Database = request.app.state.database
    wanted, snapshot = (query.include or "").split(","), served.snapshot

    def read() -> bytes:
        told: dict[str, Any] = {"history": None, "decisions": None}
        with database.reading() as connection:
            if "history" in wanted:
                told["history"] = score_history(snapshot, connection, customer_id)
            if "decisions" in wanted:
                told["decisions"] = decisions_of(connection, customer_id)
        return orjson.dumps(told, option=orjson.OPT_UTC_Z)[1:-1]

    try:
        return await anyio.to_thread.run_sync(read)
    except DatabaseError as error:
        _log.warning("history and decisions cannot be read: %s", error)
        raise Problem(
            503, "history and decisions cannot be read now; ask without them", slug="not-readable"
        ) from None
