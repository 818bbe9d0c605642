"""Reasons beside the planted truth: how often the first reason names what drives a customer away.

`python -m benchmarks.reasons [CUSTOMERS] [SEED ...]` generates companies, trains the churn model
on the periods before the test cutoff, explains the customers at it and prints the figures.
"""

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from features.company.causes import cause_debts
from features.company.generate import END, Company, generate_company
from features.company.support import CAUSES
from features.config import PipelineConfig, load_config
from features.engine import configured_snapshot
from features.ingest.run import ingest
from features.labels import latest_matured
from features.windows import local_day
from serving.reasons import EXPERIENCES, Explanation, Narrator
from training.dataset import Dataset
from training.fitting import fit_models
from training.rows import churn_rows, cutoffs_of
from training.typical import fit_typical

LEAST = 0.8
DAYS = 900
THEMES = dict(zip(CAUSES, ("waiting", "unsolved", "escalated", "satisfaction"), strict=True))
"""The theme that tells each planted cause; a reopened ticket is an unsolved problem."""

_DOUBLED = math.log(2.0)
_ALONE = 0.9
_FAR_APART = 2.0

Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What was planted for the customers of the test cutoff, row by row."""

    debts: Matrix
    """CAUSES x rows: the log-hazard each cause adds on the day of the cutoff."""
    present: Mask
    """Not yet dropped out."""
    low_score_known: Mask
    """Gave a satisfaction score of 1 or 2 before the cutoff; of most nobody asked, or heard, it."""

    @property
    def driver(self) -> npt.NDArray[np.str_]:
        """The one cause that more than doubles the hazard and is nearly all of it, else ''."""
        whole, most = self.debts.sum(axis=0), self.debts.max(axis=0)
        single = self.present & (whole >= _DOUBLED) & (most >= _ALONE * whole)
        return np.where(single, np.array(CAUSES)[self.debts.argmax(axis=0)], "")

    @property
    def visible(self) -> Mask:
        """Driven by one cause that left a trace in the data."""
        driver = self.driver
        visible: Mask = (driver != "") & ((driver != "low_csat") | self.low_score_known)
        return visible


@dataclass(frozen=True)
class Found:
    """What the reasons said of one company, beside what was planted in it."""

    named: Mapping[str, tuple[int, int]]
    """Cause to customers it alone drives: those whose first raising reason names it, and all."""
    named_unseen: tuple[int, int]
    """The same over all causes, with those whose low score nobody asked for."""
    named_at_risk: tuple[int, int]
    """The same over visible causes, for customers not in the low tier."""
    blamed: tuple[int, int]
    """At-risk customers whom nothing dissatisfies: those told an experience first, and all."""
    planted: Mapping[str, float]
    """Cause to the mean log-hazard it adds, as far as it can be seen."""
    found: Mapping[str, int]
    """Cause to the dissatisfied customers (hazard doubled) whose first raising reason names it."""

    @property
    def in_order(self) -> bool:
        """Whether causes planted twice as strong as others are also found the more often."""
        return all(
            self.found[one] > self.found[other]
            for one in CAUSES
            for other in CAUSES
            if self.planted[one] > _FAR_APART * self.planted[other]
        )


def measure(company: Company, config: PipelineConfig, seed: int) -> Found:
    """Train on `company`, explain its customers at the test cutoff, and compare with the truth."""
    ingest(config)
    snapshot = configured_snapshot(config)
    rows = churn_rows(snapshot, config, latest_matured(snapshot, config.churn.horizon_days))
    models = fit_models(rows, config.training).models
    test, contributions = rows.test, models.contributions(rows.test.X)
    narrator = Narrator(test.contract, "en", config.currency, fit_typical(rows.train.X))
    told = list(narrator.explain(test.X, contributions, [True] * len(test)))
    at_risk = models.predict(test.X).propensity >= config.serving.medium_risk
    return _compare(_truth(company, test, config, seed), told, at_risk)


def _truth(company: Company, test: Dataset, config: PipelineConfig, seed: int) -> Truth:
    (cutoff,) = cutoffs_of(test)
    day = (local_day(cutoff, config.zone) - (END - timedelta(days=DAYS))).days
    numbers = np.array([int(customer[1:]) for customer in test.customer_id])
    gone, scored = (
        _customers(company.folder / file, cutoff, condition)
        for file, condition in (
            ("truth.parquet", "dropped_out_at < $cutoff"),
            ("surveys.parquet", "kind = 'csat' AND score <= 2 AND answered_at < $cutoff"),
        )
    )
    everybody = company.rows["truth"]
    debts = cause_debts(everybody, day, seed=seed, days=DAYS, effects=company.effects)
    return Truth(
        debts[:, numbers - 1],
        ~np.isin(test.customer_id, gone),
        np.isin(test.customer_id, scored),
    )


def _customers(file: Path, cutoff: datetime, condition: str) -> list[str]:
    """The customers of the rows in a Parquet file that meet the condition."""
    query = f"SELECT DISTINCT customer_id FROM read_parquet($file) WHERE {condition}"
    with duckdb.connect() as connection:
        found = connection.execute(query, {"file": str(file), "cutoff": cutoff}).fetchall()
    return [row[0] for row in found]


def _compare(truth: Truth, told: Sequence[Explanation], at_risk: Mask) -> Found:
    """Count who was told what."""
    first = np.array([_first_raising(explanation) for explanation in told])
    driver, visible = truth.driver, truth.visible
    right = first == np.array([THEMES.get(cause, "none") for cause in driver])
    content = truth.present & at_risk & (truth.debts.sum(axis=0) == 0.0)
    seen = truth.debts * np.where(_low_csat(), truth.low_score_known, True)
    planted = seen[:, truth.present].mean(axis=1)
    dissatisfied = truth.present & (truth.debts.sum(axis=0) >= _DOUBLED)
    return Found(
        named={cause: _share(right, visible & (driver == cause)) for cause in CAUSES},
        named_unseen=_share(right, driver != ""),
        named_at_risk=_share(right, visible & at_risk),
        blamed=_share(np.isin(first, list(EXPERIENCES)), content),
        planted=dict(zip(CAUSES, planted.tolist(), strict=True)),
        found={c: int((first[dissatisfied] == THEMES[c]).sum()) for c in CAUSES},
    )


def _low_csat() -> Mask:
    return np.array([[cause == "low_csat"] for cause in CAUSES])


def _first_raising(explanation: Explanation) -> str:
    raising = [reason.theme for reason in explanation.reasons if reason.effect == "raises"]
    return raising[0] if raising else ""


def _share(hit: Mask, among: Mask) -> tuple[int, int]:
    return int((hit & among).sum()), int(among.sum())


def interval(named: int, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, named / asked
    middle = (share + z * z / (2 * asked)) / (1 + z * z / asked)
    half = z * math.sqrt(share * (1 - share) / asked + z * z / (4 * asked**2)) / (1 + z * z / asked)
    return middle - half, middle + half


def main(customers: int = 5_000, seeds: Sequence[int] = (7, 8, 9)) -> int:
    """Print the figures; 0 when at least LEAST of the visible causes are named."""
    companies = [_company(customers, seed) for seed in seeds]
    print(f"generated companies of {customers:,} customers, seeds {', '.join(map(str, seeds))}")
    for cause in CAUSES:
        _print(f"driven by {cause} alone", [found.named[cause] for found in companies])
    every = [found.named[cause] for found in companies for cause in CAUSES]
    named, asked = _print("driven by one visible cause", every)
    _print("  of them not in the low tier", [found.named_at_risk for found in companies])
    _print("  with low scores never asked for", [found.named_unseen for found in companies])
    _print("at risk without a cause, yet told one", [found.blamed for found in companies])
    for cause in CAUSES:
        planted = np.mean([found.planted[cause] for found in companies])
        first = sum(found.found[cause] for found in companies)
        print(f"{cause:14} planted {planted:.4f} log-hazard, first for {first:,} dissatisfied")
    return 0 if named >= LEAST * asked else 1


def _company(customers: int, seed: int) -> Found:
    with tempfile.TemporaryDirectory() as name:
        company = generate_company(Path(name), customers, seed=seed, days=DAYS)
        return measure(company, load_config(company.config), seed)


def _print(label: str, shares: Sequence[tuple[int, int]]) -> tuple[int, int]:
    named, asked = (sum(share[place] for share in shares) for place in (0, 1))
    if asked:
        low, high = interval(named, asked)
        print(f"{label:38} {named:4} of {asked:4}: {named / asked:.3f} [{low:.3f}, {high:.3f}]")
    return named, asked


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(main(given[0], given[1:] or (7, 8, 9)) if given else main())
