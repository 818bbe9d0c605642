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
from features.config import load_config
from features.ingest.run import ingest
from features.snapshot import open_snapshot
from training.dataset import Dataset, build_dataset
from training.uplift.learners import Trial

Floats = npt.NDArray[np.float64]

HORIZON_DAYS, HISTORY_DAYS, SEED = 90, 900, 7
_KEY = ["customer_id", "cutoff"]


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


def company_trial(customers: int, effects: Effects) -> tuple[Trial, Truth, npt.NDArray[np.int64]]:
    """A trial of the whole campaign, its truth, and the wave of each row, counted from 0.

    The outcome is an order within `HORIZON_DAYS`, the value the spend of the year before.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = load_config(generate_company(folder, customers, seed=SEED, effects=effects).config)
        churn = loaded.churn.model_copy(update={"horizon_days": HORIZON_DAYS})
        config = loaded.model_copy(update={"churn": churn})
        ingest(config)
        snapshot = open_snapshot(config.workspace / "snapshots")
        entries = _entries(folder, customers)
        days = sorted(set(entries["cutoff"]))
        data = build_dataset(snapshot, config, [day.to_pydatetime() for day in days], "churn")
        snapshot.connection.close()
    place, entry = _matched(data, entries)
    data, entries = data.rows(place), entries.iloc[entry]
    truth = Truth(
        saved=_saved(entries),
        worth=(entries["purchase_rate"] * entries["order_value"] * 365).to_numpy(),
        group=entries["contact_group"].to_numpy().astype(np.str_),
    )
    return _trial(data, entries), truth, np.searchsorted(days, entries["cutoff"])


def _entries(folder: Path, customers: int) -> pd.DataFrame:
    """Every campaign entry with its arm, its truth and the customer's debt on that day."""
    told = pd.read_parquet(folder / "truth_contacts.parquet")
    arms = pd.read_parquet(folder / "contacts.parquet", columns=["customer_id", "campaign", "arm"])
    traits = ["customer_id", "base_hazard", "purchase_rate", "order_value"]
    people = pd.read_parquet(folder / "truth.parquet", columns=traits)
    entries = told.merge(arms, on=["customer_id", "campaign"]).merge(people, on="customer_id")
    zone = "Asia/Jakarta"
    local = entries["contacted_at"].dt.tz_convert(zone).dt.normalize()
    start = pd.Timestamp(END, tz=zone) - pd.Timedelta(days=HISTORY_DAYS)
    entries["cutoff"] = local.dt.tz_convert("UTC")
    day = ((local - start) / pd.Timedelta(days=1)).astype(int)
    number = entries["customer_id"].str[1:].astype(int) - 1
    entries["debt"] = 0.0
    for wave in sorted(set(day)):
        debts = cause_debts(customers, wave, seed=SEED, days=HISTORY_DAYS).sum(axis=0)
        here = day == wave
        entries.loc[here, "debt"] = debts[number[here]] * DAILY_DECAY
    return entries


def _matched(
    data: Dataset, entries: pd.DataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions in `data` and in `entries` of the customers and days that both know."""
    cutoff = pd.to_datetime(data.cutoff, utc=True)
    rows = pd.DataFrame({"customer_id": data.customer_id.astype(str), "cutoff": cutoff})
    left, right = rows.reset_index(names="place"), entries[_KEY].reset_index(drop=True)
    left["cutoff"] = left["cutoff"].astype(right["cutoff"].dtype)
    both = left.merge(right.reset_index(names="entry"), on=_KEY)
    return both["place"].to_numpy(), both["entry"].to_numpy()


def _trial(data: Dataset, entries: pd.DataFrame) -> Trial:
    spend = data.X[:, data.contract.names.index("orders_spend_365d")]
    return Trial(
        X=data.X,
        contract=data.contract,
        customer_id=data.customer_id,
        treated=(entries["arm"] == "treatment").to_numpy().astype(float),
        outcome=1.0 - np.asarray(data.churned),
        value=np.maximum(np.nan_to_num(spend), 0.0),
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
