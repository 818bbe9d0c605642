"""A worker that runs for days sees the merged customers of now, not those of its start."""

import os
from pathlib import Path

from features.outreach_config import OutreachConfig
from serving.database import Database
from serving.outreach.deliver.boundary import LatestBoundary
from serving.outreach.records import SUPPRESSIONS
from tests.serving.outreach.outbox_rows import NOW, add_message, add_programme


def test_a_file_of_merged_customers_counts_from_its_replacement_on(
    database: Database, tmp_path: Path
) -> None:
    merged = tmp_path / "merged.csv"
    merged.write_text("customer_id,merged_id\n")
    given = {
        "channels": {"email": {"endpoint": "drop", "daily_capacity": 9}},
        "endpoints": {"drop": {"kind": "file", "folder": "out"}},
        "merged": str(merged),
    }
    boundary = LatestBoundary(OutreachConfig.model_validate(given), tmp_path)
    with database.writing() as connection:
        add_programme(connection)
        message = add_message(connection, "a", "C1")
        gone = {"customer_id": "C2", "channel": "any", "since": NOW, "reason": "asked"}
        connection.execute(SUPPRESSIONS.insert().values(gone))
        (before,) = boundary.permissions(connection, [message], NOW)
        assert before.verdict == "send"
        merged.write_text("customer_id,merged_id\nC1,C2\n")
        os.utime(merged, ns=(1, 1))
        (after,) = boundary.permissions(connection, [message], NOW)
    assert (after.verdict, after.reason) == ("suppressed", "no_consent")
