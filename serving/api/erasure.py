"""DELETE /v1/customers/{customer_id}: a person erased, with a receipt."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, BaseModel
from starlette.responses import Response

from serving.api.answers import caller, json_answer
from serving.api.customers import ROUTE
from serving.database import Database
from serving.erasure import Receipt, erase_customer
from serving.served import Shelf

router = APIRouter()


class ErasureReceipt(BaseModel):
    """What was erased where, and what is left to you; the person is not named in it."""

    erased_at: AwareDatetime
    erased_before: AwareDatetime | None
    """When this person was first erased, if this is not the first time."""
    rows: dict[str, int]
    """Table of the operations database to rows deleted, or cleared of all that tells of them."""
    files: dict[str, str]
    """File of the workspace to what became of it."""
    sent_to: dict[str, int]
    """Endpoint to messages about this person that it was given: ask there for erasure as well."""
    to_do: list[str]


@router.delete(ROUTE, response_model=ErasureReceipt, tags=["customers"])
async def delete_customer(
    request: Request, customer_id: Annotated[str, Path(max_length=200)]
) -> Response:
    """Erase a person for good, known or not: nothing is shown of them or sent to them again.

    Of the id only a keyed hash stays. Asking again erases what has come since.
    """
    shelf: Shelf = request.app.state.shelf
    database: Database = request.app.state.database
    who, now = caller(request), datetime.now(UTC)

    def work() -> Receipt:
        receipt = erase_customer(database, shelf.workspace, customer_id, who, now)
        shelf.refresh()
        return receipt

    return json_answer(asdict(await anyio.to_thread.run_sync(work)))
