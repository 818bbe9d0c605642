"""The holdout is the same for ever, of the right size, and says what it can show."""

import hashlib
import hmac
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.outreach.holdout import (
    HeldOut,
    Holdout,
    HoldoutError,
    holdout_report,
    keyed_fraction,
    smallest_detectable_effect,
)

KEY = b"a key of sixteen bytes or more"
CARE = Holdout(KEY, "care")
CUSTOMERS = [f"C{number:06d}" for number in range(20_000)]


def test_the_fraction_is_the_head_of_an_hmac_sha256() -> None:
    digest = hmac.new(KEY, b"4:careC1", hashlib.sha256).hexdigest()
    assert keyed_fraction(KEY, "care", "C1") == int(digest[:16], 16) / 2**64


def test_one_customer_in_twenty_is_held_out() -> None:
    held_out = sum(CARE.holds(customer) for customer in CUSTOMERS)
    assert abs(held_out - 1_000) < 4 * (20_000 * 0.05 * 0.95) ** 0.5


def test_another_programme_or_key_draws_independently() -> None:
    others = (Holdout(KEY, "win-back"), Holdout(b"another key of sixteen", "care"))
    for other in others:
        both = sum(CARE.holds(customer) and other.holds(customer) for customer in CUSTOMERS)
        assert abs(both - 50) < 4 * 50**0.5


@given(st.text(), st.floats(0.01, 0.5), st.floats(0.0, 0.49))
def test_a_larger_share_keeps_everybody_held_out_who_was(
    customer: str, share: float, more: float
) -> None:
    if Holdout(KEY, "care", share).holds(customer):
        assert Holdout(KEY, "care", share + more).holds(customer)


@given(st.lists(st.text(), min_size=1), st.randoms())
def test_a_merged_customer_is_held_out_when_any_part_was(
    identities: list[str], rng: Random
) -> None:
    shuffled = rng.sample(identities, len(identities))
    assert Holdout(KEY, "care", 0.3).holds(*shuffled) == any(
        Holdout(KEY, "care", 0.3).holds(one) for one in identities
    )


def test_a_held_out_customer_is_refused_at_the_send_boundary() -> None:
    held_out = next(customer for customer in CUSTOMERS if CARE.holds(customer))
    free = next(customer for customer in CUSTOMERS if not CARE.holds(customer))
    CARE.refuse(free)
    with pytest.raises(HeldOut, match=f"'{free}' is held out of programme 'care'"):
        CARE.refuse(free, held_out)


def test_a_holdout_of_5_percent_of_20000_can_show_only_a_40_percent_change() -> None:
    """By hand: 2.802 * sqrt(.05 * .95 * (1/1000 + 1/19000)) = 0.0198 of a base rate of 0.05."""
    assert smallest_detectable_effect(20_000, 0.05) == pytest.approx(0.0198, abs=1e-4)


def test_the_report_counts_each_stratum_and_finds_nothing_odd_in_a_fair_draw() -> None:
    strata = {customer: f"risk {place % 4}" for place, customer in enumerate(CUSTOMERS)}
    report = holdout_report(CARE, strata)
    assert [stratum.customers for stratum in report.values()] == [5_000] * 4
    assert sum(stratum.held_out for stratum in report.values()) == sum(map(CARE.holds, CUSTOMERS))
    assert not any(stratum.is_odd for stratum in report.values())


def test_the_report_marks_a_stratum_that_lost_its_held_out_customers() -> None:
    leaked = {customer: "all" for customer in CUSTOMERS if not CARE.holds(customer)}
    assert holdout_report(CARE, leaked)["all"].is_odd


def test_what_cannot_be_held_out_is_refused() -> None:
    with pytest.raises(HoldoutError, match="has 5 bytes; give at least 16"):
        Holdout(b"short", "care")
    with pytest.raises(HoldoutError, match=r"share of 1\.5 is not between 0 and 1"):
        Holdout(KEY, "care", 1.5)
    with pytest.raises(HoldoutError, match="without an identity"):
        CARE.holds()
    with pytest.raises(HoldoutError, match="hold nobody out"):
        smallest_detectable_effect(10, 0.1)
    with pytest.raises(HoldoutError, match="base rate of 0 is not"):
        smallest_detectable_effect(1_000, 0)
