"""The promotion gate on shuffled labels: it must refuse every time, and pass the true ones.

Labels of a generated company are dealt out anew among the rows of each cutoff, in training and
test rows alike, so that no feature knows anything. Churn is fitted and judged as in training.
"""

import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from features.company.generate import generate_company
from features.config import PipelineConfig, load_config
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from training.dataset import Dataset
from training.fitting import fit_models
from training.gate import refusals
from training.judging.verdict import judge_models
from training.rows import Rows, churn_rows

COMPANIES = (600, 1_500)
"""Customers: so few that BTYD stands alone, and enough for every family of the ensemble."""
SHUFFLES = 100


def main(shuffles: int) -> int:
    return max([_asked(customers, shuffles) for customers in COMPANIES])


def _asked(customers: int, shuffles: int) -> int:
    """0 when the gate passes the true labels of one company and no shuffled ones."""
    with tempfile.TemporaryDirectory() as folder:
        config, rows = _company(Path(folder), customers)
    print(
        f"generated company of {customers:,} customers: {len(rows.train):,} rows to learn from, "
        f"{len(rows.test):,} to judge by",
        flush=True,
    )
    true = judged(rows, config)
    print(f"true labels: {'; '.join(true) or 'may be promoted'}", flush=True)
    rng = np.random.default_rng(config.training.seed)
    reasons = [judged(shuffled(rows, rng), config) for _ in range(shuffles)]
    refused = sum(bool(found) for found in reasons)
    print(f"shuffled labels: refused {refused} of {shuffles}")
    for kind, times in Counter(_kind(r) for found in reasons for r in found).most_common():
        print(f"{times:>5}  {kind}", flush=True)
    return 0 if refused == shuffles and not true else 1


def judged(rows: Rows, config: PipelineConfig) -> tuple[str, ...]:
    """The gate's reasons against a churn model fitted on these rows."""
    models = fit_models(rows, config.training).models
    return refusals(judge_models(models, rows, None, config), config.training)


def shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    """The same rows with their labels dealt out anew within each cutoff."""
    train, test = (_shuffled(data, rng) for data in (rows.train, rows.test))
    return Rows(train, test, rows.basis)


def _shuffled(data: Dataset, rng: np.random.Generator) -> Dataset:
    place = np.arange(len(data))
    for cutoff in np.unique(data.cutoff):
        here = np.flatnonzero(data.cutoff == cutoff)
        place[here] = rng.permutation(here)
    return replace(data, churned=data.rows(place).churned)


def _company(folder: Path, customers: int) -> tuple[PipelineConfig, Rows]:
    config = load_config(generate_company(folder, customers, seed=7).config)
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"cutoffs": 2})}
    )
    ingest(config)
    rows = churn_rows(open_snapshot(config.workspace / "snapshots"), config)
    train, test = (replace(data, orders=None) for data in (rows.train, rows.test))
    # Two cutoffs leave no earlier period to prove anything on, which would hold true labels.
    return config, Rows(train, test, replace(rows.basis, proof=None))


def _kind(reason: str) -> str:
    return reason.split(":", maxsplit=1)[0]


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) == 2 else SHUFFLES))
