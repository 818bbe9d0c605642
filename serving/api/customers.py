"""GET /v1/customers/{customer_id}: one customer as the last scoring run found it."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from serving.api.answers import json_answer, origin, served_now
from serving.api.problems import Problem
from serving.api.schemas import CustomerAnswer
from serving.served import Served
from serving.when import act_by_meaning, curve_points

router = APIRouter()


@router.get("/v1/customers/{customer_id}", response_model=CustomerAnswer, tags=["customers"])
async def get_customer(
    customer_id: str, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score, value with its interval, reasons, next step, churn curve and place in the list."""
    found = served.snapshot.find(customer_id)
    if found is None:
        raise Problem(
            404,
            "this customer is not in the last scoring run; only customers eligible at its "
            "cutoff are scored",
            slug="unknown-customer",
        )
    score, language = orjson.loads(found.score), served.snapshot.about.serving.language
    meaning = act_by_meaning(served.bundle, score["act_by"], language)
    curve = curve_points(served.bundle, score["churn_probability"], found.features)
    customer = {"rank": found.rank, **score, "act_by_meaning": meaning, "churn_curve": curve}
    return json_answer({**origin(served), "customer": customer})
