"""POST /v1/outcomes/signed: outcomes that a provider calls back with, signed in place of a key."""

import os
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from serving.api import schemas
from serving.api.access import SIGNED
from serving.api.answers import served_now
from serving.api.outcomes import OutcomesAnswer, OutcomesRequest, outcomes_answer
from serving.api.problems import Problem
from serving.instants import Instant
from serving.outreach.deliver.signatures import (
    SecretError,
    SignatureError,
    require_signed,
    signing_key,
)
from serving.served import Served

SECRET_VARIABLE = "SETIA_CALLBACK_SECRET"  # noqa: S105 - the name of a variable

router = APIRouter()

_Signed = Annotated[str, Header(min_length=1, max_length=1_000)]


class Callback(schemas.Request):
    """A webhook as Standard Webhooks 1.0.0 has it, with outcomes as its data."""

    type: Literal["customer.outcomes"]
    timestamp: Instant
    data: OutcomesRequest


async def signed_id(
    request: Request,
    webhook_id: _Signed,
    webhook_timestamp: _Signed,
    webhook_signature: _Signed,
) -> str:
    """The id of the callback. Raises Problem 401 unless the secret's holder signed it just now."""
    given = {
        "webhook-id": webhook_id,
        "webhook-timestamp": webhook_timestamp,
        "webhook-signature": webhook_signature,
    }
    try:
        key = signing_key(os.environ.get(SECRET_VARIABLE, ""), SECRET_VARIABLE)
        return require_signed([key], given, await request.body(), datetime.now(UTC))
    except SecretError:
        detail = f"no callbacks are taken: set {SECRET_VARIABLE} where the service starts"
        raise Problem(404, detail, slug="callbacks-off") from None
    except SignatureError as error:
        raise Problem(
            401,
            str(error),
            slug="signature",
            headers={"WWW-Authenticate": 'Signature realm="setia"'},
        ) from None


@router.post(SIGNED, response_model=OutcomesAnswer, tags=["outreach"])
async def post_signed_outcomes(
    request: Request,
    signed: Annotated[str, Depends(signed_id)],
    body: Callback,
    served: Annotated[Served, Depends(served_now)],
) -> Response:
    """Take in outcomes from a provider that signs them with the secret SETIA_CALLBACK_SECRET.

    They are judged as those of POST /v1/outcomes are, so one that comes again counts once.
    """
    return await outcomes_answer(request, body.data, served, "callback", f"callback {signed}"[:60])
