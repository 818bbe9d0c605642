"""The API as one FastAPI application, mounted by the BentoML service or run alone in tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Scope

from serving.api.problems import MEDIA_TYPE, ProblemDocument, install_problems

if TYPE_CHECKING:
    from serving.api.metrics import Metrics
    from serving.served import Shelf

REFRESH_SECONDS = 1.0
"""How often the service looks for a newer scoring run or bundle."""


class DocumentedApi(FastAPI):
    """FastAPI whose OpenAPI document gives errors the media type they are sent with."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            for path in super().openapi()["paths"].values():
                for operation in path.values():
                    content = operation["responses"]["default"]["content"]
                    content[MEDIA_TYPE] = content.pop("application/json")
        return super().openapi()


def create_app() -> FastAPI:
    """The application before it knows its workspace: `install` gives it routes and scores.

    They are apart because BentoML's parent process imports the service too, and the models'
    libraries are for the workers only.
    """
    app = DocumentedApi(
        title="Setia",
        version="1",
        description="Churn risk, customer lifetime value, reasons and the at-risk list.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses={"default": {"model": ProblemDocument, "description": "A problem (RFC 9457)"}},
    )
    install_problems(app)
    return app


def install(app: FastAPI, workspace: Path) -> "Shelf":
    """Add the routes to `app` and load what `workspace` holds, which may be nothing yet."""
    from serving.api import at_risk, customers, export, models, scores
    from serving.api.metrics import Metrics
    from serving.served import Shelf

    for module in (scores, customers, at_risk, export, models):
        app.include_router(module.router)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_api_route("/", _index, include_in_schema=False)
    app.state.shelf = shelf = Shelf(workspace)
    app.state.metrics = Metrics()
    refresh(shelf, app.state.metrics)
    return shelf


def hot_routes(app: ASGIApp, of: FastAPI) -> ASGIApp:
    """`app` with the hot routes of `of` answered before it, made in the workers only."""
    from serving.api.hot import HotRoutes

    return HotRoutes(app, lambda: of.state.shelf)


def observe(app: FastAPI, scope: Scope, status: int, seconds: float) -> None:
    """Count one answered request in the metrics of `app`."""
    metrics: Metrics = app.state.metrics
    metrics.answered(scope, status, seconds)


def refresh(shelf: "Shelf", metrics: "Metrics") -> None:
    """Take up newer files where there are some, and note what is served and what refused."""
    if shelf.refresh():
        metrics.serving(shelf.served)
    metrics.refused(shelf.refused)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watch = asyncio.create_task(_watch(app.state.shelf, app.state.metrics))
    yield
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


async def _watch(shelf: "Shelf", metrics: "Metrics") -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        await asyncio.to_thread(refresh, shelf, metrics)


async def _metrics(request: Request) -> Response:
    from prometheus_client import CONTENT_TYPE_LATEST

    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), 200, media_type=CONTENT_TYPE_LATEST)


async def _index() -> Response:
    """Shown instead of BentoML's start page, which loads scripts from other sites."""
    return RedirectResponse("/v1/openapi.json")
