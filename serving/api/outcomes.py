"""POST /v1/outcomes: what became of customers, up to a thousand at once, each judged alone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from serving.api import schemas
from serving.api.answers import caller, json_answer, served_now
from serving.api.problems import FieldError, Problem
from serving.database import Database
from serving.outreach.prove.outcomes import AT_ONCE, Code, GivenOutcome, Taken, take_in
from serving.served import Served

router = APIRouter()


class OutcomesRequest(schemas.Request):
    """Outcomes in the order in which they are to be judged."""

    outcomes: Annotated[list[GivenOutcome], Field(min_length=1, max_length=AT_ONCE)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """Of every value; it must be the company's."""

    @model_validator(mode="after")
    def _money_has_its_currency(self) -> "OutcomesRequest":
        if self.currency is None and any(one.value is not None for one in self.outcomes):
            raise ValueError("say the currency of the values, such as EUR")
        return self


class OutcomeError(BaseModel):
    """Why an outcome was not kept."""

    code: Code
    detail: str


class OutcomeResult(BaseModel):
    """What became of one outcome."""

    status: Literal["kept", "duplicate", "refused"]
    """`duplicate`: it was known already, and is kept once."""
    error: OutcomeError | None


class OutcomesAnswer(BaseModel):
    """One result for each outcome, in the order given."""

    results: list[OutcomeResult]
    kept: int
    duplicates: int
    refused: int


@router.post("/v1/outcomes", response_model=OutcomesAnswer, tags=["outreach"])
async def post_outcomes(
    request: Request, body: OutcomesRequest, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Take in what became of contacted and held-out customers; one refused fails no other.

    The same outcome sent again counts once. Whoever unsubscribed, complained or bounced is not
    contacted again, from the next attempt on.
    """
    return await outcomes_answer(request, body, served, "api", caller(request))


async def outcomes_answer(
    request: Request, body: OutcomesRequest, served: Served, source: str, who: str
) -> Response:
    """Take in valid outcomes that `who` sent. Raises Problem 422 for money that is not ours."""
    _require_currency(body, served.snapshot.about.currency)
    database: Database = request.app.state.database
    now = datetime.now(UTC)

    def work() -> list[Taken]:
        with database.writing() as connection:
            return take_in(connection, body.outcomes, source, who, now)

    return json_answer(_answer(await anyio.to_thread.run_sync(work)))


def _require_currency(body: OutcomesRequest, currency: str) -> None:
    if body.currency not in (None, currency):
        told = FieldError(location="/currency", detail=f"convert the values to {currency}")
        raise Problem(422, f"the company's money is {currency}, not {body.currency}", [told])


def _answer(taken: Sequence[Taken]) -> dict[str, Any]:
    counts = [one.status for one in taken]
    return {
        "results": [{"status": one.status, "error": one.refusal} for one in taken],
        "kept": counts.count("kept"),
        "duplicates": counts.count("duplicate"),
        "refused": counts.count("refused"),
    }
