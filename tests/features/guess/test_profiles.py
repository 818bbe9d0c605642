import pytest

from features.guess.profiles import date_order, decimal_sign, profile


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-31", None),
        ("2024-01-31T10:00:00.123Z", None),
        ("2024-01-31 10:00:00 -0500", None),
        ("20240131", "%Y%m%d"),
        ("1706695200", "%s"),
        ("1706695200000", "%s"),
        ("31/01/2024", "%d/%m/%Y"),
        ("31-01-2024 23:59", "%d-%m-%Y %H:%M"),
        ("31.1.24", "%d.%m.%y"),
        ("31/01/2024, 23:59:59", "%d/%m/%Y, %H:%M:%S"),
        ("31/01/2024 11:59:59 PM", "%d/%m/%Y %I:%M:%S %p"),
        ("2024/01/31", "%Y/%m/%d"),
        ("31 Jan 2024", "%d %b %Y"),
        ("31-January-2024", "%d-%B-%Y"),
        ("Jan 31, 2024 10:00", "%b %d, %Y %H:%M"),
    ],
)
def test_a_way_of_writing_times_has_its_strptime_format(value: str, expected: str | None) -> None:
    shape = profile("t", [value]).time
    assert shape is not None
    assert shape.format(day_first=True) == expected


@pytest.mark.parametrize("value", ["12.5", "1/2", "INC0000045", "2024", "12345", "31 Agu", ""])
def test_what_is_no_time_has_no_shape(value: str) -> None:
    assert profile("t", [value]).time is None


def test_a_minority_of_odd_times_lowers_the_share() -> None:
    shape = profile("t", ["2024-01-01", "2024-01-02", "2024-01-03", "soon"]).time
    assert shape is not None
    assert shape.share == 0.75


def test_words_for_nothing_count_as_missing() -> None:
    column = profile("x", ["1", "", None, "?", "NaN", " n/a ", "2", "3"])
    assert column.values == ("1", "2", "3")
    assert column.missing == 5 / 8


@pytest.mark.parametrize(
    ("value", "decimal", "expected"),
    [
        ("1,234.50", ".", 1234.5),
        ("1.234,50", ",", 1234.5),
        ("1.500", ".", 1.5),
        ("1.500", ",", 1500.0),
        ("Rp 1.250.000", ",", 1_250_000.0),
        ("-£5.25", ".", -5.25),
        ("(12.00)", ".", -12.0),
        ("5,25 €", ",", 5.25),
    ],
)
def test_a_number_is_read_with_its_sign_and_separators(
    value: str, decimal: str, expected: float
) -> None:
    assert profile("x", [value]).numbers(decimal) == [expected]


def test_one_value_with_a_decimal_comma_settles_the_decimal_sign() -> None:
    columns = [profile("total", ["1.500", "12,25", "7"])]
    assert decimal_sign(columns, indonesian=False) == (",", True)


def test_bare_thousands_leave_the_decimal_sign_uncertain() -> None:
    columns = [profile("total", ["1.500", "2.750"])]
    assert decimal_sign(columns, indonesian=True) == (",", False)
    assert decimal_sign(columns, indonesian=False) == (".", False)


def test_dots_in_dates_say_nothing_of_the_decimal_sign() -> None:
    columns = [profile("day", ["31.12.2024"]), profile("total", ["1.5", "2.25"])]
    assert decimal_sign(columns, indonesian=False) == (".", True)


def test_a_single_day_above_twelve_settles_the_order_of_a_file() -> None:
    shapes = [profile("a", ["01/02/2024"]).time, profile("b", ["03/25/2024"]).time]
    order = date_order([shape for shape in shapes if shape], day_first=True)
    assert (order.day_first, order.certain) == (False, True)


def test_both_orders_in_one_file_take_the_commoner_and_are_not_certain() -> None:
    shape = profile("a", ["25/01/2024", "26/01/2024", "01/27/2024"]).time
    assert shape is not None
    order = date_order([shape], day_first=False)
    assert (order.day_first, order.certain) == (True, False)
    assert "1 say the opposite" in order.why


def test_a_currency_is_known_when_most_values_bear_its_sign() -> None:
    assert profile("x", ["Rp 1.000", "Rp2.000", "3.000"]).currency == "IDR"
    assert profile("x", ["£1", "2", "3"]).currency is None
