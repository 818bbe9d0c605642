"""A made shop whose campaign keeps some customers, drives others away and leaves others be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.config import ChurnConfig, ClvConfig, PipelineConfig, SourceConfig, TrainingConfig
from tests.conftest import write_snapshot

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
WAVES, EVERY, HORIZON = 4, 50, 40
START = 60
KINDS = {30.0: (0.4, 0.9), 17.0: (0.9, 0.45), 8.0: (0.3, 0.3)}
"""Price of an order to the chance of buying again, left alone and contacted: the persuadable,
the sleeping dogs and those whom nothing moves."""

Row = dict[str, Any]


def contacted_shop(
    customers: int, seed: int, treated_share: float = 0.5
) -> tuple[list[Row], list[Row]]:
    """Orders, and the contacts of a wave every 50 days, in which all customers take part.

    Whoever is to buy in the 40 days from a wave does so once a week or so.
    """
    rng = np.random.default_rng(seed)
    orders, contacts = [], []
    for number in range(customers):
        name, price = f"c{number}", list(KINDS)[number % 3]
        orders += [_order(name, price, day) for day in rng.uniform(0, START, 4)]
        for wave in range(WAVES):
            day = START + EVERY * wave
            treated = rng.random() < treated_share
            contacts.append(_contact(name, wave, day, treated))
            if rng.random() < KINDS[price][int(treated)]:
                days = rng.uniform(day + 1, day + HORIZON, rng.integers(1, 7))
                orders += [_order(name, price, later) for later in days]
    return orders, contacts


def _order(name: str, price: float, day: float) -> Row:
    at = FIRST + timedelta(days=float(day))
    return {"customer_id": name, "ordered_at": at, "amount": price}


def _contact(name: str, wave: int, day: float, treated: bool) -> Row:
    return {
        "customer_id": name,
        "contacted_at": FIRST + timedelta(days=day, hours=10),
        "campaign": f"wave {wave}",
        "arm": "treatment" if treated else "holdout",
    }


def shop_config(workspace: Path, **training: Any) -> PipelineConfig:
    """Without CLV, and with a gate for churn that looks at ranks alone: uplift is the matter."""
    settings = {"cutoffs": 2, "cutoff_every_days": 50, "bootstrap_draws": 40}
    settings |= {"max_calibration_error": 0.5} | training
    return PipelineConfig(
        name="contacted shop",
        currency="EUR",
        workspace=workspace,
        generated=True,
        sources={"orders": SourceConfig(path="orders.csv")},
        churn=ChurnConfig(horizon_days=HORIZON),
        clv=ClvConfig(horizon_days=1_000),
        training=TrainingConfig(**settings),
    )


def write_shop(workspace: Path, customers: int, seed: int) -> None:
    """Write the shop's snapshot, the data ending when the last wave's horizon does."""
    orders, contacts = contacted_shop(customers, seed)
    end = FIRST + timedelta(days=START + EVERY * (WAVES - 1) + HORIZON)
    tables = {"orders": orders, "contacts": contacts}
    write_snapshot(workspace / "snapshots", tables, watermark=end)
