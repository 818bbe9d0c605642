"""Segments judged apart, and harm found where it was planted."""

from datetime import datetime

import numpy as np

from features.feature_contract import FeatureColumn, FeatureContract
from training.dataset import Dataset
from training.judging.segments import judge_segments

CONTRACT = FeatureContract(
    columns=(
        FeatureColumn(
            name="customers_region",
            kind="category",
            definition="made",
            categories=("east", "north", "south"),
        ),
        FeatureColumn(name="orders_T", kind="numeric", definition="made"),
    )
)


def rows(region: np.ndarray) -> Dataset:
    X = np.column_stack([region, np.zeros(len(region))])
    ids = np.arange(len(region)).astype(str)
    cutoffs = np.full(len(region), datetime(2024, 1, 1), dtype="datetime64[us]")
    return Dataset(X, ids, cutoffs, CONTRACT)


def planted() -> tuple[Dataset, np.ndarray, np.ndarray]:
    """400 in the east, 400 in the north, 60 in the south and 20 of unknown region."""
    region = np.array([0.0] * 400 + [1.0] * 400 + [2.0] * 60 + [np.nan] * 20)
    rng = np.random.default_rng(2)
    risk = rng.beta(1, 1, len(region))
    return rows(region), (rng.random(len(region)) < risk).astype(float), risk


def test_each_region_is_judged_on_its_own_rows() -> None:
    test, churned, risk = planted()
    east, north, south = judge_segments(test, churned, risk, None, draws=20, seed=1)
    assert [s.name for s in (east, north, south)] == [
        "Region: east",
        "Region: north",
        "Region: south",
    ]
    assert [s.calibration.rows for s in (east, north, south)] == [400, 400, 60]
    assert east.calibration.predicted == risk[:400].mean()
    assert east.calibration.actual == churned[:400].mean()
    assert east.brier == np.mean((risk[:400] - churned[:400]) ** 2)
    assert not any(s.gains or s.harmed for s in (east, north, south))


def test_a_region_worse_off_than_under_the_champion_is_harmed_and_others_are_not() -> None:
    test, churned, champion = planted()
    challenger = champion.copy()
    challenger[400:800] = np.random.default_rng(3).random(400)
    east, north, south = judge_segments(test, churned, challenger, champion, draws=60, seed=1)
    assert (east.harmed, north.harmed) == (False, True)
    assert all(gain.high < 0 for gain in north.gains)
    assert south.gains == ()


def test_a_region_that_holds_everybody_or_hardly_anybody_is_no_segment() -> None:
    everybody = rows(np.zeros(300))
    churned = np.tile([0.0, 1.0, 0.0], 100)
    assert judge_segments(everybody, churned, churned, None, draws=20, seed=1) == ()
    few = rows(np.repeat([0.0, 1.0], [270, 30]))
    (only,) = judge_segments(few, churned, churned, None, draws=20, seed=1)
    assert only.name == "Region: east"
