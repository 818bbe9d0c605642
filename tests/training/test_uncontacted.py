"""Saved customers do not teach that they were safe, and nothing changes without contacts."""

from dataclasses import replace

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract
from training.contacts import Contacts
from training.dataset import Dataset
from training.uncontacted import as_if_uncontacted, set_contacted_apart, stands_for

CONTRACT = FeatureContract(columns=(FeatureColumn(name="a", definition=""),))
CUTOFF = np.datetime64("2025-06-01", "us")
DAY = np.timedelta64(1, "D")
HORIZON = 30


def dataset(names: list[str], churned: np.ndarray | None = None) -> Dataset:
    rows = len(names)
    return Dataset(
        X=np.arange(float(rows))[:, None],
        customer_id=np.array(names, dtype=np.str_),
        cutoff=np.full(rows, CUTOFF),
        contract=CONTRACT,
        churned=np.zeros(rows) if churned is None else churned,
    )


def contacts(*entries: tuple[str, int, bool, float], campaign: str = "care") -> Contacts:
    """Entries of customer, days from the cutoff, whether contacted, and chance of contact."""
    names, days, treated, chance = zip(*entries, strict=True) if entries else ((), (), (), ())
    return Contacts(
        customer_id=np.array(names, dtype=np.str_),
        campaign=np.full(len(names), campaign),
        cutoff=CUTOFF + np.array(days, dtype=int) * DAY,
        treated=np.array(treated, dtype=float),
        chance=np.array(chance, dtype=float),
    )


def joined(one: Contacts, two: Contacts) -> Contacts:
    pairs = ((getattr(one, name), getattr(two, name)) for name in Contacts.__dataclass_fields__)
    return Contacts(*(np.concatenate(pair) for pair in pairs))


def test_a_contact_in_the_horizon_or_as_long_before_sets_the_row_apart() -> None:
    days = {"a": -31, "b": -30, "c": 0, "d": 29, "e": 30}
    entries = [(name, day, True, 0.5) for name, day in days.items()]
    weight = stands_for(dataset(list("abcdef")), contacts(*entries), HORIZON)
    assert weight.tolist() == [1, 0, 0, 0, 1, 1]


def test_one_held_out_stands_for_those_like_it_once_in_each_campaign() -> None:
    """Of a campaign that contacts 19 of 20, one held out stands for 20, however often seen."""
    daily = contacts(*[("a", day, False, 0.95) for day in range(5)])
    pilot = contacts(("a", 3, False, 0.5), ("b", 3, False, 0.5), campaign="pilot")
    weight = stands_for(dataset(["a", "b", "c"]), joined(daily, pilot), HORIZON)
    assert weight.tolist() == pytest.approx([40, 2, 1])


def test_held_out_here_and_contacted_there_is_contacted() -> None:
    held_out = contacts(("a", 3, False, 0.5))
    reached = contacts(("a", 9, True, 0.5), campaign="other")
    assert stands_for(dataset(["a"]), joined(held_out, reached), HORIZON).tolist() == [0]


def test_rows_come_as_often_as_they_stand_for_and_fractions_are_carried() -> None:
    data = dataset(list("abcd"))
    found = as_if_uncontacted(data, np.array([1, 0, 2.5, 2.5]))
    assert found.customer_id.tolist() == ["a", "c", "c", "d", "d", "d"]
    thirds = as_if_uncontacted(dataset(list("abc" * 30)), np.full(90, 4 / 3))
    assert len(thirds) == 120


def test_without_contacts_nearby_the_rows_are_the_same_rows() -> None:
    data = dataset(list("abc"))
    for none in (contacts(), contacts(("a", 60, True, 0.5), ("b", 60, False, 0.5))):
        found = set_contacted_apart(data, data, none, HORIZON)
        assert found.train is data
        assert found.test is data
        assert not found.are_apart
        assert found.notes == ()


def programme(customers: int, seed: int, share: float) -> tuple[Dataset, Contacts, np.ndarray]:
    """A programme that contacts all but `share` of those likely to leave, and saves most.

    Half of the customers leave with chance 0.6, the others with 0.1; contact makes 0.6 to 0.15.
    """
    rng = np.random.default_rng(seed)
    risky = rng.random(customers) < 0.5
    held_out = rng.random(customers) < share
    truth = np.where(risky, 0.6, 0.1)
    chance = np.where(risky & ~held_out, 0.15, truth)
    names = [f"c{number}" for number in range(customers)]
    data = dataset(names, (rng.random(customers) < chance).astype(float))
    entries = [
        (name, 5, not out, 1 - share)
        for name, at_risk, out in zip(names, risky, held_out, strict=True)
        if at_risk
    ]
    return replace(data, X=risky[:, None].astype(float)), contacts(*entries), truth


def test_the_risk_of_would_be_leavers_is_recovered_where_it_was_understated() -> None:
    """With 5 % held out: 0.6 is the truth, 0.17 what the rows as they are would teach."""
    data, log, truth = programme(30_000, 1, 0.05)
    risky = data.X[:, 0] > 0
    assert np.asarray(data.churned)[risky].mean() == pytest.approx(0.1725, abs=0.01)
    found = set_contacted_apart(data, data, log, HORIZON).train
    churned = np.asarray(found.churned)
    # 750 held out: a standard error of 0.018.
    assert churned[found.X[:, 0] > 0].mean() == pytest.approx(0.6, abs=0.06)
    assert churned[found.X[:, 0] == 0].mean() == pytest.approx(0.1, abs=0.01)
    assert churned.mean() == pytest.approx(truth.mean(), abs=0.03)
    assert len(found) == pytest.approx(len(data), rel=0.05)


def test_over_many_programmes_the_recovered_risk_is_unbiased() -> None:
    risks = []
    for seed in range(30):
        data, log, _ = programme(4_000, seed, 0.3)
        found = set_contacted_apart(data, data, log, HORIZON).train
        risks.append(np.asarray(found.churned)[found.X[:, 0] > 0].mean())
    assert np.mean(risks) == pytest.approx(0.6, abs=4 * np.std(risks) / 30**0.5)


def test_the_judge_sees_those_left_alone_once_each() -> None:
    data, log, _ = programme(20_000, 3, 0.1)
    judged = set_contacted_apart(data, data, log, HORIZON).test
    assert len(np.unique(judged.customer_id)) == len(judged)
    assert np.asarray(judged.churned)[judged.X[:, 0] > 0].mean() == pytest.approx(0.6, abs=0.06)


def test_too_few_held_out_teach_nobody_and_it_is_said() -> None:
    data, log, _ = programme(600, 2, 0.02)
    found = set_contacted_apart(data, data, log, HORIZON)
    assert found.train is data
    assert "too few to stand for them" in found.notes[0]
    assert "raise outreach.holdout_share" in found.notes[0].lower()


def test_what_was_set_apart_is_said() -> None:
    data, log, _ = programme(20_000, 4, 0.5)
    contacted = int(log.treated.sum())
    (note,) = set_contacted_apart(data, data, log, HORIZON).notes
    assert note.startswith(f"{contacted:,} of 20,000 training rows are of customers contacted")
