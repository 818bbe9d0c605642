"""What every handler shares: what is served now, and an answer as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from serving.api.problems import Problem
from serving.scoring import utc_text
from serving.served import NotReady, Served, Shelf

JSON = "application/json"


def served_now(request: Request) -> Served:
    """What this request is answered from, start to end.

    Raises Problem 503, with the command that helps, when there is nothing to serve.
    """
    shelf: Shelf = request.app.state.shelf
    try:
        return shelf.served
    except NotReady as error:
        raise Problem(503, str(error), slug="not-ready") from None


def origin(served: Served, *, cutoff: bool = True) -> dict[str, Any]:
    """The members of `schemas.Origin`; without `cutoff` the features came with the call."""
    about = served.snapshot.about
    age = datetime.now(UTC) - about.created_at
    return {
        "cutoff": utc_text(about.cutoff) if cutoff else None,
        "as_of": utc_text(about.created_at) if cutoff else None,
        "stale": cutoff and age > timedelta(days=about.serving.stale_after_days),
        "model_version": about.model_version,
        "currency": about.currency,
        "generated": about.generated,
    }


def with_origin(known: Mapping[str, Any], rest: bytes) -> bytes:
    """JSON of the members of `known`, then of those in `rest`, which is JSON already."""
    return orjson.dumps(known)[:-1] + b"," + rest + b"}"


def json_answer(content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The content as a JSON answer."""
    return Response(orjson.dumps(content), 200, dict(headers or {}), JSON)
