"""What every handler shares: what is served now, and an answer as JSON."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import anyio.to_thread
import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from serving.api.problems import Problem
from serving.newer import NewerScore, NewerScores
from serving.scoring import utc_text
from serving.served import NotReady, Served, Shelf

JSON = "application/json"

_said: WeakKeyDictionary[Served, dict[tuple[bool, bool], bytes]] = WeakKeyDictionary()
"""The origin as JSON, by whether there is a cutoff and whether the scores are stale."""


def served_now(request: Request) -> Served:
    """What this request is answered from, start to end.

    Raises Problem 503, with the command that helps, when there is nothing to serve.
    """
    shelf: Shelf = request.app.state.shelf
    try:
        return shelf.served
    except NotReady as error:
        raise Problem(503, str(error), slug="not-ready") from None


def caller(request: Request) -> str:
    """Who asks, for the audit: the key's id, or `local` while no key exists."""
    key = request.scope.get("setia.key")
    return f"key {key.id}" if key else "local"


def origin(served: Served, *, cutoff: bool = True) -> dict[str, Any]:
    """The members of `schemas.Origin`; without `cutoff` the features came with the call."""
    about = served.snapshot.about
    return {
        "cutoff": utc_text(about.cutoff) if cutoff else None,
        "as_of": utc_text(about.created_at) if cutoff else None,
        "stale": cutoff and datetime.now(UTC) > served.stale_from,
        "model_version": about.model_version,
        "currency": about.currency,
        "generated": about.generated,
    }


def origin_of(newer: NewerScore, served: Served) -> dict[str, Any]:
    """The members of `schemas.Origin` for an answer that is one live score."""
    return {
        **origin(served),
        "cutoff": utc_text(newer.cutoff),
        "as_of": utc_text(newer.scored_at),
        "stale": newer.is_stale,
        "model_version": newer.model_version,
    }


async def newer_scores(
    request: Request, served: Served, customer_ids: Collection[str]
) -> dict[str, NewerScore]:
    """Those of the customers' live scores that are newer than the scoring run's."""
    known: NewerScores = request.app.state.newer
    if not known.any_of(customer_ids):
        return {}
    about, now = served.snapshot.about, datetime.now(UTC)
    return await anyio.to_thread.run_sync(known.find, about, customer_ids, now)


def with_origin(served: Served, rest: bytes, *, cutoff: bool = True) -> bytes:
    """JSON of the members of `origin`, then of those in `rest`, which is JSON already."""
    stale = cutoff and datetime.now(UTC) > served.stale_from
    said = _said.get(served)
    if said is None:
        said = _said[served] = {}
    if (cutoff, stale) not in said:
        said[cutoff, stale] = orjson.dumps(origin(served, cutoff=cutoff))[:-1] + b","
    return b"%b%b}" % (said[cutoff, stale], rest)


def with_live_origin(newer: NewerScore, served: Served, rest: bytes) -> bytes:
    """The same with the members of `origin_of`."""
    return b"%b,%b}" % (orjson.dumps(origin_of(newer, served))[:-1], rest)


def json_answer(content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The content as a JSON answer."""
    return Response(orjson.dumps(content), 200, dict(headers or {}), JSON)


def origin_headers(served: Served) -> dict[str, str]:
    """The `origin` as headers, for answers that are not JSON."""
    return {
        f"Setia-{name.replace('_', '-').title()}": value
        if isinstance(value, str)
        else str(value).lower()
        for name, value in origin(served).items()
        if value is not None
    }


def attachment(filename: str) -> dict[str, str]:
    """The header that names the file an answer is to be kept in."""
    return {"Content-Disposition": f'attachment; filename="{filename}"'}


def entity_tag(served: Served, query: BaseModel, kind: str) -> str:
    """The ETag of what `query` asks of the scores, as media of `kind`."""
    about = served.snapshot.about
    # Where a run has fewer customers than before, somebody was erased.
    known = [kind, query.model_dump(mode="json"), origin(served), about.customers]
    digest = sha256(orjson.dumps(known)).hexdigest()[:16]
    return f'"{about.snapshot_id}-{digest}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client already has the answer with this ETag (RFC 9110, 13.1.2)."""
    given = request.headers.get("if-none-match", "")
    tags = [part.strip().removeprefix("W/") for part in given.split(",")]
    return tag in tags or tags == ["*"]
