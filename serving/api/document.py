"""The OpenAPI document: what the service answers to, said so that a program can hold it to it."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from serving.api.problems import MEDIA_TYPE

PATH = "/v1/openapi.json"

_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key with one of the named scopes, as `setia keys create` makes it. "
    "Not needed on the loopback while no key exists.",
}
_PROBES = {
    "/livez": ("get_livez", "Whether the service is alive."),
    "/readyz": ("get_readyz", "Whether there are scores to serve; 503 while there are none."),
    "/healthz": ("get_healthz", "The same as /livez."),
    "/metrics": ("get_metrics", "Measurements in Prometheus text format."),
}
"""Path to operation id and meaning; the first three are BentoML's, which the document lacks."""


class DocumentedApi(FastAPI):
    """FastAPI whose OpenAPI document says what FastAPI itself does not know.

    Errors have the media type they are sent with, every operation the scopes of its keys, and
    the probes are listed.
    """

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {})["securitySchemes"] = {"apiKey": _SCHEME}
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    content = operation["responses"]["default"]["content"]
                    content[MEDIA_TYPE] = content.pop("application/json")
                    operation["security"] = _security(method.upper(), path)
            document["paths"] |= {path: _probe(*said) for path, said in _PROBES.items()}
        return super().openapi()


def operation_id(route: APIRoute) -> str:
    """The name of the route's function, which generated clients call theirs by."""
    return route.name


def link(operation: str, says: str, **members: Any) -> dict[str, Any]:
    """An OpenAPI link to `operation`, whose `parameters` or `requestBody` are in `members`."""
    return {"operationId": operation, "description": says, **members}


def _security(method: str, path: str) -> list[dict[str, list[str]]]:
    from serving.api.access import is_open, scopes_enough

    if is_open(path):
        return []
    return [{"apiKey": [scope]} for scope in sorted(scopes_enough(method, path))]


def _probe(name: str, says: str) -> dict[str, Any]:
    problem = {"$ref": "#/components/schemas/ProblemDocument"}
    responses = {
        "200": {"description": "Yes", "content": {"text/plain": {"schema": {"type": "string"}}}},
        "default": {
            "description": "A problem (RFC 9457)",
            "content": {MEDIA_TYPE: {"schema": problem}},
        },
    }
    return {
        "get": {
            "tags": ["probes"],
            "summary": says.partition(";")[0].rstrip("."),
            "description": says,
            "operationId": name,
            "responses": responses,
            "security": [],
        }
    }
