"""What Spark is told, and what stays behind when a connection is closed."""

import pyarrow as pa
import pytest

from features.spark.connection import SparkConnection, spoken
from features.spark.session import spark_session
from tests.spark_engine import SPARK


@pytest.fixture
def connection() -> SparkConnection:
    session = spark_session(SPARK)
    tables = {"tickets": session.createDataFrame(pa.table({"id": [1, 2]}))}
    return SparkConnection(session, tables)


def test_only_a_few_words_are_said_otherwise() -> None:
    ours = (
        "SELECT * EXCLUDE (known_from) FROM tickets "
        "WHERE a < TIMESTAMPTZ '2024-01-01 00:00:00+00:00' AND b < $known_before"
    )
    assert spoken(ours) == (
        "SELECT * EXCEPT (known_from) FROM tickets "
        "WHERE a < TIMESTAMP '2024-01-01 00:00:00+00:00' AND b < :known_before"
    )


def test_parameters_are_bound_by_place_and_by_name(connection: SparkConnection) -> None:
    assert connection.execute("SELECT id FROM tickets WHERE id > ?", [1]).fetchall() == [(2,)]
    by_name = connection.execute("SELECT id FROM tickets WHERE id < $most", {"most": 2})
    assert by_name.fetchone() == (1,)


def test_what_a_cursor_creates_goes_with_it_and_what_was_there_comes_back(
    connection: SparkConnection,
) -> None:
    cursor = connection.cursor()
    cursor.register("asked", pa.table({"id": [7]}))
    cursor.execute("CREATE OR REPLACE TEMP VIEW tickets AS SELECT * FROM asked")
    assert connection.execute("SELECT id FROM tickets").fetchall() == [(7,)]
    cursor.close()
    assert connection.execute("SELECT id FROM tickets").fetchall() == [(1,), (2,)]
    assert not connection.session.catalog.tableExists("asked")
