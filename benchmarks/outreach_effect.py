"""What the effect report says of programmes whose truth is known.

`python -m benchmarks.outreach_effect [PROGRAMMES [CUSTOMERS]]`: so many simulated programmes of
each kind, written into an operations database as plans write them and reported on as `setia
outcomes report` does, looked at on every day. Customers stay by their score, and by 5 points more
often where contacted; a tenth is held out. Prints how often a programme without effect ever
raises an alarm, how often the true effect is ever outside its interval, how many customers it
takes until a leak from an arm is caught, and how long the report of 100,000 customers takes.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sqlalchemy import insert

from features.config import PipelineConfig
from serving.database import Database
from serving.outreach.prove.effect import ODD_RATIO, Arm, measure_effect
from serving.outreach.prove.effect_report import report_effect
from serving.outreach.prove.effect_shapes import EffectReport
from serving.outreach.records import DECISIONS, OUTCOMES, PROGRAMMES

PROGRAMMES_OF_EACH, CUSTOMERS = 200, 3_000
LOOKS, HORIZON = 40, 30
SHARE, EFFECT = 0.1, 0.05
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
NOW = START + timedelta(days=365)
_FURTHEST = 4_000_000
LEAKS = {
    "2 points: 3 % held out where 5 % were drawn": (0.05, 0.03 / (0.03 + 0.95)),
    "2 % of the customers, all of them held out (drawn: 20 %)": (0.2, 0.18 / 0.98),
    "2 % of those contacted (equal arms)": (0.5, 0.5 / (0.5 + 0.5 * 0.98)),
    "2 % of those contacted (drawn: 5 %)": (0.05, 0.05 / (0.05 + 0.95 * 0.98)),
}
"""What is missing to the share that was drawn and the share that is seen."""


def main(programmes: int, customers: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        alarms = _outside(database, Path(folder), "null", 0.0, programmes, customers)
        missed = _outside(database, Path(folder), "real", EFFECT, programmes, customers)
        found = _said(alarms, programmes), _said(missed, programmes)
        print(f"{programmes} programmes of {customers:,} customers, looked at on {LOOKS} days:")
        print(f"  without effect, ever an alarm: {found[0]} (promised: 5 % at most)")
        print(f"  a true effect of {EFFECT:.0%} ever outside: {found[1]} (promised: 5 % at most)")
        seconds = _timed(database, Path(folder))
        print(f"the report of 100,000 customers takes {seconds:.1f} s of CPU")
        database.close()
    for what, (share, seen) in LEAKS.items():
        print(f"leak of {what}: {_caught(share, seen)}")
    print(f"no leak: {_false_leaks()}")
    odds = [stats.binomtest(each, programmes, 0.05, "greater").pvalue for each in (alarms, missed)]
    return 0 if min(odds) > 0.01 else 1


def _outside(
    database: Database, folder: Path, kind: str, effect: float, programmes: int, customers: int
) -> int:
    """Programmes in which the truth was outside an interval on any day."""
    count = 0
    for seed in range(programmes):
        report = _programme(database, folder, f"{kind}{seed}", effect, customers, seed)
        looks = [point for point in report.daily if point.low is not None]
        count += any(not (one.low or 0) <= effect <= (one.high or 0) for one in looks)
    return count


def _programme(
    database: Database, folder: Path, name: str, effect: float, customers: int, seed: int
) -> EffectReport:
    """A programme written as plans and the data write it, and reported on."""
    rng = np.random.default_rng([seed, int(effect * 1_000)])
    risk, held_out = rng.beta(2, 3, customers), rng.random(customers) < SHARE
    stayed = rng.random(customers) < np.clip(1 - risk + np.where(held_out, 0, effect), 0, 1)
    with database.writing(durable=False) as connection:
        connection.execute(
            insert(PROGRAMMES).values(
                name=name,
                holdout_key=b"k" * 32,
                holdout_share=SHARE,
                planned=customers,
                started_at=START,
                plans=1,
            )
        )
        rows = list(_rows(name, risk.tolist(), held_out.tolist(), stayed.tolist()))
        connection.execute(insert(DECISIONS), [decision for decision, _ in rows])
        connection.execute(insert(OUTCOMES), [outcome for _, outcome in rows])
    with database.reading() as connection:
        return report_effect(connection, _config(folder, name), NOW, NOW)


def _rows(
    name: str, risk: list[float], held_out: list[bool], stayed: list[bool]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The decision on each customer, and what became of them."""
    for place, (propensity, out, stays) in enumerate(zip(risk, held_out, stayed, strict=True)):
        at = START + timedelta(days=place % LOOKS)
        about = {"customer_id": f"c{place}"}
        decision = about | {
            "id": f"{name}_{place}",
            "programme": name,
            "run": f"run_{place % LOOKS}",
            "decided_at": at,
            "occasion": "risk",
            "action": "suppress" if out else "contact",
            "reason": "holdout" if out else "expected_gain",
            "arm": "holdout" if out else "contact",
            "policy": "expected_gain",
            "value": 100.0,
            "churn_probability": propensity,
        }
        yield (
            decision,
            about
            | {
                "kind": "kept" if stays else "lost",
                "occurred_at": at + timedelta(days=HORIZON),
                "value": 50.0 if stays else 0.0,
                "decision_id": decision["id"],
                "source": "orders",
                "received_at": NOW,
            },
        )


def _config(folder: Path, programme: str) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "shop",
            "currency": "EUR",
            "workspace": folder,
            "sources": {"orders": {"path": "orders.csv"}},
            "churn": {"horizon_days": HORIZON},
            "outreach": {"programme": programme},
        }
    )


def _said(count: int, of: int) -> str:
    """The share and its exact 95 % interval (Clopper and Pearson)."""
    low, high = stats.binomtest(count, of).proportion_ci(0.95)
    return f"{count / of:.1%} [{low:.1%}, {high:.1%}]"


def _timed(database: Database, folder: Path) -> float:
    _programme(database, folder, "large", 0.0, 100_000, 1)
    started = time.process_time()
    with database.reading() as connection:
        report_effect(connection, _config(folder, "large"), NOW, NOW)
    return time.process_time() - started


def _sizes() -> np.ndarray:
    """Looks at ever more customers, each a tenth more than the one before."""
    return np.unique(np.geomspace(500, _FURTHEST, 95).astype(int))


def _first_alarm(share: float, seen: float, rng: np.random.Generator) -> float:
    """Customers at which the sample-ratio check speaks for the first time; inf for never."""
    before, held_out = 0, 0
    for size in _sizes().tolist():
        held_out += int(rng.binomial(size - before, seen))
        before = size
        arms = (Arm(size - held_out), Arm(held_out))
        if measure_effect(*arms, share, size).ratio_p_value < ODD_RATIO:
            return float(size)
    return float("inf")


def _caught(share: float, seen: float, times: int = 200) -> str:
    rng = np.random.default_rng(7)
    sizes = [_first_alarm(share, seen, rng) for _ in range(times)]
    half, most = np.quantile(sizes, [0.5, 0.95], method="higher")
    return f"caught after {half:,.0f} customers half of the time, {most:,.0f} 19 times in 20"


def _false_leaks(times: int = 1_000) -> str:
    rng = np.random.default_rng(8)
    alarms = sum(np.isfinite(_first_alarm(0.05, 0.05, rng)) for _ in range(times))
    return f"an alarm in {_said(int(alarms), times)} of {times:,} programmes of {_FURTHEST:,}"


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(given + [PROGRAMMES_OF_EACH, CUSTOMERS][len(given) :])))
