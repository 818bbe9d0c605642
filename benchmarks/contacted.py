"""Churn learned after a programme has saved customers: as the rows are, and with them set apart.

`python -m benchmarks.contacted [CUSTOMERS [SEEDS]]` generates a company that nobody contacted, and
simulates a programme on it: at each training cutoff the riskiest 30 % of customers are contacted,
but for 5 % held out for good, and contact keeps six in ten of those who would have left. What they
would have done without is known. Three models are asked about a later cutoff, at which nobody was
contacted: one that learned from the company as it was, one from the rows as the programme left
them, and one from these with `training.uncontacted`. What contact does to later features is left
out, so this is about labels alone.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.uplift_company import ninety_days
from features.company.generate import PLANTED, generate_company
from features.config import TrainingConfig
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from training.churn import fit_churn
from training.contacts import Contacts
from training.dataset import Dataset
from training.metrics import measure, roc_auc
from training.rows import Basis, Rows, churn_rows
from training.uncontacted import set_contacted_apart

Floats = npt.NDArray[np.float64]

CUSTOMERS, SEEDS = 6_000, 3
CONTACTED, HELD_OUT, SAVED = 0.3, 0.05, 0.6
_CUTOFFS = 4


def main() -> int:
    """Print each company and the means; 0 when the risk is recovered where it was understated."""
    customers, seeds = [int(one) for one in sys.argv[1:]] or [CUSTOMERS, SEEDS]
    found = np.array([_company(customers, seed) for seed in range(1, seeds + 1)])
    print(f"\nmeans over {seeds} companies of {customers:,} customers, of the riskiest 30 %")
    happened, *_ = found.mean(axis=0)
    print(f"  {happened:.3f} of them left, as nobody contacted them; predicted was")
    kept = []
    for place, name in enumerate(("as it was", "saved customers among them", "set apart"), 1):
        off, auc = found[:, place] - found[:, 0], found[:, place + 3]
        error = off.std(ddof=1) / np.sqrt(seeds)
        print(
            f"    learned {name:28s} {found[:, place].mean():.3f}, off by {off.mean():+.3f} "
            f"(standard error {error:.3f}); AUC of everybody {auc.mean():.3f}"
        )
        kept.append(abs(off.mean()))
    naive, apart = kept[1], kept[2]
    recovered = apart < naive / 4
    print(f"promise kept: {recovered}")
    return 0 if recovered else 1


def _company(customers: int, seed: int) -> list[float]:
    """What happened to the riskiest, what each model predicted of them, and each model's AUC."""
    rows, training = _uncontacted_rows(customers, seed)
    test, honest = rows.test, fit_churn(rows, training)
    data, contacts = _programme(rows.train, honest.out_of_fold, seed)
    apart = set_contacted_apart(data, data, contacts, rows.basis.horizon_days)
    print(f"seed {seed}: {'; '.join(apart.notes)}")
    told = [honest.model.predict(test.X)]
    for taught in (data, apart.train):
        told.append(fit_churn(replace(rows, train=taught), training).model.predict(test.X))
    churned, risky = np.asarray(test.churned), told[0] >= np.quantile(told[0], 1 - CONTACTED)
    means = [float(propensity[risky].mean()) for propensity in told]
    aucs = [measure(roc_auc, churned, propensity) for propensity in told]
    shown = ", ".join(f"{mean:.3f}" for mean in means)
    print(f"  {churned[risky].mean():.3f} left; predicted {shown}")
    return [float(churned[risky].mean()), *means, *aucs]


def _uncontacted_rows(customers: int, seed: int) -> tuple[Rows, TrainingConfig]:
    """Labelled rows a horizon apart of a company whose own campaign changes nothing."""
    effects = replace(PLANTED, persuadable=0.0, sleeping_dog=0.0)
    with tempfile.TemporaryDirectory() as name:
        company = generate_company(Path(name), customers, seed=seed, effects=effects)
        config = ninety_days(company.config)
        days = config.churn.horizon_days
        training = config.training.model_copy(
            update={"cutoffs": _CUTOFFS, "cutoff_every_days": days}
        )
        config = config.model_copy(update={"training": training})
        ingest(config)
        snapshot = open_snapshot(config.workspace / "snapshots")
        rows = churn_rows(snapshot, config)
        snapshot.connection.close()
    # Levels are learned from the rows alone: BTYD reads orders, which the simulation leaves be.
    return replace(rows, basis=Basis(days, days)), training


def _programme(data: Dataset, risk: Floats, seed: int) -> tuple[Dataset, Contacts]:
    """The rows as a programme would have left them, and its contacts, five days after cutoffs."""
    rng = np.random.default_rng(seed)
    people, person = np.unique(data.customer_id, return_inverse=True)
    held_out = (rng.random(len(people)) < HELD_OUT)[person]
    chosen = np.zeros(len(data), dtype=bool)
    for cutoff in np.unique(data.cutoff):
        here = data.cutoff == cutoff
        chosen[here] = risk[here] >= np.quantile(risk[here], 1 - CONTACTED)
    contacted = chosen & ~held_out
    saved = contacted & (rng.random(len(data)) < SAVED)
    contacts = Contacts(
        customer_id=data.customer_id[chosen],
        campaign=np.full(int(chosen.sum()), "programme"),
        cutoff=data.cutoff[chosen] + np.timedelta64(5, "D"),
        treated=contacted[chosen].astype(float),
        chance=np.full(int(chosen.sum()), 1 - HELD_OUT),
    )
    return replace(data, churned=np.where(saved, 0.0, np.asarray(data.churned))), contacts


if __name__ == "__main__":
    raise SystemExit(main())
