"""The trial that randomised contacts make: features known before each, and who stayed."""

import numpy as np
import pyarrow as pa

from features.config import PipelineConfig
from features.feature_contract import FeatureContract
from features.labels import churn_labels
from features.snapshot import Snapshot
from features.spine import SPINE_SCHEMA, eligible_spine
from features.windows import is_matured, local_day
from training.contacts import Contacts
from training.dataset import Dataset, spine_rows
from training.families.glm import Vector
from training.uplift.trial import NoTrial, Trial

_WORTH = "orders_spend_365d"


def contact_trial(
    snapshot: Snapshot, config: PipelineConfig, contract: FeatureContract, contacts: Contacts
) -> Trial:
    """Each customer's first entry in each campaign whose churn horizon is over.

    Features are as known at the start of the contact's day, and the outcome is to have stayed,
    as `churn` in the configuration means it, in the horizon from there. It is worth what the
    customer spent in the year before, or 1 where there are no orders. Customers who were not
    eligible that day are left out, as a plan leaves them out.

    Raises NoTrial when labels have no time, or nobody is left.
    """
    if config.churn.label == "column":
        raise NoTrial("labels given in a column do not say what came after a contact")
    spine, entries = _matured_spine(snapshot, config, contacts.first_of_each())
    if not len(entries):
        raise NoTrial("no contact with an arm is old enough for its outcome to be known")
    data = spine_rows(snapshot, config, spine, contract)
    churned = churn_labels(snapshot, config, spine)["churned"].to_numpy()
    return Trial(
        X=data.X,
        contract=contract,
        customer_id=data.customer_id,
        cutoff=data.cutoff,
        treated=entries.treated,
        chance=entries.chance,
        outcome=1.0 - churned.astype(float),
        value=_worth(data),
    )


def _matured_spine(
    snapshot: Snapshot, config: PipelineConfig, entries: Contacts
) -> tuple[pa.Table, Contacts]:
    """The spine of the entries that can be judged, one for a customer and day, and the entries."""
    zone, watermark = snapshot.zone, snapshot.manifest.watermark
    cutoffs = pa.array(entries.cutoff, pa.timestamp("us", tz="UTC"))
    first = local_day(snapshot.manifest.first, zone)
    usable = [
        cutoff
        for cutoff in cutoffs.unique().to_pylist()
        if local_day(cutoff, zone) > first
        and is_matured(cutoff, config.churn.horizon_days, watermark, zone)
    ]
    eligible = eligible_spine(snapshot, config.churn, usable)
    place = {key: row for row, key in reversed(list(enumerate(_keys(entries))))}
    asked = np.array([place.get(key, -1) for key in _spine_keys(eligible)], dtype=np.int64)
    return eligible.filter(pa.array(asked >= 0)), entries.rows(asked[asked >= 0])


def _keys(entries: Contacts) -> list[tuple[str, int]]:
    cutoffs = entries.cutoff.astype(np.int64)
    return list(zip(entries.customer_id.tolist(), cutoffs.tolist(), strict=True))


def _spine_keys(spine: pa.Table) -> list[tuple[str, int]]:
    cutoffs = spine.cast(SPINE_SCHEMA)["cutoff"].cast(pa.int64())
    return list(zip(spine["customer_id"].to_pylist(), cutoffs.to_pylist(), strict=True))


def _worth(data: Dataset) -> Vector:
    if _WORTH not in data.contract.names:
        return np.ones(len(data))
    spend = data.X[:, data.contract.names.index(_WORTH)]
    return np.maximum(np.nan_to_num(spend), 0.0)
