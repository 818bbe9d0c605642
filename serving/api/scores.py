"""POST /v1/scores: score customers by id or by their features."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import anyio.to_thread
import numpy as np
import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from serving.api.answers import JSON, served_now, with_origin
from serving.api.document import link
from serving.api.given import encode_given, fault
from serving.api.schemas import CustomerFeatures, ScoresAnswer, ScoresRequest
from serving.scoring import score_record, score_rows
from serving.served import Served

ROUTE = "/v1/scores"

router = APIRouter()

_INLINE_ROWS = 200
"""Up to so many rows a prediction takes less time than is worth a thread."""
_EXPLAINING_COSTS = 100
"""Rows that could be predicted while one is explained, roughly."""
_FAILED = b'{"error":'
_REASONS = b',"reasons":'
_NO_REASONS = _REASONS + b'[],"next_step":null}'
_LINKS = {
    "customer": link(
        "get_customer",
        "Churn curve, act-by date and place in the list of the first customer asked about.",
        parameters={"customer_id": "$response.body#/results/0/customer_id"},
    )
}


@router.post(
    ROUTE, response_model=ScoresAnswer, responses={200: {"links": _LINKS}}, tags=["scores"]
)
async def post_scores(
    body: ScoresRequest, served: Annotated[Served, Depends(served_now)]
) -> Response:
    """Score up to 10,000 customers; one that cannot be scored does not fail the others."""
    answer = answer_at_once(served, body)
    if answer is None:
        answer = await anyio.to_thread.run_sync(partial(_answer, served, body))
    return Response(answer, media_type=JSON)


def answer_at_once(served: Served, body: ScoresRequest) -> bytes | None:
    """The answer to a valid request; None when it is so large that it is worth a thread."""
    return _answer(served, body) if _size(body) <= _INLINE_ROWS else None


def _size(body: ScoresRequest) -> int:
    if body.customers is None:
        return len(body.customer_ids or ())
    return len(body.customers) * (_EXPLAINING_COSTS if body.explain else 1)


def told(served: Served, results: Sequence[bytes], *, cutoff: bool) -> bytes:
    """The answer that holds these results; without `cutoff` the features came with the call."""
    failed = sum(result.startswith(_FAILED) for result in results)
    counts = f'"scored":{len(results) - failed},"failed":{failed}'.encode()
    rest = b'"results":[' + b",".join(results) + b"]," + counts
    return with_origin(served, rest, cutoff=cutoff)


def _answer(served: Served, body: ScoresRequest) -> bytes:
    if body.customers is not None:
        results = _by_features(served, body.customers, explain=body.explain)
    elif body.repredict:
        results = predicted_again(served, body.customer_ids or [], explain=body.explain)
    else:
        results = _stored(served, body.customer_ids or [], explain=body.explain)
    return told(served, results, cutoff=body.customers is None)


def _stored(served: Served, ids: Sequence[str], *, explain: bool) -> list[bytes]:
    found = served.snapshot.find_many(ids)
    return [
        _told(found[customer_id].score, explain=explain)
        if customer_id in found
        else _unknown(customer_id)
        for customer_id in ids
    ]


def _told(score: bytes, *, explain: bool) -> bytes:
    """The stored score, its reasons and next step emptied unless asked for.

    Within a JSON string the quotation marks would be escaped, so the key is found for sure.
    """
    return score if explain else score.partition(_REASONS)[0] + _NO_REASONS


def predicted_again(served: Served, ids: Sequence[str], *, explain: bool) -> list[bytes]:
    """Predict from the stored feature rows; reasons are those the same bundle gave in batch."""
    found = served.snapshot.find_many(ids)
    if not found:
        return [_unknown(customer_id) for customer_id in ids]
    X = np.stack([customer.features for customer in found.values()])
    about = served.snapshot.about
    scores = score_rows(served.bundle, list(found), X, about.cutoff, about.serving, explain=False)
    results = {score.customer_id: orjson.dumps(score_record(score)) for score in scores}
    if explain:
        for customer_id, result in results.items():
            _, key, reasons = found[customer_id].score.partition(_REASONS)
            results[customer_id] = result.partition(_REASONS)[0] + key + reasons
    return [results.get(customer_id) or _unknown(customer_id) for customer_id in ids]


def _by_features(
    served: Served, customers: Sequence[CustomerFeatures], *, explain: bool
) -> list[bytes]:
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
        orjson.dumps(score_record(next(scores)))
        if wrong is None
        else _failed(given.customer_id, "features_do_not_fit", wrong)
        for given, wrong in zip(customers, faults, strict=True)
    ]


def _unknown(customer_id: str) -> bytes:
    return _failed(customer_id, "unknown_customer", "not in the last scoring run")


def _failed(customer_id: str, code: str, detail: str) -> bytes:
    error = {"code": code, "detail": detail}
    return orjson.dumps({"error": error, "customer_id": customer_id})
