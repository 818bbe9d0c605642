"""`setia outreach plan` and `run`: shown to people, told to machines, nothing by accident."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import setia
from tests.conftest import write_snapshot
from tests.serving.outreach.outreach_company import OUTREACH, WATERMARK, orders, people
from tests.serving.scored_company import NOW, score_company

CUSTOMERS = 60


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A company scored long ago, which does not matter as it is generated and stands still."""
    score_company(tmp_path / "var", CUSTOMERS)
    tables = {
        "customers": people(CUSTOMERS),
        "orders": orders(CUSTOMERS),
        "tickets": [{"customer_id": "c_0007", "ticket_id": "t_1", "opened_at": NOW}],
    }
    write_snapshot(tmp_path / "var" / "snapshots", tables, "Asia/Jakarta", WATERMARK)
    return write_config(tmp_path)


def write_config(folder: Path, **outreach: Any) -> Path:
    quiet = {"quiet_hours": {"start": "00:00", "end": "00:00"}}
    path = folder / "pipeline.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "shop",
                "currency": "USD",
                "timezone": "Asia/Jakarta",
                "sources": {},
                "outreach": OUTREACH | quiet | outreach,
            }
        )
    )
    return path


def written(config: Path) -> set[str]:
    return {str(one.relative_to(config.parent)) for one in config.parent.rglob("*")}


def test_a_dry_run_shows_the_plan_and_writes_nothing(config: Path) -> None:
    before = written(config)
    said = setia("outreach", "plan", "--dry-run", "-c", config).done().out
    assert written(config) == before
    assert "Generated company: no customer below is real" in said
    assert "20% of customers, drawn once for all, are never contacted" in said
    assert "assumed, not measured: it keeps 50.0% of those who would leave" in said
    assert "The first 10 of 30 contacts" in said
    assert "support is busy with their ticket; listed for support" in said
    assert "email 20 of 20, messaging 10 of 10" in said
    assert "dry run: nothing was written" in said
    assert said.index("drawn once for all") < said.index("The first 10 of 30")


def test_a_plan_is_written_listed_and_told_to_machines(config: Path) -> None:
    report = json.loads(setia("outreach", "plan", "--json", "-c", config).done().out)
    assert report["run"].startswith("run_")
    assert (report["considered"], report["contacts"]) == (CUSTOMERS, 30)
    assert sum(one["customers"] for one in report["reasons"]) == CUSTOMERS
    assert report["holdout"]["planned"] == CUSTOMERS
    assert len(report["first"]) == 10
    assert report["first"][0]["expected_gain"] >= report["first"][1]["expected_gain"]
    (listed,) = (
        (config.parent / "var" / "outreach" / "for_support.csv").read_text().splitlines()[1:]
    )
    assert listed.startswith("c_0007,t_1,")
    again = setia("outreach", "plan", "-c", config).done().out
    assert "0 contacts cost USD 0" in again
    assert "`setia outreach send` delivers what is queued" in again


def test_a_run_plans_and_delivers_what_it_planned(config: Path) -> None:
    said = setia("outreach", "run", "-c", config).done().out
    assert "drop: 20 delivered" in said
    assert "crm: 10 delivered" in said
    delivered = [
        row["customer_id"]
        for folder in ("out", "crm")
        for file in (config.parent / folder).glob("*.csv")
        for row in csv.DictReader(io.StringIO(file.read_text("utf-8"), newline=""))
    ]
    assert len(delivered) == len(set(delivered)) == 30
    report = json.loads(setia("outreach", "run", "--json", "-c", config).done().out)
    assert (report["plan"]["contacts"], report["problems"]) == (0, [])


def test_what_keeps_everybody_from_contact_is_said(config: Path) -> None:
    silent = [{**one, "email_consent": None, "sms_consent": None} for one in people(CUSTOMERS)]
    write_snapshot(
        config.parent / "var" / "snapshots",
        {"customers": silent, "orders": orders(CUSTOMERS)},
        "Asia/Jakarta",
        WATERMARK,
    )
    said = setia("outreach", "plan", "--dry-run", "-c", config).done().out
    assert "nobody has given email_consent: map customers.email_consent" in said
    assert "nobody has given sms_consent" in said


def test_what_is_missing_is_said_with_what_to_do(config: Path) -> None:
    write_config(config.parent, channels={}, endpoints={})
    setia("outreach", "plan", "-c", config).refused("add outreach.channels and outreach.endpoints")
    write_config(config.parent, merged="merged.csv")
    setia("outreach", "plan", "-c", config).refused("merged.csv cannot be read")
    write_config(config.parent)
    (config.parent / "var" / "scores" / "online.db").unlink()
    setia("outreach", "plan", "-c", config).refused("run `setia score`")


def test_a_share_that_was_changed_is_refused(config: Path) -> None:
    setia("outreach", "plan", "-c", config).done()
    write_config(config.parent, holdout_share=0.3)
    setia("outreach", "plan", "-c", config).refused("began with outreach.holdout_share 0.2")
