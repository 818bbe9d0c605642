"""GET /v1/at-risk: the ranked list in pages, as JSON or CSV."""

from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import URL
from starlette.responses import Response

from serving.api.answers import (
    attachment,
    entity_tag,
    is_known,
    json_answer,
    newer_scores,
    origin,
    origin_headers,
    served_now,
)
from serving.api.cursors import Cursor, Place, cursor_at, place_of
from serving.api.document import link
from serving.api.language import Asked, record_told, spoken
from serving.api.problems import Problem
from serving.api.schemas import AtRiskAnswer
from serving.at_risk import LIST_COLUMNS, list_row
from serving.newer import NewerScores
from serving.online import ListFilter, OnlineSnapshot
from serving.scoring import RiskTier
from serving.served import Served
from serving.tables import csv_text

router = APIRouter()

_LINKS = {
    "next": link(
        "get_at_risk",
        "The next page; give the filters of this one with it.",
        parameters={"cursor": "$response.body#/next_cursor"},
    ),
    "customer": link(
        "get_customer",
        "All that is known of the first customer of the page.",
        parameters={"customer_id": "$response.body#/customers/0/customer_id"},
    ),
    "scores": link(
        "post_scores",
        "The scores of the first customer of the page.",
        requestBody={"customer_ids": ["$response.body#/customers/0/customer_id"]},
    ),
}


class FilterQuery(BaseModel):
    """Which part of the list is asked for; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    tier: RiskTier | None = None
    min_value: Annotated[float | None, Field(allow_inf_nan=False)] = None
    """Smallest value at risk, in the answer's currency."""
    min_probability: Annotated[float | None, Field(ge=0, le=1)] = None

    @property
    def filters(self) -> ListFilter:
        """The filters as the snapshot takes them."""
        return ListFilter(self.tier, self.min_value, self.min_probability)


class ListQuery(FilterQuery):
    """The query string of the at-risk list."""

    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""
    format: Literal["json", "csv"] | None = None
    """Overrides the Accept header."""


@router.get(
    "/v1/at-risk",
    response_model=AtRiskAnswer,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "links": _LINKS}},
    tags=["at-risk list"],
)
async def get_at_risk(
    request: Request,
    served: Annotated[Served, Depends(served_now)],
    query: Annotated[ListQuery, Query()],
    language: Asked,
) -> Response:
    """A page of the at-risk list; `Accept: text/csv` or `format=csv` gives CSV.

    Filters narrow the list: a tier, a smallest value at risk, a smallest churn probability.
    Order, filters and CSV are the scoring run's; in JSON a newer live score is shown in place of
    the customer's, with `live` saying so.
    `Link` names the next page in both formats; a page not changed since its `ETag` is a 304.
    """
    snapshot, filters = served.snapshot, query.filters
    known: NewerScores = request.app.state.newer
    wants_csv = _wants_csv(request, query.format)
    kind = f"csv {language}" if wants_csv else f"json {language} {known.mark}"
    headers = {**spoken(language), "Vary": "Accept, Accept-Language"}
    headers["ETag"] = entity_tag(served, query, kind)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    after = _position(query.cursor, snapshot, filters) if query.cursor else 0
    rows = snapshot.page(filters, after, query.limit + 1)
    shown = [(rank, orjson.loads(score)) for rank, score in rows[: query.limit]]
    more = len(rows) > query.limit
    ended = Place(snapshot.about.snapshot_id, shown[-1][0]) if more else None
    following = cursor_at(ended, filters) if ended else None
    if following:
        headers["Link"] = f'<{_next_url(request.url, following)}>; rel="next"'
    newer = {} if wants_csv else await _newer(request, served, shown)
    told = [
        (rank, record_told(newer.get(record["customer_id"], record), served, language))
        for rank, record in shown
    ]
    if wants_csv:
        return _csv(served, told, headers)
    page = {"customers": [{"rank": rank, **record} for rank, record in told]}
    return json_answer({**origin(served), **page, "next_cursor": following}, headers)


async def _newer(
    request: Request, served: Served, shown: list[tuple[int, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """The live scores to be shown in place of the run's, as records by customer."""
    found = await newer_scores(request, served, [record["customer_id"] for _, record in shown])
    return {customer_id: orjson.loads(one.record) for customer_id, one in found.items()}


def _wants_csv(request: Request, chosen: str | None) -> bool:
    if chosen:
        return chosen == "csv"
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    return "text/csv" in accepted and "application/json" not in accepted


def _csv(
    served: Served, shown: list[tuple[int, dict[str, Any]]], headers: dict[str, str]
) -> Response:
    about = served.snapshot.about
    rows = (list_row(rank, record, about.cutoff, about.currency) for rank, record in shown)
    said = {**headers, **origin_headers(served), **attachment("at_risk.csv")}
    return Response(csv_text(LIST_COLUMNS, rows), 200, said, "text/csv")


def _next_url(url: URL, cursor: str) -> str:
    """The next page relative to this one, so that it holds behind any proxy."""
    following = url.include_query_params(cursor=cursor)
    return f"{following.path}?{following.query}"


def _position(cursor: str, snapshot: OnlineSnapshot, filters: ListFilter) -> int:
    """The rank after which the cursor reads on."""
    place = place_of(cursor, filters)
    if place.made_for != snapshot.about.snapshot_id:
        raise Problem(410, "a newer scoring run has replaced the list; start again without cursor")
    return place.at
