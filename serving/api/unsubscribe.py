"""/v1/unsubscribe/{token}: a customer, or their mail program (RFC 8058), wants no more messages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Request
from starlette.responses import HTMLResponse, Response

from features.wording import Language
from serving.api.language import negotiated, spoken
from serving.api.problems import Problem
from serving.database import Database
from serving.outreach.opt_out import PATH, OptOutError, opened, opt_out_key
from serving.outreach.prove.outcomes import opt_out

router = APIRouter()

_ASKS: Mapping[Language, tuple[str, str]] = {
    "en": ("Do you want no more messages like the one that led you here?", "Unsubscribe"),
    "id": ("Tidak ingin lagi menerima pesan seperti yang membawa Anda ke sini?", "Berhenti"),
}
_DONE: Mapping[Language, str] = {
    "en": "You will get no more messages like this one.",
    "id": "Anda tidak akan menerima pesan seperti ini lagi.",
}
_PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title></head>'
    "<body><p>{text}</p>{form}</body></html>"
)
_FORM = '<form method="post"><button>{button}</button></form>'
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_ROUTE = PATH + "{token}"
_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}}}
}

_Token = Annotated[str, Path(min_length=1, max_length=2_000)]
_Accepted = Annotated[str | None, Header()]


@router.get(_ROUTE, response_class=Response, responses=_DOCUMENTED, tags=["outreach"])
async def get_unsubscribe(
    request: Request, token: _Token, accept_language: _Accepted = None
) -> Response:
    """A page with a button that posts here; looking at it, as programs do, changes nothing."""
    database: Database = request.app.state.database
    await anyio.to_thread.run_sync(_opened, database, token)
    language = negotiated(accept_language or "", "en")
    asks, button = _ASKS[language]
    return _page(language, button, asks, _FORM.format(button=button))


@router.post(_ROUTE, response_class=Response, responses=_DOCUMENTED, tags=["outreach"])
async def post_unsubscribe(
    request: Request, token: _Token, accept_language: _Accepted = None
) -> Response:
    """Contact the customer no more by the channel of the link, from the next attempt on.

    Needs no key, for Setia signed the link, and no body. Doing so again changes nothing.
    """
    database: Database = request.app.state.database
    now = datetime.now(UTC)

    def work() -> None:
        customer_id, channel = _opened(database, token)
        with database.writing() as connection:
            opt_out(connection, customer_id, channel, now)

    await anyio.to_thread.run_sync(work)
    language = negotiated(accept_language or "", "en")
    return _page(language, _ASKS[language][1], _DONE[language])


def _opened(database: Database, token: str) -> tuple[str, str]:
    """The customer and channel of a link. Raises Problem 404 for one that is not ours."""
    try:
        if not database.exists:
            raise OptOutError("no link was ever made here")
        with database.reading() as connection:
            return opened(opt_out_key(connection), token)
    except OptOutError as error:
        raise Problem(404, str(error), slug="opt-out-link") from None


def _page(language: Language, title: str, text: str, form: str = "") -> Response:
    page = _PAGE.format(language=language, title=title, text=text, form=form)
    return HTMLResponse(page, headers=_HEADERS | spoken(language))
