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

CUSTOMERS = 600
SHUFFLES = 100


def main(shuffles: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        config, rows = _company(Path(folder))
    print(
        f"generated company: {len(rows.train):,} rows to learn from, {len(rows.test):,} to judge by"
    )
    true = judged(rows, config)
    print(f"true labels: {'; '.join(true) or 'may be promoted'}")
    rng = np.random.default_rng(config.training.seed)
    reasons = [judged(shuffled(rows, rng), config) for _ in range(shuffles)]
    refused = sum(bool(found) for found in reasons)
    print(f"shuffled labels: refused {refused} of {shuffles}")
    for kind, times in Counter(_kind(r) for found in reasons for r in found).most_common():
        print(f"{times:>5}  {kind}")
    return 0 if refused == shuffles and not true else 1


def judged(rows: Rows, config: PipelineConfig) -> tuple[str, ...]:
    """The gate's reasons against a churn model fitted on these rows."""
    models = fit_models(rows, None, config.training).models
    return refusals(judge_models(models, rows, None, None, config), config.training)


def shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    """The same rows with their labels dealt out anew within each cutoff."""
    train, test = (_shuffled(data, rng) for data in (rows.train, rows.test))
    return Rows(train, test, train)


def _shuffled(data: Dataset, rng: np.random.Generator) -> Dataset:
    place = np.arange(len(data))
    for cutoff in np.unique(data.cutoff):
        here = np.flatnonzero(data.cutoff == cutoff)
        place[here] = rng.permutation(here)
    return replace(data, churned=data.rows(place).churned)


def _company(folder: Path) -> tuple[PipelineConfig, Rows]:
    config = load_config(generate_company(folder, CUSTOMERS, seed=7).config)
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"cutoffs": 2})}
    )
    ingest(config)
    rows = churn_rows(open_snapshot(config.workspace / "snapshots"), config)
    train, test, refit = (
        replace(data, orders=None) for data in (rows.train, rows.test, rows.refit)
    )
    return config, Rows(train, test, refit)


def _kind(reason: str) -> str:
    return reason.split(":", maxsplit=1)[0]


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) == 2 else SHUFFLES))
