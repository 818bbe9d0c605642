"""GET /v1/customers/{customer_id}: one customer by the newest score there is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from features.wording import Language
from serving.api.answers import JSON, newer_scores, origin, origin_of, served_now, with_origin
from serving.api.document import link
from serving.api.language import Asked, score_told, spoken, timing_told
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
from serving.newer import NewerScore
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
    request: Request,
    customer_id: str,
    served: Annotated[Served, Depends(served_now)],
    language: Asked,
) -> Response:
    """Score, value with its interval, reasons, next step, churn curve and place in the list.

    A live score that is newer than the scoring run's takes its place, and `live` says so.
    """
    newer = await newer_scores(request, served, [customer_id])
    answer = customer_answer(served, customer_id, newer.get(customer_id), language)
    if answer is None:
        raise Problem(
            404,
            "this customer is not in the last scoring run; only customers eligible at its "
            "cutoff are scored",
            slug="unknown-customer",
        )
    return Response(answer, 200, spoken(language), JSON)


def customer_answer(
    served: Served, customer_id: str, newer: NewerScore | None, language: Language
) -> bytes | None:
    """The answer from the JSON that was stored with the score; None for an unknown customer."""
    found = served.snapshot.find(customer_id)
    if newer:
        said, score, timing = origin_of(newer, served), newer.record, newer.timing
    elif found:
        said, score, timing = origin(served), found.score, found.timing
    else:
        return None
    if language != served.snapshot.about.serving.language:
        timing = timing_told(timing, score, served, language)
        score = score_told(score, served, language)
    rank = str(found.rank).encode() if found else b"null"
    member = (b'"customer":{"rank":', rank, b",", score[1:-1], b",", timing[1:])
    return with_origin(said, b"".join(member))
