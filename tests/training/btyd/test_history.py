"""Histories by hand, and the ones that cannot be."""

import numpy as np
import pytest

from training.btyd.history import History, HistoryError, order_history


def test_two_orders_of_a_day_are_one_and_the_cutoff_day_is_not_known() -> None:
    customer = np.array(["b", "a", "b", "b", "b", "c"])
    dates = ["2024-01-11", "2024-01-05", "2024-01-01", "2024-01-11", "2024-01-31", "2024-01-31"]
    value = np.array([10.0, 7.0, 20.0, 30.0, 99.0, 5.0])
    who, history = order_history(
        customer, np.array(dates, dtype="datetime64[D]"), value, np.datetime64("2024-01-31")
    )

    assert who.tolist() == ["a", "b"]
    assert history.frequency.tolist() == [0, 1]
    assert history.recency.tolist() == [0, 10]
    assert history.T.tolist() == [25, 29]
    assert history.orders.tolist() == [1, 2]
    assert history.mean_value.tolist() == [7, 30]


def test_row_order_changes_nothing_and_whole_numbers_serve_as_days() -> None:
    rng = np.random.default_rng(3)
    customer, day = rng.integers(0, 40, 300), rng.integers(0, 100, 300)
    value = rng.gamma(2, 10, 300)
    mixed = rng.permutation(300)
    _, straight = order_history(customer, day, value, 90)
    _, shuffled = order_history(customer[mixed], day[mixed], value[mixed], 90)

    assert straight.recency.tolist() == shuffled.recency.tolist()
    np.testing.assert_allclose(straight.mean_value, shuffled.mean_value, rtol=1e-12)
    assert (straight.T <= 89).all()


@pytest.mark.parametrize(
    ("frequency", "recency", "T", "message"),
    [
        (-1, 0, 5, "frequency of customer 1 .* is -1"),
        (2, 6, 5, "recency of customer 1 .* is 6"),
        (0, 3, 5, "recency of customer 1 .* is 3"),
        (float("nan"), 0, 5, "frequency of customer 1 .* is nan"),
        (1, 1, float("inf"), "T of customer 1 .* is inf"),
    ],
)
def test_an_impossible_history_names_the_customer_and_the_value(
    frequency: float, recency: float, T: float, message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        History([0, frequency], [0, recency], [9, T], [1, 1], [5, 5])
    with pytest.raises(HistoryError, match=message.replace("customer 1", "customer 0")):
        History(float(frequency), float(recency), float(T), 1.0, 5.0)


def test_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(HistoryError, match="one value a customer"):
        History([0, 1], [0], [9], [1], [5])
