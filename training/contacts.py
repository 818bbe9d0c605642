"""Contacts made or withheld at random: what uplift learns from, and churn must not learn from."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.snapshot import Snapshot
from features.trials import CONTACTS_SCHEMA
from features.windows import local_day, start_of_day
from training.families.glm import Vector

_QUERY = f"SELECT {', '.join(CONTACTS_SCHEMA.names)} FROM contacts WHERE arm IS NOT NULL"


@dataclass(frozen=True)
class Contacts:
    """Contacts made and withheld at random, the earliest first; all arrays are as long."""

    customer_id: npt.NDArray[np.str_]
    campaign: npt.NDArray[np.str_]
    cutoff: npt.NDArray[np.datetime64]
    """datetime64[us], UTC: the start of the local day of the contact."""
    treated: Vector
    """1.0 contacted, 0.0 held out."""
    chance: Vector
    """Share of the campaign's customers that was contacted, between 0 and 1."""

    def __len__(self) -> int:
        return len(self.treated)

    def rows(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Contacts":
        """The contacts that `mask` (booleans or positions) picks, in its order."""
        return Contacts(
            self.customer_id[mask],
            self.campaign[mask],
            self.cutoff[mask],
            self.treated[mask],
            self.chance[mask],
        )

    def first_of_each(self) -> "Contacts":
        """Each customer's first entry in each campaign.

        What comes later depends on what the first contact did, so it compares no more.
        """
        return self.rows(_first_places(self.customer_id, self.campaign))


def randomised_contacts(snapshot: Snapshot, own: pa.Table | None) -> Contacts:
    """The entries with an arm in the `contacts` source and in `own`, what Setia itself decided.

    `own` has CONTACTS_SCHEMA. A campaign that held nobody out, or contacted nobody, is left out:
    nothing tells what would have happened otherwise.
    """
    parts = [CONTACTS_SCHEMA.empty_table()]
    if "contacts" in snapshot.manifest.tables:
        parts.append(snapshot.connection.cursor().execute(_QUERY).to_arrow_table())
    if own is not None:
        parts.append(own)
    table = pa.concat_tables([part.cast(CONTACTS_SCHEMA) for part in parts])
    table = table.sort_by([("contacted_at", "ascending"), ("customer_id", "ascending")])
    days = [_start(at, snapshot) for at in table["contacted_at"].to_pylist()]
    campaign = table["campaign"].fill_null("").to_pylist()
    found = Contacts(
        customer_id=np.array(table["customer_id"].to_pylist(), dtype=np.str_),
        campaign=np.array(campaign, dtype=np.str_),
        cutoff=np.array(days, dtype="datetime64[us]"),
        treated=np.array([arm == "treatment" for arm in table["arm"].to_pylist()], dtype=float),
        chance=np.zeros(len(table)),
    )
    return _with_chances(found)


def _start(at: datetime, snapshot: Snapshot) -> datetime:
    """The start of the contact's local day, as naive UTC."""
    return start_of_day(local_day(at, snapshot.zone), snapshot.zone).replace(tzinfo=None)


def _with_chances(contacts: Contacts) -> Contacts:
    """The contacts of campaigns with both arms, each with its campaign's share contacted."""
    _, place = np.unique(contacts.campaign, return_inverse=True)
    first = _first_places(contacts.customer_id, contacts.campaign)
    customers = np.maximum(np.bincount(place[first], minlength=place.max(initial=0) + 1), 1)
    made = np.bincount(place[first], contacts.treated[first], minlength=len(customers))
    chance = (made / customers)[place]
    return replace(contacts, chance=chance).rows((chance > 0) & (chance < 1))


def _first_places(
    customer_id: npt.NDArray[np.str_], campaign: npt.NDArray[np.str_]
) -> npt.NDArray[np.int64]:
    """Where each pair of customer and campaign comes first."""
    _, customer = np.unique(customer_id, return_inverse=True)
    _, place = np.unique(campaign, return_inverse=True)
    _, first = np.unique(np.stack([customer, place]), axis=1, return_index=True)
    return np.sort(first)
