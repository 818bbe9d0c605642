"""The generated company's campaign as a trial, with what each contact truly changes."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.company.causes import cause_debts
from features.company.dropout import DAILY_DECAY
from features.company.generate import END, Effects, generate_company
from features.config import PipelineConfig, load_config
from features.ingest.run import ingest
from features.labels import latest_matured
from features.snapshot import open_snapshot
from training.contacts import randomised_contacts
from training.dataset import build_dataset
from training.uplift.entries import contact_trial
from training.uplift.trial import Trial

Floats = npt.NDArray[np.float64]

HORIZON_DAYS, HISTORY_DAYS = 90, 900


@dataclass(frozen=True)
class Truth:
    """What a contact truly does to each row of a trial."""

    saved: Floats
    """Change in the chance of still being there `HORIZON_DAYS` later; 0 for those already gone.

    Those who stay also order more, or less, which the outcome shows and this leaves out.
    """
    worth: Floats
    """A year's purchases at the true rate, in the currency."""
    group: npt.NDArray[np.str_]

    def rows(self, mask: npt.NDArray[np.bool_]) -> "Truth":
        """The rows that `mask` picks."""
        return Truth(self.saved[mask], self.worth[mask], self.group[mask])


def company_trial(customers: int, effects: Effects, seed: int) -> tuple[Trial, Truth]:
    """The whole campaign as `setia train` sees it, with an outcome after `HORIZON_DAYS`.

    The truth is that of the same rows.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = ninety_days(generate_company(folder, customers, seed=seed, effects=effects).config)
        ingest(config)
        snapshot = open_snapshot(config.workspace / "snapshots")
        latest = latest_matured(snapshot, HORIZON_DAYS)
        contract = build_dataset(snapshot, config, (latest,), "churn").contract
        trial = contact_trial(snapshot, config, contract, randomised_contacts(snapshot, None))
        snapshot.connection.close()
        entries = _entries(folder, customers, seed)
    return trial, _truth(trial, entries)


def ninety_days(path: Path) -> PipelineConfig:
    """The generated configuration with a churn horizon of `HORIZON_DAYS`."""
    config = load_config(path)
    churn = config.churn.model_copy(update={"horizon_days": HORIZON_DAYS})
    return config.model_copy(update={"churn": churn})


def _entries(folder: Path, customers: int, seed: int) -> pd.DataFrame:
    """Every campaign entry with its truth and the customer's debt on that day."""
    told = pd.read_parquet(folder / "truth_contacts.parquet")
    traits = ["customer_id", "base_hazard", "purchase_rate", "order_value"]
    people = pd.read_parquet(folder / "truth.parquet", columns=traits)
    entries = told.merge(people, on="customer_id")
    zone = "Asia/Jakarta"
    local = entries["contacted_at"].dt.tz_convert(zone).dt.normalize()
    start = pd.Timestamp(END, tz=zone) - pd.Timedelta(days=HISTORY_DAYS)
    entries["cutoff"] = local.dt.tz_convert("UTC").dt.tz_localize(None)
    day = ((local - start) / pd.Timedelta(days=1)).astype(int)
    number = entries["customer_id"].str[1:].astype(int) - 1
    entries["debt"] = 0.0
    for wave in sorted(set(day)):
        debts = cause_debts(customers, wave, seed=seed, days=HISTORY_DAYS).sum(axis=0)
        here = day == wave
        entries.loc[here, "debt"] = debts[number[here]] * DAILY_DECAY
    return entries


def _truth(trial: Trial, entries: pd.DataFrame) -> Truth:
    """What contact does to each row of the trial."""
    rows = pd.DataFrame({"customer_id": trial.customer_id.astype(str), "cutoff": trial.cutoff})
    rows["cutoff"] = rows["cutoff"].astype(entries["cutoff"].dtype)
    asked = rows.merge(entries, on=["customer_id", "cutoff"], validate="one_to_one")
    return Truth(
        saved=_saved(asked),
        worth=(asked["purchase_rate"] * asked["order_value"] * 365).to_numpy(),
        group=asked["contact_group"].to_numpy().astype(np.str_),
    )


def _saved(entries: pd.DataFrame) -> Floats:
    """Chance of staying if contacted less that if not, by the generator's hazard.

    Debt and care fade from the day of contact; later shocks, unknown then, are left out.
    """
    fading = DAILY_DECAY ** np.arange(HORIZON_DAYS)
    debt, care = (entries[name].to_numpy()[:, None] for name in ("debt", "contact_effect"))
    base = entries["base_hazard"].to_numpy()
    left = np.exp(-base * np.exp(debt * fading).sum(axis=1))
    contacted = np.exp(-base * np.exp((debt + care) * fading).sum(axis=1))
    return np.where(entries["present"], contacted - left, 0.0)
