"""GET /v1/customers/{customer_id}: one customer by the newest score there is."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.api.answers import JSON, newer_scores, origin, origin_of, served_now, with_origin
from serving.api.document import link
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
from serving.database import Database
from serving.newer import NewerScore
from serving.outreach.forgotten import forgotten_by
from serving.served import Served

PREFIX = "/v1/customers/"
ROUTE = f"{PREFIX}{{customer_id}}"

router = APIRouter()

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


@router.get(
    ROUTE,
    response_model=CustomerAnswer,
    responses={200: {"links": _LINKS}},
    tags=["customers"],
)
async def get_customer(
    request: Request, customer_id: str, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score, value with its interval, reasons, next step, churn curve and place in the list.

    A live score that is newer than the scoring run's takes its place, and `live` says so.
    """
    newer = await newer_scores(request, served, [customer_id])
    if customer_id in newer:
        return Response(_newer_answer(served, newer[customer_id]), media_type=JSON)
    answer = customer_answer(served, customer_id)
    if answer is None:
        database: Database = request.app.state.database
        forgotten = await anyio.to_thread.run_sync(forgotten_by, database)
        raise _unknown(is_erased=customer_id in forgotten)
    return Response(answer, media_type=JSON)


def _unknown(*, is_erased: bool) -> Problem:
    if is_erased:
        return Problem(404, "this person was erased; nothing is shown of them", slug="erased")
    return Problem(
        404,
        "this customer is not in the last scoring run; only customers eligible at its cutoff are "
        "scored",
        slug="unknown-customer",
    )


def customer_answer(served: Served, customer_id: str) -> bytes | None:
    """The answer from the JSON that the scoring run stored; None for an unknown customer."""
    found = served.snapshot.find(customer_id)
    if found is None:
        return None
    return with_origin(origin(served), _member(found.rank, found.score, found.timing))


def _newer_answer(served: Served, newer: NewerScore) -> bytes:
    found = served.snapshot.find(newer.customer_id)
    rank = found.rank if found else None
    return with_origin(origin_of(newer, served), _member(rank, newer.record, newer.timing))


def _member(rank: int | None, score: bytes, timing: bytes) -> bytes:
    placed = b"null" if rank is None else str(rank).encode()
    return b"".join((b'"customer":{"rank":', placed, b",", score[1:-1], b",", timing[1:]))
