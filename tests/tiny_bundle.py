"""A tiny bundle fitted on random data, for tests that need real boosters but not good ones."""

from datetime import UTC, datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np

from features.feature_contract import FeatureColumn, FeatureContract
from training.bundle import Bundle, BundleInfo, Models, write_bundle
from training.calibration import Calibration
from training.families.ensemble import Ensemble
from training.families.glm import Objective
from training.families.members import Trees, booster_names
from training.intervals import fit_intervals
from training.models import ChurnModel, OrdersModel, ValueModel
from training.timing.hazard import Hazard
from training.typical import fit_typical

TINY_CONTRACT = FeatureContract(
    columns=(
        FeatureColumn(name="orders_days_since_last", definition="d0"),
        FeatureColumn(name="orders_count_90d", definition="d1"),
        FeatureColumn(name="orders_spend_90d", definition="d2"),
        FeatureColumn(
            name="customers_segment",
            kind="category",
            categories=("home", "office"),
            definition="d3",
        ),
    )
)

TINY_INFO = BundleInfo(
    name="tiny",
    version="1",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    cutoffs=(datetime(2025, 9, 1, tzinfo=UTC),),
    churn_horizon_days=90,
    clv_horizon_days=180,
    currency="USD",
    fingerprint="0" * 64,
    code_revision="test",
    generated=True,
)

TINY_HAZARD = Hazard(
    event="return",
    horizon_days=90,
    timezone="Asia/Jakarta",
    watched_days=180,
    inputs=("orders_days_since_last",),
    centre=(0.0, 3.0),
    scale=(1.0, 1.0),
    knots=(7, 30, 180),
    log_hazard=((0.0, 0.0, 0.0), (-0.5, 0.2, -0.3), (-1.5, 0.1, 0.2)),
)


def tiny_rows(rows: int, contract: FeatureContract = TINY_CONTRACT, seed: int = 1) -> np.ndarray:
    """Random feature rows that fit `contract`; one number in twenty is unknown."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(2.0, 10.0, (rows, len(contract.columns)))
    X[rng.random(X.shape) < 0.05] = np.nan
    for place in contract.categorical:
        X[:, place] = rng.integers(0, len(contract.columns[place].categories), rows)
    return X


def tiny_models(contract: FeatureContract = TINY_CONTRACT, *, value: bool = True) -> Models:
    """Models in which a larger first feature means more churn and less value."""
    X = tiny_rows(400, contract)
    rng = np.random.default_rng(2)
    first = np.nan_to_num(X[:, 0], nan=20.0)
    churned = (rng.random(400) < first / (first + 20.0)).astype(float)
    worth = (1.0 - churned) * rng.gamma(2.0, 50.0, 400)
    calibration = Calibration(kind="platt", slope=0.9, intercept=-0.1)
    churn = ChurnModel(_tiny_ensemble(contract, X, churned, "binary"), calibration)
    typical = fit_typical(X)
    if not value:
        return Models(contract, churn, None, None, TINY_HAZARD, typical)
    value = _tiny_ensemble(contract, X, worth, "tweedie")
    intervals = fit_intervals(value.predict(X), worth)
    orders = _tiny_ensemble(contract, X, rng.poisson(1.0 + (1.0 - churned)), "poisson")
    return Models(
        contract,
        churn,
        OrdersModel(orders, 1.01),
        ValueModel(value, 0.98, intervals),
        TINY_HAZARD,
        typical,
    )


def tiny_bundle(
    folder: Path, contract: FeatureContract = TINY_CONTRACT, *, value: bool = True
) -> Bundle:
    """Write a tiny bundle into `folder` and return it as loaded."""
    horizon = TINY_INFO.clv_horizon_days if value else None
    info = TINY_INFO.model_copy(update={"clv_horizon_days": horizon})
    return write_bundle(folder, tiny_models(contract, value=value), info, "# Tiny (generated)\n")


def _tiny_ensemble(
    contract: FeatureContract, X: np.ndarray, target: np.ndarray, objective: Objective
) -> Ensemble:
    data = lgb.Dataset(
        X,
        target,
        feature_name=booster_names(contract),
        categorical_feature=contract.categorical,
    )
    settings = {
        "objective": objective,
        "num_leaves": 7,
        "min_data_in_leaf": 10,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": 3,
        "verbosity": -1,
    }
    trees = Trees(lgb.train(settings, data, num_boost_round=10), on_forecast=False)
    return Ensemble(contract, objective, {"trees": trees}, {"trees": 1.0}, None)
