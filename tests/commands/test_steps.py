"""Training takes in what the programmes decided, and makes no database where there is none."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import insert

from commands.steps import own_contacts
from serving.database import Database
from serving.outreach.records import DECISIONS
from tests.serving.outreach.prove.test_randomised import decision
from tests.training.contacted_shop import shop_config


def test_without_an_operations_database_there_are_none_and_none_is_made(tmp_path: Path) -> None:
    assert own_contacts(shop_config(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_decisions_with_an_arm_are_contacts_of_our_own(tmp_path: Path) -> None:
    with closing(Database(tmp_path)) as database, database.writing() as connection:
        connection.execute(insert(DECISIONS), [decision(1, "contact"), decision(2, None)])
    found = own_contacts(shop_config(tmp_path))
    assert found is not None
    assert found["customer_id"].to_pylist() == ["c1"]
    assert found["arm"].to_pylist() == ["treatment"]
