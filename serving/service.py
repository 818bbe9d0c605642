"""The BentoML service: the API and BentoML's probes over one workspace.

`SETIA_WORKSPACE` names the workspace (default `var`); it is read when a worker starts.
"""

import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# BentoML reads this when first imported, and only the word True turns its tracking off.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml

from serving.api.app import create_app, hot_routes, install, observe
from serving.api.guard import Guard

if TYPE_CHECKING:
    from serving.served import Shelf

WORKSPACE_VARIABLE = "SETIA_WORKSPACE"

app = create_app()


@bentoml.service(
    name="setia",
    http={"host": "127.0.0.1"},
    workers=1,
    # Spans and the access log cost more than an answer, and BentoML's request metrics label
    # every path, which would publish customer ids; the API measures its routes itself.
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
@bentoml.asgi_app(app, path="/")
class Setia:
    """Churn risk, customer lifetime value, reasons and the at-risk list."""

    def __init__(self) -> None:
        # BentoML lets only warnings of other loggers through.
        logging.getLogger("setia").setLevel(logging.INFO)
        self.shelf: Shelf = install(app, Path(os.environ.get(WORKSPACE_VARIABLE, "var")))

    def __is_ready__(self) -> bool:
        """Whether there are scores to serve; /readyz answers with it."""
        return self.shelf.is_ready


Setia.add_asgi_middleware(Guard, observe=partial(observe, app))  # type: ignore[attr-defined]
Setia.add_asgi_middleware(hot_routes, of=app)  # type: ignore[attr-defined]
