"""The servers that the API is measured beside: a bare route, FastAPI and BentoML as they come.

`SETIA_WORKSPACE` names the workspace that they answer from.
"""

import os
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from serving.online import ListFilter
from serving.scoring import score_record, score_rows
from serving.served import Served, load_served
from training.bundle import Bundle

WORKSPACE = Path(os.environ.get("SETIA_WORKSPACE", "var"))


class Asked(BaseModel):
    """One customer."""

    customer_id: str


def repredicted(served: Served, customer_id: str) -> dict[str, Any]:
    """The customer's score, predicted again from the stored feature row."""
    found = served.snapshot.find(customer_id)
    if found is None:
        raise KeyError(customer_id)
    about = served.snapshot.about
    rows = found.features[None, :]
    (score,) = score_rows(
        served.bundle, [customer_id], rows, about.cutoff, about.serving, explain=False
    )
    return score_record(score)


def boosters(bundle: Bundle) -> list[Any]:
    """Every LightGBM booster of the bundle's ensembles."""
    models = [bundle.models.churn, bundle.models.orders, bundle.models.value]
    members = [m for model in models if model for m in model.ensemble.members.values()]
    return [member.booster for member in members if hasattr(member, "booster")]


class Floor:
    """A bare ASGI route that answers every request with the same bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        size = str(len(body)).encode()
        self._headers = [(b"content-type", b"application/json"), (b"content-length", size)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def floor() -> Floor:
    """The bare route, with the bytes of the file that SETIA_FLOOR names."""
    return Floor(Path(os.environ["SETIA_FLOOR"]).read_bytes())


def plain_fastapi() -> FastAPI:
    """FastAPI and LightGBM as one writes them: a dictionary of rows, one predict a booster."""
    served = load_served(WORKSPACE)
    stored, trees = _all_rows(served), boosters(served.bundle)
    app = FastAPI()

    @app.post("/score")
    async def score(asked: Asked) -> dict[str, Any]:
        row = stored[asked.customer_id][None, :]
        scores = [float(tree.predict(row, num_threads=1)[0]) for tree in trees]
        return {"customer_id": asked.customer_id, "scores": scores}

    return app


@bentoml.service(name="as_it_comes")
class AsItComes:
    """BentoML with its defaults around the same look-up and the same prediction."""

    def __init__(self) -> None:
        self.served = load_served(WORKSPACE)

    @bentoml.api  # type: ignore[untyped-decorator]
    def stored(self, customer_id: str) -> dict[str, Any]:
        """The stored score."""
        found = self.served.snapshot.find(customer_id)
        return dict(orjson.loads(found.score)) if found else {}

    @bentoml.api  # type: ignore[untyped-decorator]
    def again(self, customer_id: str) -> dict[str, Any]:
        """The score predicted again."""
        return dict(orjson.loads(orjson.dumps(repredicted(self.served, customer_id))))


def _all_rows(served: Served) -> dict[str, np.ndarray[Any, Any]]:
    rows = served.snapshot.page(ListFilter(), 0, served.snapshot.about.customers)
    ids = [str(orjson.loads(score)["customer_id"]) for _, score in rows]
    found = {customer_id: served.snapshot.find(customer_id) for customer_id in ids}
    return {customer_id: row.features for customer_id, row in found.items() if row}
