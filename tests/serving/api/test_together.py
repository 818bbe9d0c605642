"""Predictions asked for at once: each is what it would have been alone, and made in one go."""

import asyncio

import numpy as np
import pytest

from serving.api.scores import predicted_again
from serving.api.together import Together
from serving.served import Served, load_served
from tests.serving.scored_company import Company


@pytest.fixture
def served(company: Company) -> Served:
    return load_served(company.workspace)


def counted(patch: pytest.MonkeyPatch, served: Served) -> list[int]:
    """How many rows each prediction of the bundle has."""
    rows: list[int] = []
    predict = type(served.bundle).predict

    def noted(bundle: object, X: np.ndarray) -> object:
        rows.append(len(X))
        return predict(bundle, X)

    patch.setattr(type(served.bundle), "predict", noted)
    return rows


def test_each_gets_its_own_results_from_one_prediction(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [["c_0001"], ["c_0002", "nobody"], ["c_0001", "c_0003"]]
    alone = [predicted_again(served, ids, explain=False) for ids in asked]
    rows = counted(monkeypatch, served)

    async def at_once() -> list[list[bytes]]:
        together = Together()
        calls = (together.predicted_again(served, ids, explain=False) for ids in asked)
        return await asyncio.gather(*calls)

    assert asyncio.run(at_once()) == alone
    assert rows == [3]


def test_those_who_ask_for_reasons_get_them_and_the_others_do_not(served: Served) -> None:
    async def at_once() -> list[list[bytes]]:
        together = Together()
        calls = [together.predicted_again(served, ["c_0001"], explain=e) for e in (True, False)]
        return await asyncio.gather(*calls)

    told, bare = asyncio.run(at_once())
    assert told == predicted_again(served, ["c_0001"], explain=True)
    assert bare == predicted_again(served, ["c_0001"], explain=False)
    assert told != bare


def test_a_failure_is_everyones_and_the_next_turn_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def twice() -> list[object]:
        together = Together()

        async def ask() -> list[bytes]:
            return await together.predicted_again(served, ["c_0001"], explain=False)

        with monkeypatch.context() as patch:
            patch.setattr(type(served.bundle), "predict", lambda *_: 1 / 0)
            failed = await asyncio.gather(ask(), ask(), return_exceptions=True)
        return [*failed, await ask()]

    first, second, after = asyncio.run(twice())
    assert isinstance(first, ZeroDivisionError)
    assert isinstance(second, ZeroDivisionError)
    assert after == predicted_again(served, ["c_0001"], explain=False)


def test_one_who_has_gone_costs_the_others_nothing(served: Served) -> None:
    async def one_goes() -> list[bytes]:
        together = Together()
        going = asyncio.create_task(together.predicted_again(served, ["c_0002"], explain=False))
        staying = asyncio.create_task(together.predicted_again(served, ["c_0001"], explain=False))
        await asyncio.sleep(0)
        going.cancel()
        return await staying

    assert asyncio.run(one_goes()) == predicted_again(served, ["c_0001"], explain=False)
