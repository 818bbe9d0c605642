"""Predictions asked for at the same time are made at once, at half of what they cost one by one.

Nothing waits for company: those that have come in one turn of the event loop go together. A row's
prediction is the same to the last bit in any company.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from serving.api.scores import predicted_again
from serving.served import Served

MOST_CUSTOMERS = 20
"""In one request that is made together with others; a larger one gains little."""


@dataclass(frozen=True)
class _Asked:
    served: Served
    customer_ids: Sequence[str]
    explain: bool
    results: "asyncio.Future[list[bytes]]"


class Together:
    """What has been asked for in this turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Asked] = []

    async def predicted_again(
        self, served: Served, customer_ids: Sequence[str], *, explain: bool
    ) -> list[bytes]:
        """The results of `scores.predicted_again`."""
        loop = asyncio.get_running_loop()
        asked = _Asked(served, customer_ids, explain, loop.create_future())
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            loop.call_soon(self._predict)
        return await asked.results

    def _predict(self) -> None:
        waiting, self._waiting = self._waiting, []
        alike: dict[tuple[Served, bool], list[_Asked]] = {}
        for asked in waiting:
            alike.setdefault((asked.served, asked.explain), []).append(asked)
        for (served, explain), group in alike.items():
            _settle(served, group, explain=explain)


def _settle(served: Served, group: Sequence[_Asked], *, explain: bool) -> None:
    ids = [customer_id for asked in group for customer_id in asked.customer_ids]
    try:
        results = predicted_again(served, ids, explain=explain)
    except Exception as error:  # each request fails with it, as it would have alone
        for asked in group:
            if not asked.results.done():
                asked.results.set_exception(error)
        return
    start = 0
    for asked in group:
        end = start + len(asked.customer_ids)
        if not asked.results.done():  # as when its client has gone
            asked.results.set_result(results[start:end])
        start = end
