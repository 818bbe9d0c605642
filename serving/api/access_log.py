"""The access log: one line of JSON for each answer, with the route and never what was asked for."""

import logging
import os
import sys
from datetime import UTC, datetime

import orjson
from starlette.types import Scope

VARIABLE = "SETIA_ACCESS_LOG"
"""The environment variable that turns the log on, with any value."""

_log = logging.getLogger("setia.access")


def start_access_log() -> None:
    """Write the log to standard output when SETIA_ACCESS_LOG asks for it."""
    if not os.environ.get(VARIABLE) or _log.handlers:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    # BentoML's own handlers would write the line again, in their colours.
    _log.propagate = False


def log_answer(scope: Scope, status: int, seconds: float) -> None:
    """Log one answered request: its id, route, status, time and key, but no path and no address."""
    if not _log.handlers:
        return
    key = scope.get("setia.key")
    line = {
        "at": datetime.now(UTC),
        "request_id": scope["setia.request_id"],
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "seconds": round(seconds, 6),
        "key": key.id if key else None,
    }
    _log.info("%s", orjson.dumps(line).decode())


def route_of(scope: Scope) -> str:
    """The template of the request's route, in which an id has no place."""
    return getattr(scope.get("route"), "path", "other")
