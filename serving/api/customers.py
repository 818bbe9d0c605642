"""GET /v1/customers/{customer_id}: one customer as the last scoring run found it."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from serving.api.answers import json_answer, origin, served_now
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
from serving.served import Served

router = APIRouter()


@router.get("/v1/customers/{customer_id}", response_model=CustomerAnswer, tags=["customers"])
async def get_customer(
    customer_id: str, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score, value with its interval, reasons, next step and place in the at-risk list."""
    found = served.snapshot.find(customer_id)
    if found is None:
        raise Problem(
            404,
            "this customer is not in the last scoring run; only customers eligible at its "
            "cutoff are scored",
            slug="unknown-customer",
        )
    customer = {"rank": found.rank, **orjson.loads(found.score)}
    return json_answer({**origin(served), "customer": customer})
