"""Problem documents (RFC 9457): the one shape of every error the service answers with."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "The request cannot be read",
    401: "An API key is needed",
    403: "The API key does not open this",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "The request body did not arrive in time",
    409: "The same request is running",
    410: "The list has been replaced",
    413: "The request body is too large",
    415: "Unsupported media type",
    422: "The request is not valid",
    429: "Too many requests",
    431: "The request's head is too large",
    500: "Something failed on our side",
    503: "No scores to serve yet",
    504: "The request took too long",
}
_DETAILS = {
    400: "the body cannot be read; send JSON in UTF-8, not compressed",
    404: "nothing is served at this path; GET /v1/openapi.json lists what is",
    405: "this path takes other methods; the Allow header lists them",
    500: "the failure is logged under the request id; send that id when you report it",
    504: "no answer takes so long unless too much is asked; ask for fewer customers in one call",
    503: "scores are not loaded; GET /v1/models says what is missing and which command makes it",
}


class FieldError(BaseModel):
    """One thing wrong with a request: where, and what to write instead."""

    location: str
    """JSON pointer into the body, or the name of the query parameter."""
    detail: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 writes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError] = []


class Problem(Exception):
    """An answer that is a problem: HTTP status, what is wrong and what to do about it."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldError] = (),
        slug: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.slug = slug
        self.headers = dict(headers or {})


def problem_response(
    problem: Problem, request_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The problem as an HTTP answer."""
    document = ProblemDocument(
        type=f"urn:setia:problem:{problem.slug}" if problem.slug else "about:blank",
        title=_TITLES.get(problem.status, "The request failed"),
        status=problem.status,
        detail=problem.detail,
        request_id=request_id,
        errors=problem.errors,
    )
    content: dict[str, Any] = document.model_dump(exclude_defaults=not problem.errors)
    body = orjson.dumps({"type": document.type, **content})
    return Response(body, problem.status, {**problem.headers, **(headers or {})}, MEDIA_TYPE)


def plain_problem(status: int) -> Problem:
    """The problem for a status of which nothing more is known."""
    return Problem(status, _DETAILS.get(status, _TITLES.get(status, "the request failed")))


def install_problems(app: FastAPI) -> None:
    """Make `app` answer every error it meets with a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def request_id(request: Request) -> str:
    """The id under which this request is answered and logged."""
    return str(request.scope.get("setia.request_id", ""))


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - narrows the handler's argument
    return problem_response(error, request_id(request))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request, headers.get("Allow", ""))
    return problem_response(plain_problem(error.status_code), request_id(request), headers)


def _allowed(request: Request, first: str) -> str:
    """The methods of every route on the path; Starlette names those of the `first` alone."""
    methods = {one.strip() for one in first.split(",") if one}
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].match(request.scope["path"]):
            methods |= {name.upper() for name in operations}
    return ", ".join(sorted(methods))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    kind = request.headers.get("content-type", "application/json")
    return problem_response(_invalid(error.errors(), kind), request_id(request))


def _invalid(errors: Sequence[Any], kind: str) -> Problem:
    if not _is_json(kind) and any(error["loc"] == ("body",) for error in errors):
        return Problem(415, "send the body as application/json")
    broken = [error for error in errors if error["type"] == "json_invalid"]
    if broken:
        return Problem(400, f"the body is not JSON: {broken[0]['ctx']['error']}")
    listed = [_field_error(error) for error in errors[:20]]
    more = f" (the first {len(listed)} are listed)" if len(errors) > len(listed) else ""
    return Problem(422, f"{len(errors)} part(s) of the request are not valid{more}", listed)


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media.startswith("application/") and media.endswith(("/json", "+json"))


def _field_error(error: Mapping[str, Any]) -> FieldError:
    place, *parts = [str(part) for part in error["loc"]]
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
    known = error["type"] != "extra_forbidden"
    detail = error["msg"].removeprefix("Value error, ") if known else "not known here; remove it"
    return FieldError(location=pointer if place == "body" else ".".join(parts), detail=detail)
