"""A row alone is predicted with the same bits as in a batch, whatever thread asks."""

from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import pytest

from training.families.members import Trees
from training.families.one_row import OneRow


@pytest.fixture(scope="module", params=["binary", "poisson"])
def fitted(request: pytest.FixtureRequest) -> tuple[lgb.Booster, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.gamma(2.0, 10.0, (400, 12))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 3] = rng.integers(0, 5, 400)
    target = (np.nan_to_num(X[:, 0]) > 15).astype(float)
    parameters = {"objective": request.param, "num_threads": 1, "verbose": -1}
    data = lgb.Dataset(X, target, categorical_feature=[3])
    return lgb.train(parameters, data, num_boost_round=40), X


def test_a_row_alone_has_the_score_of_the_batch(fitted: tuple[lgb.Booster, np.ndarray]) -> None:
    booster, X = fitted
    batch = booster.predict(X, raw_score=True, num_threads=1)
    one_row = OneRow(booster)
    assert [one_row.raw(row) for row in X] == batch.tolist()
    trees = Trees(lgb.Booster(model_str=booster.model_to_string()), on_forecast=False)
    assert [trees.raw(row, 0.0) for row in X] == batch.tolist()


def test_threads_that_ask_at_once_get_their_own_scores(
    fitted: tuple[lgb.Booster, np.ndarray],
) -> None:
    booster, X = fitted
    one_row = OneRow(booster)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one_row.raw, list(X) * 5))
    assert found == booster.predict(X, raw_score=True, num_threads=1).tolist() * 5


def test_it_outlives_the_name_of_its_booster() -> None:
    X = np.arange(200.0).reshape(100, 2)
    parameters = {"num_threads": 1, "verbose": -1}
    booster = lgb.train(parameters, lgb.Dataset(X, X[:, 0]), num_boost_round=5)
    wanted, one_row = float(booster.predict(X[7:8], raw_score=True)[0]), OneRow(booster)
    del booster
    assert one_row.raw(X[7]) == wanted
