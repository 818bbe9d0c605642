"""The feature contract: what it makes of odd values, and what it says of another table."""

import numpy as np
import pytest

from features.feature_contract import FeatureColumn, FeatureContract, FeatureMismatch


def number(name: str, definition: str = "d") -> FeatureColumn:
    return FeatureColumn(name=name, definition=definition)


def category(name: str, *categories: str) -> FeatureColumn:
    return FeatureColumn(name=name, kind="category", categories=categories, definition="d")


CONTRACT = FeatureContract(columns=(number("spend"), category("plan", "basic", "plus")))


def test_a_table_becomes_a_matrix_by_hand() -> None:
    X = CONTRACT.encode({"plan": ["plus", "basic"], "spend": [3, 4.5], "more": ["x", "y"]})
    assert X.tolist() == [[3.0, 1.0], [4.5, 0.0]]


def test_missing_infinite_and_unseen_values_are_all_unknown() -> None:
    X = CONTRACT.encode(
        {
            "spend": [None, np.inf, -np.inf, np.nan, 2.0],
            "plan": ["basic", "gold", None, "plus", np.nan],
        }
    )
    assert np.array_equal(X[:, 0], [np.nan, np.nan, np.nan, np.nan, 2.0], equal_nan=True)
    assert np.array_equal(X[:, 1], [0.0, np.nan, np.nan, 1.0, np.nan], equal_nan=True)


def test_the_callers_columns_stay_as_they_are() -> None:
    spend = np.array([1.0, np.inf])
    CONTRACT.encode({"spend": spend, "plan": ["basic", "plus"]})
    assert spend.tolist() == [1.0, np.inf]


def test_no_rows_give_a_matrix_of_no_rows() -> None:
    assert CONTRACT.encode({"spend": [], "plan": []}).shape == (0, 2)


def test_missing_features_are_listed() -> None:
    with pytest.raises(FeatureMismatch, match=r"2 of .* are missing \('spend', 'plan'\); retrain"):
        CONTRACT.encode({"sepnd": [1.0]})


@pytest.mark.parametrize("values", [[1.0, "a lot"], np.array([1.0, "a lot"], dtype=object)])
def test_a_number_that_is_none_is_named(values: list[object]) -> None:
    with pytest.raises(FeatureMismatch, match="'spend' is a number to the model, but 'a lot'"):
        CONTRACT.encode({"spend": values, "plan": ["basic", "plus"]})


def test_the_same_contract_is_let_through() -> None:
    CONTRACT.require(FeatureContract.model_validate(CONTRACT.model_dump()))


def test_another_contract_is_refused_with_every_difference() -> None:
    model = FeatureContract(
        columns=(number("a"), number("b"), number("c"), category("plan", "basic", "plus"))
    )
    table = FeatureContract(
        columns=(category("b"), number("c", "e"), category("plan", "basic", "gold"), number("d"))
    )
    with pytest.raises(FeatureMismatch) as refused:
        model.require(table)
    assert str(refused.value).splitlines()[1:] == [
        "  - a",
        "  + d",
        "  ~ b: a numeric feature for the model, category now",
        "  ~ c: computed otherwise now",
        "  ~ plan: other categories (gone: 'plus'; new: 'gold')",
    ]


def test_the_same_features_in_another_order_are_said_to_be_that() -> None:
    turned = FeatureContract(columns=CONTRACT.columns[::-1])
    with pytest.raises(FeatureMismatch, match="the same features in another order"):
        CONTRACT.require(turned)


def test_a_long_list_of_differences_is_cut() -> None:
    wide = FeatureContract(columns=tuple(number(f"f{n}") for n in range(30)))
    with pytest.raises(FeatureMismatch, match="and 12 more"):
        CONTRACT.require(wide)
