"""CSV text and whole files."""

from pathlib import Path

import pytest

from serving.tables import csv_text, write_whole


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-2+3", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert csv_text(["id"], [{"id": text}]) == f"id\r\n'{text}\r\n"


@pytest.mark.parametrize("text", ["-17", "+6281234", "-1.5", "c_1", "a=b"])
def test_numbers_and_plain_texts_stay_as_they_are(text: str) -> None:
    assert csv_text(["id"], [{"id": text}]) == f"id\r\n{text}\r\n"


def test_nothing_is_an_empty_cell_and_quotes_are_doubled() -> None:
    assert csv_text(["a", "b"], [{"a": None, "b": 'say "x", y'}]) == 'a,b\r\n,"say ""x"", y"\r\n'


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "scores.csv"
    write_whole(path, b"old")
    with path.open("rb") as reader:
        write_whole(path, b"newer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"newer"
    assert [file.name for file in path.parent.iterdir()] == ["scores.csv"]
