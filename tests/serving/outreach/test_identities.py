"""Ids that were merged are one person, in whatever order the file tells it."""

from itertools import permutations
from pathlib import Path

import pytest

from serving.outreach.identities import Identities, IdentityError, read_identities


def test_chains_of_merges_are_one_person() -> None:
    merges = [("a", "b"), ("b", "c"), ("x", "y"), ("d", "c")]
    for order in permutations(merges):
        identities = Identities(order)
        assert identities.of("c") == ("c", "a", "b", "d")
        assert {identities.person(one) for one in "abcd"} == {"a"}
        assert identities.of("y") == ("y", "x")
        assert (identities.of("alone"), identities.person("alone")) == (("alone",), "alone")


def test_a_file_is_read_and_no_file_means_nobody_was_merged(tmp_path: Path) -> None:
    file = tmp_path / "merged.csv"
    file.write_text("\ufeffmerged_id,customer_id,why\nb,a,same phone\n", encoding="utf-8")
    assert read_identities(file).of("b") == ("b", "a")
    assert read_identities(None).of("b") == ("b",)


def test_a_file_that_cannot_be_used_stops_outreach(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"gone\.csv cannot be read .* nobody is contacted"):
        read_identities(tmp_path / "gone.csv")
    (tmp_path / "other.csv").write_text("customer_id,other\n")
    with pytest.raises(IdentityError, match="has no column merged_id"):
        read_identities(tmp_path / "other.csv")
