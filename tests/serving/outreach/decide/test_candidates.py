"""A candidate is put together from every id of a person, every table and the ledger."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.outreach.decide.basis import Basis, Change, read_basis, read_scored
from serving.outreach.decide.candidates import Prospect, UnvaluedError, prospects
from serving.outreach.decide.decisions import Contact
from serving.outreach.decide.incidents import Incident
from serving.outreach.decide.ledger import Ledger
from serving.outreach.decide.people import Person
from serving.outreach.holdout import Holdout
from serving.outreach.identities import Identities
from serving.served import load_served
from tests.serving.outreach.outreach_company import DAY, Shop, open_shop, shop_config
from tests.serving.scored_company import CONTRACT, CUTOFF, NOW
from tests.training.test_uplift_model import tiny_uplift
from training.bundle import Uplift, write_bundle

NOBODY = Holdout(b"a key of sixteen bytes or more", "retention", 1e-9)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), 30)


@pytest.fixture(scope="module")
def basis(shop: Shop) -> Basis:
    return shop.basis()


def one_of(
    basis: Basis, ledger: Ledger | None = None, customer_id: str = "c_0003", **config: Any
) -> Prospect:
    settings = shop_config(Path(), **config)
    found = prospects(basis, ledger or Ledger(), NOBODY, settings, NOW)
    return next(one for one in found if one.candidate.customer_id == customer_id)


def with_people(basis: Basis, **changes: Any) -> Basis:
    return replace(basis, people=replace(basis.people, **changes))


def test_everybody_scored_is_a_candidate_once_in_at_risk_order(shop: Shop, basis: Basis) -> None:
    found = prospects(basis, Ledger(), NOBODY, shop.config, NOW)
    assert len(found) == 30
    first = found[0]
    (score,) = [s for s in shop.company.scores if s.customer_id == first.candidate.customer_id]
    assert first.scored.value_at_risk == score.value_at_risk
    assert first.candidate.value == score.clv
    assert first.candidate.change == 0.5 * score.churn_probability
    assert (first.segment, first.language, first.before) == ("home", "id", 20.0)
    assert (first.candidate.timezone, first.candidate.scored_at) == ("Asia/Jakarta", CUTOFF)
    assert first.candidate.consents == {"email", "messaging"}
    assert basis.is_assumed


def test_consent_is_of_each_channel_and_silence_is_none(basis: Basis) -> None:
    people = {"c_0003": Person(email_consent=True, sms_consent=None)}
    assert one_of(with_people(basis, persons=people)).candidate.consents == {"email"}
    assert one_of(with_people(basis, persons={})).candidate.consents == frozenset()
    needless = {"phone": {"endpoint": "drop", "daily_capacity": 1, "consent": "not_needed"}}
    unknown = one_of(with_people(basis, persons={}), channels=needless)
    assert unknown.candidate.consents == {"phone"}
    assert (unknown.candidate.timezone, unknown.language) == ("Asia/Jakarta", "en")


def test_a_suppression_takes_the_channel_or_all_of_them(basis: Basis) -> None:
    ledger = Ledger(suppressed={"c_0003": frozenset({"email"})})
    assert one_of(basis, ledger).candidate.consents == {"messaging"}
    ledger = Ledger(suppressed={"c_0003": frozenset({"any"})})
    assert one_of(basis, ledger).candidate.consents == frozenset()


def test_a_merged_person_has_the_limits_of_every_id(basis: Basis) -> None:
    merged = replace(
        with_people(
            basis,
            persons={**basis.people.persons, "old": Person(email_consent=True, sms_consent=False)},
            cases={"old": "t_9"},
            complaints={"old": NOW - DAY, "c_0003": NOW - 2 * DAY},
            contacts={"old": (Contact(NOW - DAY, "phone"),)},
        ),
        identities=Identities([("c_0003", "old")]),
    )
    ledger = Ledger(contacts={"c_0003": (Contact(NOW, "email"),)})
    found = one_of(merged, ledger).candidate
    assert found.consents == {"email"}
    assert (found.open_ticket, found.complained_at) == ("t_9", NOW - DAY)
    assert set(found.contacts) == {Contact(NOW, "email"), Contact(NOW - DAY, "phone")}
    held = Holdout(b"a key of sixteen bytes or more", "retention", 0.5)
    ids = [f"old{place}" for place in range(40)]
    old = next(one for one in ids if held.holds(one))
    also = replace(basis, identities=Identities([("c_0003", old)]))
    found_all = prospects(also, Ledger(), held, shop_config(Path()), NOW)
    assert next(p for p in found_all if p.scored.customer_id == "c_0003").candidate.held_out


def test_of_one_person_under_two_scored_ids_the_one_most_at_risk_stands(basis: Basis) -> None:
    top, other = basis.scored[0].customer_id, basis.scored[7].customer_id
    scored = read_scored(basis.online, Identities([(other, top)]))
    assert len(scored) == 29
    assert other not in {one.customer_id for one in scored}
    assert scored[0].customer_id == top


def test_newcomers_are_greeted_once_within_the_days_given(basis: Basis) -> None:
    new = with_people(basis, newcomers={"c_0003": NOW - 7 * DAY})
    assert one_of(new, check_in_days=8).candidate.occasion == "first_purchase"
    assert one_of(new, check_in_days=7).candidate.occasion == "risk"
    greeted = Ledger(steps={"c_0003": frozenset({"check_in"})})
    assert one_of(new, greeted, check_in_days=8).candidate.occasion == "risk"


def test_those_hit_by_an_incident_are_apologised_to_once(basis: Basis) -> None:
    hit = with_people(basis, incidents=[Incident("delivery", NOW, 20, 1.5, frozenset({"c_0003"}))])
    assert one_of(hit).candidate.occasion == "incident"
    assert one_of(hit, customer_id="c_0004").candidate.occasion == "risk"
    done = Ledger(steps={"c_0003": frozenset({"apology"})})
    assert one_of(hit, done).candidate.occasion == "risk"


def test_without_clv_the_value_is_what_was_brought_in_before(basis: Basis) -> None:
    without = replace(basis, scored=[replace(one, clv=None) for one in basis.scored])
    assert one_of(without).candidate.value == 20.0
    with pytest.raises(UnvaluedError, match="has no CLV and the company no orders"):
        one_of(with_people(without, before={}))
    negative = replace(basis, scored=[replace(one, clv=-5.0) for one in basis.scored])
    assert one_of(negative).candidate.value == 0.0


@pytest.mark.parametrize(
    ("stated", "language"),
    [
        ("id", "id"),
        ("Bahasa Indonesia", "id"),
        ("id-ID", "id"),
        ("English", "en"),
        ("Inggris", "en"),
        ("FR", "fr"),
        (None, "en"),
    ],
)
def test_the_language_is_told_by_its_code(basis: Basis, stated: str | None, language: str) -> None:
    people = {"c_0003": Person(language=stated)}
    assert one_of(with_people(basis, persons=people)).language == language


def with_uplift(shop: Shop, uplift: Uplift, folder: Path) -> Basis:
    """The basis when the served bundle, written anew to `folder`, has an uplift model too."""
    served = load_served(shop.config.workspace)
    models = replace(served.bundle.models, uplift=uplift)
    bundle = write_bundle(folder, models, served.bundle.manifest, served.bundle.card)
    return read_basis(shop.config, replace(served, bundle=bundle), NOW)


def rows_of(shop: Shop, basis: Basis) -> np.ndarray:
    """The feature rows that the scores came from, in the order of the basis."""
    known = {s.customer_id: x for s, x in zip(shop.company.scores, shop.company.X, strict=True)}
    return np.vstack([known[one.customer_id] for one in basis.scored])


def test_a_proven_model_takes_the_place_of_the_assumption(shop: Shop, tmp_path: Path) -> None:
    uplift = tiny_uplift(contract=CONTRACT)
    basis = with_uplift(shop, uplift, tmp_path)
    assert (basis.is_assumed, basis.verdict) == (False, "Uplift was judged.")
    changes, flagged = uplift.foreseen(rows_of(shop, basis))
    assert [one.change for one in basis.changes] == list(changes)  # type: ignore[arg-type]
    flags = [one.do_not_disturb for one in basis.changes]
    assert flags == flagged.tolist()
    assert 0 < sum(flags) < len(flags)


def test_a_model_that_abstains_leaves_the_assumption_and_keeps_its_flags(
    shop: Shop, tmp_path: Path
) -> None:
    uplift = tiny_uplift(ranks=False, contract=CONTRACT)
    basis = with_uplift(shop, uplift, tmp_path)
    assert basis.is_assumed
    assert [one.change for one in basis.changes] == [
        0.5 * one.churn_probability for one in basis.scored
    ]
    assert any(one.do_not_disturb for one in basis.changes)


def test_a_generated_company_stands_still(shop: Shop) -> None:
    """Half a year on, its data is as old as on the day it ended."""
    later = NOW + timedelta(days=180)
    moved = shop.basis(later)
    assert moved.lag == later - datetime.fromisoformat("2026-01-02T17:00:00Z")
    assert moved.scored_at == moved.known_until + moved.lag == CUTOFF + moved.lag
    assert isinstance(moved.changes[0], Change)
