"""Rows as if nobody had been contacted: saved customers must not teach that they were safe."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from training.contacts import Contacts
from training.dataset import Dataset
from training.families.glm import Vector

_FEWEST_ROWS = 1_000
_DAY = 86_400_000_000

_Entry = tuple[int, str, float, float]
"""Microseconds since 1970, campaign, 1.0 if contacted, chance of contact."""


@dataclass(frozen=True)
class Uncontacted:
    """Labelled rows that tell of the risk without contact, and what was done to make them so."""

    train: Dataset
    test: Dataset
    """Without those contacted; nobody stands for them, so that each row is judged once."""
    are_apart: bool
    notes: tuple[str, ...]


def set_contacted_apart(
    train: Dataset, test: Dataset, contacts: Contacts, horizon_days: int
) -> Uncontacted:
    """The rows as if nobody had been contacted; the same rows where nobody was.

    Where too few were held out to stand for the others, all rows are kept, and a note says so.
    """
    weight = stands_for(train, contacts, horizon_days)
    notes = (note,) if (note := _note(weight)) else ()
    if not notes or not _enough_left(weight):
        return Uncontacted(train, test, are_apart=False, notes=notes)
    judged = test.rows(stands_for(test, contacts, horizon_days) > 0)
    return Uncontacted(as_if_uncontacted(train, weight), judged, are_apart=True, notes=notes)


def stands_for(data: Dataset, contacts: Contacts, horizon_days: int) -> Vector:
    """How many rows each row stands for, were nobody contacted; ones without contacts near it.

    A row is 0 where the customer was contacted in the label's horizon or in as many days before,
    for the label tells of a saved customer then, and the features do not know. One held out in
    that time stands for those like it too: 1 over the chance of being held out, multiplied over
    campaigns. So the rows teach the risk that was there without contact, unbiased, as arms were
    drawn at random. Source: Robins, Hernán and Brumback (2000), "Marginal structural models and
    causal inference in epidemiology", inverse probability of censoring.
    """
    log, weight = _log(contacts), np.ones(len(data))
    rows = zip(data.customer_id.tolist(), _microseconds(data.cutoff), strict=True)
    for row, (customer, cutoff) in enumerate(rows):
        entries = log.get(customer, ())
        # Rounded, as clocks that go forward or back make a local day shorter or longer.
        days = (round((entry[0] - cutoff) / _DAY) for entry in entries)
        near = [
            entry
            for entry, away in zip(entries, days, strict=True)
            if -horizon_days <= away < horizon_days
        ]
        if near:
            weight[row] = _weight(near)
    return weight


def as_if_uncontacted(data: Dataset, weight: Vector) -> Dataset:
    """The rows, each as many times as it stands for, so that every learner gives it its weight.

    Fractions are carried to the next row: the number of rows is that of their sum.
    """
    # A hair above, as a sum of thirds may end a hair below its whole number.
    times = np.diff(np.floor(np.cumsum(weight) + 1e-9), prepend=0.0).astype(np.int64)
    return data.rows(np.repeat(np.arange(len(data)), times))


def _enough_left(weight: Vector) -> bool:
    """Whether the rows that stand for others can: as good as 1,000 rows, or a third of them all.

    The effective number of rows is Kish's: squared sum of weights over sum of squares.
    """
    effective = weight.sum() ** 2 / max(float(weight @ weight), 1.0)
    return bool(effective >= min(_FEWEST_ROWS, len(weight) / 3))


def _note(weight: Vector) -> str:
    """One sentence on what was set apart, or why it was not; empty without contacts."""
    contacted, stand_ins = int((weight == 0).sum()), int((weight > 1).sum())
    if not contacted:
        return ""
    told = f"{contacted:,} of {len(weight):,} training rows are of customers contacted around then"
    if _enough_left(weight):
        return (
            f"{told}; they are set apart, and {stand_ins:,} rows of customers held out stand for "
            "them, so that the propensity is the risk without contact."
        )
    return (
        f"{told}; they are kept, as the {stand_ins:,} rows of customers held out are too few to "
        "stand for them: the risk of those we contact is understated. Raise "
        "outreach.holdout_share to mend it."
    )


def _log(contacts: Contacts) -> Mapping[str, Sequence[_Entry]]:
    """Customer to entries."""
    log: dict[str, list[_Entry]] = defaultdict(list)
    entries = zip(
        _microseconds(contacts.cutoff),
        contacts.campaign.tolist(),
        contacts.treated.tolist(),
        contacts.chance.tolist(),
        strict=True,
    )
    for customer, entry in zip(contacts.customer_id.tolist(), entries, strict=True):
        log[customer].append(entry)
    return log


def _microseconds(instants: npt.NDArray[np.datetime64]) -> list[int]:
    whole: list[int] = instants.astype("datetime64[us]").astype(np.int64).tolist()
    return whole


def _weight(near: Sequence[_Entry]) -> float:
    if any(treated for _, _, treated, _ in near):
        return 0.0
    held_out = {campaign: 1.0 / (1.0 - chance) for _, campaign, _, chance in near}
    return prod(held_out.values())
