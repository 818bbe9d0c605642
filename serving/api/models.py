"""GET /v1/models: the champion that answers, where it comes from, and its card."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.api.answers import json_answer, origin, served_now
from serving.api.schemas import ModelsAnswer
from serving.scoring import utc_text
from serving.served import Served, Shelf

router = APIRouter()


@router.get("/v1/models", response_model=ModelsAnswer, tags=["models"])
async def get_models(request: Request, served: Annotated[Served, Depends(served_now)]) -> Response:
    """The champion's versions, cutoffs, horizons, features and model card."""
    shelf: Shelf = request.app.state.shelf
    champion = {**origin(served), **_model(served)}
    return json_answer({"champion": champion, "refused": shelf.refused})


def _model(served: Served) -> dict[str, Any]:
    manifest, about = served.bundle.manifest, served.snapshot.about
    return {
        "name": manifest.name,
        "created_at": utc_text(manifest.created_at),
        "trained_on": [utc_text(cutoff) for cutoff in manifest.cutoffs],
        "churn_horizon_days": manifest.churn_horizon_days,
        "clv_horizon_days": manifest.clv_horizon_days,
        "contract_hash": manifest.contract_hash,
        "code_revision": manifest.code_revision,
        "data_fingerprint": manifest.fingerprint,
        "features": served.bundle.contract.names,
        "customers": about.customers,
        "scored_at": utc_text(about.created_at),
        "card": served.bundle.card,
    }
