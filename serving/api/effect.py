"""GET /v1/outreach/effect: what contact changed, as the last report found."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.api.answers import JSON
from serving.api.problems import Problem
from serving.outreach.prove.effect_report import EffectUnknown, read_report
from serving.outreach.prove.effect_shapes import EffectReport
from serving.served import Shelf

router = APIRouter()


@router.get("/v1/outreach/effect", response_model=EffectReport, tags=["outreach"])
async def get_effect(request: Request) -> Response:
    """The report that `setia outcomes report` kept last; `made_at` says when."""
    shelf: Shelf = request.app.state.shelf
    try:
        report = read_report(shelf.workspace)
    except EffectUnknown as error:
        raise Problem(404, str(error), slug="no-report") from None
    return Response(report.model_dump_json(), media_type=JSON)
