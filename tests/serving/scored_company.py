"""A small generated company, scored: a tiny bundle and the files of one scoring run."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from features.config import ServingConfig
from features.feature_contract import FeatureColumn, FeatureContract
from serving.api.app import admit, create_app, done_once, hot_answer, install, observe, refresh
from serving.api.guard import Guard
from serving.at_risk import rank_scores
from serving.online import about_scores, write_online
from serving.scoring import Score, score_rows
from tests.tiny_bundle import tiny_bundle, tiny_rows
from training.bundle import Bundle

CONTRACT = FeatureContract(
    columns=tuple(
        FeatureColumn(name=name, definition=f"d{place}")
        for place, name in enumerate(
            (
                "orders_days_since_last",
                "orders_frequency",
                "orders_spend_90d",
                "orders_spend_365d",
                "orders_refund_count_90d",
            )
        )
    )
)
CUTOFF = datetime(2025, 12, 31, 17, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Company:
    """A workspace with a bundle and one scoring run; row i of `X` belongs to `scores[i]`."""

    workspace: Path
    bundle: Bundle
    serving: ServingConfig
    X: np.ndarray
    scores: list[Score]

    def linked(self, folder: Path) -> Path:
        """A workspace in `folder` with the same bundle and scores, and operations of its own."""
        workspace = folder / "var"
        workspace.mkdir()
        for name in ("bundle", "scores"):
            (workspace / name).symlink_to(self.workspace / name)
        return workspace


def score_company(
    workspace: Path,
    customers: int = 300,
    serving: ServingConfig | None = None,
    contract: FeatureContract = CONTRACT,
    *,
    value: bool = True,
    now: datetime = NOW,
) -> Company:
    """Write a bundle and an online snapshot of `customers` customers into `workspace`."""
    serving = serving or ServingConfig()
    bundle = tiny_bundle(workspace / "bundle", contract, value=value)
    X = tiny_rows(customers, contract, seed=5)
    ids = [f"c_{place:04d}" for place in range(customers)]
    scores = score_rows(bundle, ids, X, CUTOFF, serving)
    company = Company(workspace, bundle, serving, X, scores)
    publish(company, now)
    return company


def publish(
    company: Company,
    now: datetime = NOW,
    data_until: datetime | None = None,
    events_to: tuple[str, ...] = (),
) -> None:
    """Write the company's online snapshot as a scoring run at `now` does."""
    order = rank_scores(company.scores)
    about = about_scores(
        company.bundle,
        CUTOFF,
        len(order),
        company.serving,
        now,
        data_until=data_until or now,
        events_to=events_to,
    )
    ranked = [company.scores[place] for place in order]
    path = company.workspace / "scores" / "online.db"
    write_online(path, company.bundle, about, ranked, company.X[order])


async def no_answer(*_: object) -> None:
    """Leave every request to the application."""


class Api:
    """The API over one workspace, called in process."""

    def __init__(self, workspace: Path, *, hot: bool = True) -> None:
        self.app: FastAPI = create_app()
        self.shelf = install(self.app, workspace)
        answers = partial(hot_answer, self.app) if hot else no_answer
        inner = done_once(self.app, of=self.app)
        guarded = Guard(inner, partial(observe, self.app), partial(admit, self.app), answers)
        self._transport = httpx.ASGITransport(guarded, raise_app_exceptions=False)

    def refresh(self) -> None:
        """Look for newer files, as the running service does every second."""
        refresh(self.app)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("GET", path, options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, options))

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._send(method, path, options))

    async def _send(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=self._transport, base_url="http://127.0.0.1"
        ) as client:
            return await client.request(method, path, **options)
