"""POST /v1/scores: score customers by id or by their features."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
import numpy as np
import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from serving.api.answers import json_answer, origin, served_now
from serving.api.given import encode_given, fault
from serving.api.schemas import CustomerFeatures, ScoresAnswer, ScoresRequest
from serving.scoring import score_record, score_rows
from serving.served import Served

router = APIRouter()

Record = dict[str, Any]

_INLINE_ROWS = 200
"""Up to so many rows a prediction takes less time than is worth a thread."""
_EXPLAINING_COSTS = 100
"""Rows that could be predicted while one is explained, roughly."""


@router.post("/v1/scores", response_model=ScoresAnswer, tags=["scores"])
async def post_scores(
    body: ScoresRequest, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score up to 10,000 customers; one that cannot be scored does not fail the others."""
    work = partial(_results, served, body)
    small = _size(body) <= _INLINE_ROWS
    results = work() if small else await anyio.to_thread.run_sync(work)
    failed = sum("error" in result for result in results)
    known = origin(served, cutoff=body.customer_ids is not None)
    counts = {"scored": len(results) - failed, "failed": failed}
    return json_answer({**known, "results": results, **counts})


def _size(body: ScoresRequest) -> int:
    if body.customers is None:
        return len(body.customer_ids or ())
    return len(body.customers) * (_EXPLAINING_COSTS if body.explain else 1)


def _results(served: Served, body: ScoresRequest) -> list[Record]:
    if body.customers is not None:
        return _by_features(served, body.customers, explain=body.explain)
    return _by_id(served, body.customer_ids or [], explain=body.explain)


def _by_id(served: Served, ids: Sequence[str], *, explain: bool) -> list[Record]:
    """Predict from the stored feature rows; reasons are those the same bundle gave in batch."""
    found = [served.snapshot.find(customer_id) for customer_id in ids]
    known = [i for i, customer in enumerate(found) if customer]
    stored = [customer for customer in found if customer]
    results = [_failed(i, "unknown_customer", "not in the last scoring run") for i in ids]
    if not stored:
        return results
    X = np.stack([customer.features for customer in stored])
    about = served.snapshot.about
    scores = score_rows(
        served.bundle, [ids[i] for i in known], X, about.cutoff, about.serving, explain=False
    )
    for i, score, customer in zip(known, scores, stored, strict=True):
        results[i] = score_record(score)
        if explain:
            told = orjson.loads(customer.score)
            results[i] |= {"reasons": told["reasons"], "next_step": told["next_step"]}
    return results


def _by_features(
    served: Served, customers: Sequence[CustomerFeatures], *, explain: bool
) -> list[Record]:
    contract = served.bundle.contract
    faults = [fault(contract, given) for given in customers]
    fitting = [given for given, wrong in zip(customers, faults, strict=True) if wrong is None]
    ids = [given.customer_id for given in fitting]
    scores = iter(
        score_rows(
            served.bundle,
            ids,
            encode_given(contract, fitting),
            None,
            served.snapshot.about.serving,
            explain=explain,
        )
    )
    return [
        score_record(next(scores))
        if wrong is None
        else _failed(given.customer_id, "features_do_not_fit", wrong)
        for given, wrong in zip(customers, faults, strict=True)
    ]


def _failed(customer_id: str, code: str, detail: str) -> Record:
    return {"customer_id": customer_id, "error": {"code": code, "detail": detail}}
