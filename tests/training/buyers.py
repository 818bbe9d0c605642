"""Generated buyers of MBG/NBD and Gamma-Gamma, as feature rows with what came after the cutoff."""

from dataclasses import dataclass

import numpy as np

from features.feature_contract import FeatureColumn, FeatureContract
from training.btyd.bg_nbd import BetaGeometricNbd
from training.btyd.composite import Btyd
from training.btyd.gamma_gamma import GammaGamma
from training.families.forecast import Forecast, Standpoint, typical_customer
from training.families.glm import Objective

HORIZON = 90
BTYD = Btyd(
    orders=BetaGeometricNbd(kind="mbg_nbd", r=1.2, alpha=30.0, a=0.6, b=2.4),
    value=GammaGamma(p=4.0, q=3.5, gamma=20.0),
)
NUMBERS = (
    "orders_frequency",
    "orders_recency",
    "orders_T",
    "orders_value_mean",
    "orders_days_since_last",
    "tickets_open_90d",
)
CONTRACT = FeatureContract(
    columns=(
        *(FeatureColumn(name=name, definition=name) for name in NUMBERS),
        FeatureColumn(
            name="customers_segment", kind="category", categories=("a", "b"), definition="s"
        ),
    )
)


@dataclass(frozen=True)
class Buyers:
    """Feature rows at a cutoff, and the orders and spend of the 90 days from it on."""

    X: np.ndarray
    customer_id: np.ndarray
    orders: np.ndarray
    value: np.ndarray

    @property
    def churned(self) -> np.ndarray:
        return (self.orders == 0).astype(float)


def buyers(customers: int, seed: int) -> Buyers:
    """Customers seen for 60 to 360 days; tickets and segment say nothing of them."""
    rng = np.random.default_rng(seed)
    orders, value = BTYD.orders, BTYD.value
    seen = rng.uniform(60.0, 360.0, customers)
    rate = rng.gamma(orders.r, size=customers) / orders.alpha
    chance = rng.beta(orders.a, orders.b, customers)
    level = rng.gamma(value.q, size=customers) / value.gamma
    rows = [_one(rng, *own) for own in zip(seen, rate, chance, level, strict=True)]
    frequency, recency, mean, later, spend = np.array(rows).T
    T = seen + 1.0
    noise = (rng.poisson(1.0, customers), rng.integers(0, 2, customers))
    X = np.column_stack([frequency, recency, T, mean, T - recency, *noise]).astype(float)
    return Buyers(X, np.array([f"c{n}" for n in range(customers)]), later, spend)


def _one(
    rng: np.random.Generator, seen: float, rate: float, chance: float, level: float
) -> tuple[float, ...]:
    """Frequency, recency, mean value, and orders and spend after `seen` days, of one customer."""
    times = np.cumsum(rng.exponential(1.0 / rate, rng.geometric(max(chance, 1e-3)) - 1))
    times = np.concatenate([[0.0], times[times < seen + HORIZON]])
    values = rng.gamma(BTYD.value.p, size=len(times)) / level
    known = times < seen
    return (
        known.sum() - 1.0,
        times[known][-1],
        values[known].mean(),
        float((~known).sum()),
        values[~known].sum(),
    )


def forecast_of(objective: Objective, X: np.ndarray, unit: float = 1.0) -> Forecast:
    """The forecast of the true parameters."""
    return Forecast(
        btyd=BTYD,
        objective=objective,
        learned_days=HORIZON,
        horizon_days=HORIZON,
        unit=unit,
        typical=typical_customer(X, CONTRACT.names),
    )


def standpoint_of(X: np.ndarray) -> Standpoint:
    """The true parameters, asked about the customers of `X`."""
    return Standpoint(X, BTYD, net_share=1.0)
