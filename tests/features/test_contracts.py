"""The declarations of the data contract hold together."""

import subprocess
import sys

import pytest

from features.contracts import CHANNELS, TABLES


def test_every_rule_names_columns_of_its_own_table() -> None:
    for table in TABLES.values():
        named = {*table.known_at, *table.known_at.values(), *table.future, *(table.unique or ())}
        named |= {name for pair in table.order for name in pair}
        named |= {name for name in (table.time, table.time_fallback) if name}
        assert named <= set(table.names), table.name


def test_every_time_named_by_a_rule_is_a_time_column() -> None:
    for table in TABLES.values():
        times = {
            *table.known_at.values(),
            *table.future,
            *(name for p in table.order for name in p),
        }
        assert times <= set(table.times), table.name


def test_a_refund_is_known_when_refunded_and_transfers_when_resolved() -> None:
    assert TABLES["orders"].known_at["refund_amount"] == "refunded_at"
    assert TABLES["tickets"].known_at["transfers"] == "resolved_at"
    assert TABLES["surveys"].known_at["score"] == "answered_at"


def test_the_required_columns_are_those_of_the_design() -> None:
    assert {name: table.required for name, table in TABLES.items()} == {
        "customers": ("customer_id",),
        "orders": ("customer_id", "ordered_at", "amount"),
        "events": ("customer_id", "occurred_at", "event"),
        "subscriptions": ("customer_id", "subscription_id", "started_at"),
        "tickets": ("customer_id", "ticket_id", "opened_at"),
        "surveys": ("customer_id", "kind"),
        "contacts": ("customer_id", "contacted_at"),
    }


def test_an_unlisted_channel_has_a_place_to_go() -> None:
    assert TABLES["tickets"].column("channel").choices == CHANNELS
    assert TABLES["tickets"].column("channel").otherwise == "other"


def test_an_unknown_column_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        TABLES["orders"].column("colour")


def test_the_contract_is_read_without_any_engine() -> None:
    script = (
        "import sys, features.contracts; "
        "print([name for name in ('duckdb', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
