"""GET /v1/at-risk/export: the whole list in one streamed answer, as NDJSON, CSV or Parquet."""

from collections.abc import Iterator
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from features.wording import Language
from serving.api.answers import attachment, entity_tag, is_known, origin_headers, served_now
from serving.api.at_risk import FilterQuery
from serving.api.language import Asked, record_told, score_told, spoken
from serving.api.problems import FieldError, Problem
from serving.at_risk import LIST_COLUMNS, list_row
from serving.online import ListFilter, OnlineSnapshot
from serving.served import Served
from serving.tables import csv_text

router = APIRouter()

MEDIA = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
_ROWS_AT_ONCE = 1_000


class ExportQuery(FilterQuery):
    """The query string of the export."""

    format: Literal["ndjson", "csv", "parquet"] = "ndjson"


@router.get(
    "/v1/at-risk/export",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA.values()}}},
    tags=["at-risk list"],
)
async def export_at_risk(
    request: Request,
    served: Annotated[Served, Depends(served_now)],
    query: Annotated[ExportQuery, Query()],
    asked: Asked,
) -> Response:
    """Every customer of the list, of one scoring run from start to end.

    Filters narrow NDJSON and CSV; Parquet is the whole list as the scoring run wrote it. The
    headers say what the members of a JSON answer say.
    """
    kind = query.format
    if kind == "parquet" and query.filters != ListFilter():
        told = FieldError(location="format", detail="take ndjson or csv, or leave the filters out")
        raise Problem(422, "Parquet is the whole list and takes no filters", [told])
    if kind == "parquet" and not served.snapshot.has_parquet:
        raise Problem(503, "somebody was erased, so Parquet waits for the next `setia score`")
    # Parquet is a file that the scoring run wrote, in the configured language alone.
    language = served.snapshot.about.serving.language if kind == "parquet" else asked
    headers = spoken(language) | {"ETag": entity_tag(served, query, f"{kind} {language}")}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers |= origin_headers(served) | attachment(f"at_risk.{kind}")
    parts = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}[kind](
        served, query.filters, language
    )
    return StreamingResponse(parts, 200, headers, MEDIA[kind])


def _ndjson(served: Served, filters: ListFilter, language: Language) -> Iterator[bytes]:
    for rows in _blocks(served.snapshot, filters):
        told = ((rank, score_told(score, served, language)) for rank, score in rows)
        yield b"".join(b'{"rank":%d,%b\n' % (rank, score[1:]) for rank, score in told)


def _csv(served: Served, filters: ListFilter, language: Language) -> Iterator[bytes]:
    about = served.snapshot.about
    yield csv_text(LIST_COLUMNS, ()).encode()
    for rows in _blocks(served.snapshot, filters):
        told = ((rank, record_told(orjson.loads(one), served, language)) for rank, one in rows)
        lines = (list_row(rank, record, about.cutoff, about.currency) for rank, record in told)
        yield csv_text(LIST_COLUMNS, lines, header=False).encode()


def _parquet(served: Served, _: ListFilter, __: Language) -> Iterator[bytes]:
    yield from served.snapshot.parquet()


def _blocks(snapshot: OnlineSnapshot, filters: ListFilter) -> Iterator[list[tuple[int, bytes]]]:
    after = 0
    while rows := snapshot.page(filters, after, _ROWS_AT_ONCE):
        yield rows
        after = rows[-1][0]
