"""The API as one FastAPI application, mounted by the BentoML service or run alone in tests."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from serving.api.access_log import log_answer
from serving.api.document import PATH, DocumentedApi, operation_id
from serving.api.idempotency import IdempotentApp
from serving.api.problems import (
    Problem,
    ProblemDocument,
    install_problems,
    problem_response,
    request_id,
)

if TYPE_CHECKING:
    from serving.api.access import Access
    from serving.api.hot import HotAnswer, HotAnswers
    from serving.api.metrics import Metrics
    from serving.api.outreach_metrics import OutreachMetrics
    from serving.newer import NewerScores
    from serving.served import Shelf

_log = logging.getLogger("setia.serving")

REFRESH_SECONDS = 1.0
"""How often the service looks for a newer scoring run or bundle."""


def create_app() -> FastAPI:
    """The application before it knows its workspace: `install` gives it routes and scores.

    They are apart because BentoML's parent process imports the service too, and the models'
    libraries are for the workers only.
    """
    app = DocumentedApi(
        title="Setia",
        version="1",
        description="Churn risk, customer lifetime value, reasons and the at-risk list.",
        openapi_url=PATH,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=operation_id,
        responses={"default": {"model": ProblemDocument, "description": "A problem (RFC 9457)"}},
    )
    install_problems(app)
    return app


def install(app: FastAPI, workspace: Path, operations_url: str | None = None) -> "Shelf":
    """Add the routes to `app` and load what `workspace` holds, which may be nothing yet.

    `operations_url` names the PostgreSQL that holds the operations database, if one does.
    """
    from serving.api.access import Access
    from serving.api.hot import HotAnswers
    from serving.api.kept_answers import KeptAnswers
    from serving.api.metrics import Metrics
    from serving.api.outreach_metrics import OutreachMetrics
    from serving.database import Database, DatabaseError
    from serving.fresh_scoring import FreshScorer
    from serving.live import LiveShelf
    from serving.newer import NewerScores
    from serving.served import Shelf

    _add_routes(app)
    app.add_exception_handler(DatabaseError, _on_lost_database)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_api_route("/", _index, include_in_schema=False)
    app.state.shelf = shelf = Shelf(workspace)
    app.state.live = LiveShelf(workspace)
    app.state.metrics = Metrics()
    app.state.database = database = Database(workspace, operations_url)
    registry = app.state.metrics.registry
    app.state.outreach_metrics = OutreachMetrics(registry, database, workspace)
    app.state.newer = newer = NewerScores(database)
    app.state.hot = HotAnswers(lambda: shelf, newer)
    app.state.fresh = FreshScorer(workspace, database, newer)
    app.state.access = Access(database)
    app.state.kept_answers = KeptAnswers(database)
    refresh(app)
    return shelf


def openapi_text() -> str:
    """The OpenAPI document as `docs/openapi.json` holds it."""
    app = create_app()
    _add_routes(app)
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


async def admit(app: FastAPI, scope: Scope) -> list[tuple[bytes, bytes]]:
    """Let a request to `app` pass, as `Access.admit` does."""
    access: Access = app.state.access
    return await access.admit(scope)


def done_once(app: ASGIApp, of: FastAPI) -> ASGIApp:
    """`app` with writes that carry an idempotency key done once, as `of` remembers them."""
    return IdempotentApp(app, lambda: of.state.kept_answers)


async def hot_answer(app: FastAPI, scope: Scope, body: bytes) -> "HotAnswer | None":
    """The answer of `app` to a hot request, as `HotAnswers` gives it."""
    hot: HotAnswers = app.state.hot
    return await hot(scope, body)


def observe(app: FastAPI, scope: Scope, status: int, seconds: float) -> None:
    """Count one answered request in the metrics of `app`, and log it."""
    metrics: Metrics = app.state.metrics
    metrics.answered(scope, status, seconds)
    log_answer(scope, status, seconds)


def refresh(app: FastAPI) -> None:
    """Take up newer scores and newly made or ended keys; note what is served and what refused."""
    shelf: Shelf = app.state.shelf
    newer: NewerScores = app.state.newer
    access: Access = app.state.access
    metrics: Metrics = app.state.metrics
    if shelf.refresh():
        metrics.serving(shelf.served)
    if shelf.is_ready:
        newer.refresh(shelf.served.snapshot.about)
    metrics.refused(shelf.refused)
    access.ring.refresh()
    metrics.guarded(required=access.ring.required)
    outreach: OutreachMetrics = app.state.outreach_metrics
    outreach.refresh(datetime.now(UTC))


def _add_routes(app: FastAPI) -> None:
    from serving.api import (
        at_risk,
        callbacks,
        customers,
        deliveries,
        effect,
        erasure,
        events,
        export,
        live,
        models,
        outcomes,
        outreach_decisions,
        scores,
        unsubscribe,
    )

    about_scores = (scores, live, events, customers, at_risk, export, models)
    about_outreach = (outcomes, callbacks, outreach_decisions, deliveries, effect, unsubscribe)
    for module in (*about_scores, *about_outreach, erasure):
        app.include_router(module.router)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watch = asyncio.create_task(_watch(app))
    yield
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    app.state.access.ring.close()
    app.state.database.close()


async def _watch(app: FastAPI) -> None:
    shelf: Shelf = app.state.shelf
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await asyncio.to_thread(refresh, app)
        await asyncio.to_thread(shelf.read_models)


async def _metrics(request: Request) -> Response:
    from prometheus_client import CONTENT_TYPE_LATEST

    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), 200, media_type=CONTENT_TYPE_LATEST)


async def _on_lost_database(request: Request, error: Exception) -> Response:
    _log.error("request %s: %s", request_id(request), error)
    told = Problem(503, "the operations database cannot be used; nothing was done, try again soon")
    return problem_response(told, request_id(request))


async def _index() -> Response:
    """Shown instead of BentoML's start page, which loads scripts from other sites."""
    return RedirectResponse(PATH)
