"""The BentoML service: the API and BentoML's probes over one workspace.

Read when a worker starts: `SETIA_WORKSPACE` names the workspace (default `var`),
`SETIA_OPERATIONS_URL` the PostgreSQL that takes the place of its `setia.db`, if one does, and
`SETIA_ACCESS_LOG` turns the access log on.
"""

import gc
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# BentoML reads this when first imported, and only the word True turns its tracking off.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml

from serving.api.access_log import start_access_log
from serving.api.app import admit, create_app, done_once, hot_answer, install, observe
from serving.api.guard import Guard
from serving.api.wire import speak

if TYPE_CHECKING:
    from serving.served import Shelf

WORKSPACE_VARIABLE = "SETIA_WORKSPACE"
OPERATIONS_VARIABLE = "SETIA_OPERATIONS_URL"
NO_KEYS = (
    "no API key exists, so requests over this machine's loopback are answered without one, and no "
    "others; `setia keys create` makes the first"
)

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
        start_access_log()
        workspace = Path(os.environ.get(WORKSPACE_VARIABLE, "var"))
        # A start makes no garbage, and the search for some would take a tenth of it.
        gc.disable()
        self.shelf: Shelf = install(app, workspace, os.environ.get(OPERATIONS_VARIABLE))
        gc.freeze()
        gc.enable()
        if not app.state.access.ring.required:
            logging.getLogger("setia.serving").warning(NO_KEYS)

    def __is_ready__(self) -> bool:
        """Whether there are scores to serve; /readyz answers with it."""
        return self.shelf.is_ready


_guarded = partial(
    Guard, observe=partial(observe, app), admit=partial(admit, app), hot=partial(hot_answer, app)
)
# Outside of BentoML's own middleware, which costs more than an answer; and inside of it, so that
# nothing is open under a server that does not take its protocol from here.
speak(_guarded)
Setia.add_asgi_middleware(_guarded)  # type: ignore[attr-defined]
Setia.add_asgi_middleware(done_once, of=app)  # type: ignore[attr-defined]
