"""What support adds is found where it was planted, in the planted order, and nowhere else."""

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.catalogue import CATALOGUE
from features.company.generate import PLANTED, Effects, generate_company
from features.company.recorded import recorded_loads
from features.config import TrainingConfig, load_config
from features.feature_contract import FeatureColumn, FeatureContract
from features.ingest.run import ingest
from features.labels import latest_matured
from features.snapshot import open_snapshot
from features.spine import eligible_spine
from training.dataset import CannotTrain, Dataset
from training.judging.support_gain import CAUSES, SupportGain, gain_on, support_gain

CUSTOMERS, CUTOFFS = 4_000, 3
STRONG = replace(PLANTED, **{cause: 2 * getattr(PLANTED, cause) for cause in CAUSES})
"""Twice as strong as by default, which takes 20,000 customers: see benchmarks/support_gain.py."""
ZERO = replace(PLANTED, **dict.fromkeys(CAUSES, 0))


@functools.cache
def found(effects: Effects) -> tuple[SupportGain, dict[str, float]]:
    """What support adds in a generated company, and the planted loads of the causes."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(generate_company(Path(folder), CUSTOMERS, effects=effects).config)
        ingest(config)
        training = config.training.model_copy(update={"cutoffs": CUTOFFS})
        snapshot = open_snapshot(config.workspace / "snapshots")
        gain = support_gain(snapshot, config.model_copy(update={"training": training}))
        cutoff = latest_matured(snapshot, config.churn.horizon_days)
        asked = eligible_spine(snapshot, config.churn, [cutoff])["customer_id"].to_pylist()
        loads = recorded_loads(snapshot, cutoff, asked, effects)
        snapshot.connection.close()
    return gain, loads


def test_support_that_matters_raises_the_auc_of_behaviour_alone() -> None:
    gain, _ = found(STRONG)
    assert gain.auc.low > 0


def test_causes_come_in_the_planted_order() -> None:
    gain, loads = found(STRONG)
    assert list(loads) == ["slow_response", "reopened", "escalated", "low_csat"]
    apart = gain.told_apart()
    assert ("slow_response", "low_csat") in apart
    assert [(one, other) for one, other in apart if loads[one] < loads[other]] == []
    assert max(gain.causes, key=lambda cause: gain.causes[cause].point) == "slow_response"


def test_support_that_does_not_matter_adds_nothing() -> None:
    gain, loads = found(ZERO)
    # In a company this small, so many features that say nothing may even cost a little.
    assert gain.auc.low <= 0
    assert set(loads.values()) == {0}
    assert gain.causes["slow_response"].point < found(STRONG)[0].causes["slow_response"].low


@pytest.mark.parametrize("names", [["orders_count_365d"], ["tickets_count_365d"]])
def test_support_is_weighed_only_beside_behaviour(names: list[str]) -> None:
    columns = tuple(
        FeatureColumn(name=name, kind="numeric", definition=CATALOGUE[name].definition)
        for name in names
    )
    rows = Dataset(
        X=np.zeros((2, 1)),
        customer_id=np.array(["a", "b"]),
        cutoff=np.zeros(2, "datetime64[us]"),
        contract=FeatureContract(columns=columns),
        churned=np.array([0.0, 1.0]),
    )
    with pytest.raises(CannotTrain, match="only beside behaviour; configure tickets or surveys"):
        gain_on(rows, rows, TrainingConfig())
