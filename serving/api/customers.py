"""GET /v1/customers/{customer_id}: one customer as the last scoring run found it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from serving.api.answers import JSON, served_now, with_origin
from serving.api.document import link
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
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
    customer_id: str, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score, value with its interval, reasons, next step, churn curve and place in the list."""
    answer = customer_answer(served, customer_id)
    if answer is None:
        raise Problem(
            404,
            "this customer is not in the last scoring run; only customers eligible at its "
            "cutoff are scored",
            slug="unknown-customer",
        )
    return Response(answer, media_type=JSON)


def customer_answer(served: Served, customer_id: str) -> bytes | None:
    """The answer from the JSON that the scoring run stored; None for an unknown customer."""
    found = served.snapshot.find(customer_id)
    if found is None:
        return None
    told = (found.rank, found.score[1:-1], found.timing[1:])
    return with_origin(served, b'"customer":{"rank":%d,%b,%b' % told)
