"""Deliveries as CSV files: whole, private, harmless in a spreadsheet, the same if repeated."""

import csv
import resource
import signal
from pathlib import Path

from serving.outreach.deliver.channels.file_drop import COLUMNS, FileDrop
from tests.serving.outreach.deliver.channels.letters import NOW, PLAYBOOK, contact, event


def read(folder: Path) -> list[dict[str, str]]:
    (path,) = folder.iterdir()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_message_is_a_row_with_its_score_reasons_and_words(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path, PLAYBOOK)
    receipts = drop.send([contact(1, channel="phone"), contact(2), event(3, "c_3")], NOW)
    name = "setia-20260102T030405Z-msg_1.csv"
    assert [(one.verdict, one.detail) for one in receipts] == [("delivered", name)] * 3
    call, email, danger = read(tmp_path)
    assert tuple(call) == COLUMNS
    assert call["message_id"] == "msg_1"
    assert call["created_at"] == "2026-01-02T03:04:05Z"
    assert call["churn_probability"] == "0.71"
    assert call["reason_1"] == "First answer took 31 hours (raises risk)"
    assert call["text"] == PLAYBOOK.words(contact(1, channel="phone").payload).text
    assert call["generated"] == "True"
    assert email["subject"] == "We would like to put this right"
    assert (danger["type"], danger["step"], danger["text"]) == ("customer.at_risk", "", "")


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    FileDrop(tmp_path, PLAYBOOK).send([contact(1)], NOW)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_delivery_made_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path, PLAYBOOK)
    for _ in range(2):
        drop.send([contact(1), contact(2)], NOW)
    assert [row["message_id"] for row in read(tmp_path)] == ["msg_1", "msg_2"]


def test_no_cell_runs_in_a_spreadsheet(tmp_path: Path) -> None:
    FileDrop(tmp_path, PLAYBOOK).send([contact(1, "=cmd|' /C calc'!A0", next_step="+1")], NOW)
    row = read(tmp_path)[0]
    assert row["customer_id"] == "'=cmd|' /C calc'!A0"
    assert not any(value[:1] in "=@\t\r" for value in row.values() if value)


def test_a_payload_that_a_template_cannot_tell_waits_and_the_others_go(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path, PLAYBOOK)
    receipts = drop.send([contact(1, step="serenade"), contact(2)], NOW)
    assert [one.verdict for one in receipts] == ["retry", "delivered"]
    assert [row["message_id"] for row in read(tmp_path)] == ["msg_2"]


def test_a_full_disk_loses_nothing_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    asked = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # A limit to the size of files stops the writing half-way, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        receipts = FileDrop(tmp_path, PLAYBOOK).send([contact(n) for n in range(100)], NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, asked)
    assert {one.verdict for one in receipts} == {"retry"}
    assert receipts[0].detail.endswith("File too large")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    receipts = FileDrop(tmp_path / "folder", PLAYBOOK).send([contact(1)], NOW)
    assert receipts[0].verdict == "retry"
    assert str(tmp_path / "folder") in receipts[0].detail
