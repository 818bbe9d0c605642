"""POST /v1/scores: score customers by id or by their features."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import anyio.to_thread
import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from features.wording import Language
from serving.api.answers import JSON, newer_scores, served_now, with_origin
from serving.api.document import link
from serving.api.given import encode_given, fault
from serving.api.language import Asked, score_told, spoken
from serving.api.schemas import CustomerFeatures, ScoresAnswer, ScoresRequest
from serving.newer import NewerScore
from serving.score_ids import nightly_score_id
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
    request: Request,
    body: ScoresRequest,
    served: Annotated[Served, Depends(served_now)],
    language: Asked,
) -> Response:
    """Score up to 10,000 customers; one that cannot be scored does not fail the others."""
    ids = [] if body.repredict else body.customer_ids or []
    newer = await newer_scores(request, served, ids)
    answer = answer_at_once(served, body, newer, language)
    if answer is None:
        work = partial(_answer, served, body, newer, language)
        answer = await anyio.to_thread.run_sync(work)
    return Response(answer, 200, spoken(language), JSON)


def answer_at_once(
    served: Served, body: ScoresRequest, newer: Mapping[str, NewerScore], language: Language
) -> bytes | None:
    """The answer to a valid request; None when it is so large that it is worth a thread.

    `newer` holds the live scores to be shown in place of stored ones.
    """
    if _size(body) > _INLINE_ROWS:
        return None
    return _answer(served, body, newer, language)


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


def _answer(
    served: Served, body: ScoresRequest, newer: Mapping[str, NewerScore], language: Language
) -> bytes:
    if body.customers is not None:
        results = _by_features(served, body.customers, explain=body.explain)
    elif body.repredict:
        results = predicted_again(served, body.customer_ids or [], explain=body.explain)
    else:
        results = _stored(served, body.customer_ids or [], newer, explain=body.explain)
    if body.explain and language != served.snapshot.about.serving.language:
        results = [_in_language(result, served, language) for result in results]
    return told(served, results, cutoff=body.customers is None)


def _in_language(result: bytes, served: Served, language: Language) -> bytes:
    return result if result.startswith(_FAILED) else score_told(result, served, language)


def _stored(
    served: Served, ids: Sequence[str], newer: Mapping[str, NewerScore], *, explain: bool
) -> list[bytes]:
    found = {name: known.score for name, known in served.snapshot.find_many(ids).items()}
    found |= {name: known.record for name, known in newer.items()}
    return [
        _told(found[customer_id], explain=explain)
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
    rows = [customer.features for customer in found.values()]
    X = np.concatenate(rows).reshape(len(rows), -1)
    about = served.snapshot.about
    scores = score_rows(served.bundle, list(found), X, about.cutoff, about.serving, explain=False)
    results: dict[str, bytes] = {}
    for score, customer in zip(scores, found.values(), strict=True):
        record = score_record(score, nightly_score_id(about.snapshot_id, customer.rank))
        result = orjson.dumps(record)
        if explain:
            _, key, reasons = customer.score.partition(_REASONS)
            result = result.partition(_REASONS)[0] + key + reasons
        results[score.customer_id] = result
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
