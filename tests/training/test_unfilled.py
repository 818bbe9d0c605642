"""Windows that only the asked cutoff can fill teach nothing; all others are left as they are."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from tests.training.test_stretch import DAY, FIRST, config, young
from training.dataset import Dataset
from training.fitting import fit_models
from training.rows import churn_rows
from training.unfilled import without_unfilled

NAMES = (
    "orders_days_since_last",  # all history
    "orders_purchase_days_90d",
    "orders_change_90d",  # of the last 90 days against the 90 before, so 180
    "orders_purchase_days_180d",
    "orders_purchase_days_365d",
)
WINDOWS = (30, 90, 180)


def rows(*days: int) -> Dataset:
    """One row at each of `days` after FIRST, every feature 1."""
    contract = FeatureContract(columns=tuple(FeatureColumn(name=n, definition="") for n in NAMES))
    first = FIRST.replace(tzinfo=None)
    cutoffs = [np.datetime64(first + timedelta(days=day), "us") for day in days]
    ids = np.array([f"c{day}" for day in days])
    return Dataset(np.ones((len(days), len(NAMES))), ids, np.array(cutoffs), contract)


@pytest.mark.parametrize(
    ("taught", "asked", "left"),
    [
        (137, 273, ["orders_days_since_last", "orders_purchase_days_90d", NAMES[4]]),
        (137, 200, [*NAMES]),  # 180 of 200 days: hardly anything is left out yet
        (170, 273, [*NAMES]),  # 170 of 180 days: filled when it was taught
        (60, 400, ["orders_days_since_last", NAMES[4]]),
        (60, 500, ["orders_days_since_last"]),
    ],
)
def test_a_window_goes_that_fills_between_the_last_lesson_and_the_question(
    taught: int, asked: int, left: list[str]
) -> None:
    data = rows(taught - 30, taught)
    found = without_unfilled(data, FIRST, FIRST + asked * DAY)
    known = ~np.isnan(found.X)
    assert (known[0] == known[1]).all()
    assert [name for name, kept in zip(NAMES, known[0], strict=True) if kept] == left


def test_a_young_company_learns_only_from_windows_that_go_on_meaning_the_same(
    tmp_path: Path,
) -> None:
    """Taught at 50 days and asked at 150: 90 days are a lifetime there, and not here."""
    found = churn_rows(young(tmp_path, days=260), config(100), FIRST + 150 * DAY)
    place = found.train.contract.names.index
    blank = [np.isnan(found.train.X[:, place(f"orders_purchase_days_{n}d")]).all() for n in WINDOWS]
    assert dict(zip(WINDOWS, blank, strict=True)) == {30: False, 90: True, 180: False}
    models = fit_models(found, config(100).training).models
    asked = found.test.X
    other = asked.copy()
    other[:, place("orders_purchase_days_90d")] += 5.0
    assert np.isfinite(asked[:, place("orders_purchase_days_90d")]).all()
    assert (models.predict(other).propensity == models.predict(asked).propensity).all()
