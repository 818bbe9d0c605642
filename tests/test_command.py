"""What the command says when it cannot go on: settings, cutoffs, order of steps, labels."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.command import BRIEF, HEADER, START, buyers, setia, setia_process, shop
from tests.running_server import free_port

ORDERS = buyers(60, 30)
"""Sixty customers buy monthly from 2023-01-01 to 2024-02-04: nobody ever leaves."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = shop(tmp_path_factory.mktemp("checked"), ORDERS, settings=BRIEF)
    setia("check", "-c", config).done()
    return config


def test_a_missing_configuration_says_which_command_writes_one(tmp_path: Path) -> None:
    for command in ("check", "features", "train", "score", "serve", "promote", "rollback"):
        setia(command, "-c", tmp_path / "nope.yaml").refused(
            "nope.yaml does not exist; `setia init --orders FILE` writes one"
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no settings"),
        ("sources: [\nname: }", "cannot be read as YAML"),
        ("name: shop\ncurrency: euros\nsources: {}\n", "currency: "),
        ("name: shop\ncurrency: EUR\nsources: {}\n", "none of orders, events and subscriptions"),
        ("name: shop\ncurrency: EUR\nsources: {}\nchrun: {}\n", "did you mean 'churn'?"),
        (
            "name: shop\ncurrency: EUR\nsources: {orders: {path: o.csv, colums: {}}}\n",
            "sources.orders.colums: unknown key 'colums'; did you mean 'columns'?",
        ),
        (
            "name: shop\ncurrency: EUR\nsources: {order: {path: o.csv}}\n",
            "unknown key 'order'; did you mean 'orders'?",
        ),
        (
            "name: shop\ncurrency: EUR\nsources: {orders: {path: o.csv}}\nchurn: {horizon_days: 0}",
            "churn.horizon_days: ",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    config = tmp_path / "pipeline.yaml"
    config.write_text(text)
    setia("check", "-c", config).refused(said)


def test_a_configuration_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\x80\x81\x00\xff")
    for path in (tmp_path, tmp_path / "binary.yaml"):
        setia("check", "-c", path).refused("cannot be read as YAML")


def test_wrong_usage_ends_with_2(checked: Path) -> None:
    setia("chek").refused("No such command 'chek'", code=2)
    setia("check", "--leek").refused("No such option", code=2)
    setia("backtest", "-c", checked, "--out", "x").refused("Missing option '--cutoff'", code=2)
    setia("serve", "-c", checked, "--port", "99999").refused("Invalid value", code=2)
    setia("train", "-c", checked, "--tune", "0").refused("Invalid value for '--tune'", code=2)


def test_each_step_says_which_one_comes_before_it(tmp_path: Path) -> None:
    config = shop(tmp_path, ORDERS)
    back = ("backtest", "-c", config, "--cutoff", "2023-09-01", "--out", tmp_path / "out")
    for arguments in (("train", "-c", config), ("features", "-c", config), back):
        setia(*arguments).refused("holds no snapshot; run `setia check` first")
    setia("score", "-c", config).refused(
        "no model has been promoted to", "run `setia promote` after `setia train`"
    )


def test_serving_before_scoring_says_what_is_missing(checked: Path) -> None:
    """In a process of its own: serving would become the server, not return."""
    answer = setia_process(
        "serve", "-c", checked, "--port", str(free_port()), folder=checked.parent
    )
    answer.refused("there is no usable model; run `setia train --promote`")


def test_promotion_and_rollback_say_what_there_is_not(checked: Path) -> None:
    setia("promote", "-c", checked).refused("no challenger; run `setia train` first")
    setia("rollback", "-c", checked).refused("no champion; run `setia promote` first")


@pytest.mark.parametrize("command", ["features", "score", "backtest"])
@pytest.mark.parametrize("cutoff", ["yesterday", "2024-13-01", "01/02/2024"])
def test_a_cutoff_that_is_no_date_is_refused(
    checked: Path, tmp_path: Path, command: str, cutoff: str
) -> None:
    setia(command, "-c", checked, "--cutoff", cutoff, "--out", tmp_path / "out").refused(
        f"cutoff '{cutoff}' is not a date; write it as 2024-06-30"
    )


@pytest.mark.parametrize("command", ["features", "backtest"])
@pytest.mark.parametrize("cutoff", ["2019-01-01", "2023-01-01"])
def test_a_cutoff_before_the_data_is_refused_with_the_first_that_can_be(
    checked: Path, tmp_path: Path, command: str, cutoff: str
) -> None:
    setia(command, "-c", checked, "--cutoff", cutoff, "--out", tmp_path / "out.csv").refused(
        f"no activity before the cutoff {cutoff}; the first usable cutoff is 2023-01-02"
    )


def test_a_cutoff_past_the_data_is_refused_with_the_last_that_can_be(
    checked: Path, tmp_path: Path
) -> None:
    """The last order is on 2024-02-04, so 90 matured days begin at the latest on 2023-11-07."""
    late = ("-c", checked, "--cutoff", "2030-01-01", "--out", tmp_path / "out.csv")
    setia("features", *late).refused(
        "no customer is eligible at 2030-01-01: none was active in the 365 days",
        "the data ends before 2024-02-05",
    )
    setia("backtest", *late).refused(
        "cutoff 2030-01-01 needs 90 days after it", "the latest matured cutoff is 2023-11-07"
    )


def test_a_table_is_written_as_csv_or_parquet_only(checked: Path, tmp_path: Path) -> None:
    setia("features", "-c", checked, "--out", tmp_path / "table.xlsx").refused(
        "table.xlsx ends in neither .csv nor .parquet"
    )


def test_one_customer_is_checked_but_not_learned_from(tmp_path: Path) -> None:
    config = shop(tmp_path, buyers(1, 10))
    setia("check", "-c", config).done()
    assert "1 customer x" in setia("features", "-c", config).done().out
    setia("train", "-c", config).refused("too little to learn from", "bring more customers")


def test_customers_who_all_stay_teach_nothing_about_leaving(checked: Path) -> None:
    setia("train", "-c", checked).refused(
        "0 of 120 rows churned and 120 stayed; at least 10 that churned are needed: shorten "
        "churn.horizon_days (for subscriptions, lengthen it)"
    )


def test_customers_who_all_leave_teach_nothing_about_staying(tmp_path: Path) -> None:
    """Every customer buys once."""
    rows = "".join(f"c{n},{START + timedelta(days=n)},9.5\n" for n in range(400))
    config = shop(tmp_path, HEADER + rows, settings="\nchurn:\n  horizon_days: 30\n")
    setia("check", "-c", config).done()
    setia("train", "-c", config).refused(
        "0 stayed; at least 10 that stayed are needed: lengthen churn.horizon_days (for"
    )


def test_too_short_a_history_is_refused_with_the_horizon_that_fits(tmp_path: Path) -> None:
    config = shop(tmp_path, buyers(60, 10, 40))
    setia("check", "-c", config).done()
    setia("train", "-c", config).refused(
        "needs 135 days of history before it", "but the data starts only on 2023-01-01"
    )


def test_a_leak_proof_is_printed_on_request(checked: Path) -> None:
    answer = setia("check", "-c", checked, "--leakage").done()
    assert "no leak: deleting everything after 2023-10-28 and 2023-07-20" in answer.out
