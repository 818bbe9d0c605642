"""`setia outreach preview`: what a customer would read, before anything is sent."""

import json
from pathlib import Path

import pytest
import yaml

from features.snapshot import open_snapshot
from serving.history import write_history
from serving.outreach.words.samples import sample
from tests.command import setia
from tests.conftest import write_snapshot
from tests.serving.scored_company import NOW, score_company


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("previewed")
    score_company(folder / "var", customers=20)
    settings = {
        "name": "toko",
        "currency": "IDR",
        "timezone": "Asia/Jakarta",
        "sources": {},
        "outreach": {"company": "Toko Nusantara"},
    }
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def test_a_made_up_customer_shows_every_form(config: Path) -> None:
    shown = setia("outreach", "preview", "-c", config).done().out
    assert "Subject: We would like to put this right" in shown
    assert "c_sample, messaging, win_back, en" in shown
    assert "- First answer took 31 hours (raises risk)" in shown


def test_a_scored_customer_is_shown_with_their_own_reasons(config: Path) -> None:
    asked = ("outreach", "preview", "c_0001", "--channel", "phone", "-c", config, "--json")
    (shown,) = json.loads(setia(*asked).done().out)
    assert shown["customer_id"] == "c_0001"
    assert shown["form"] == "script"
    assert "Customer: c_0001" in shown["text"]
    assert sample("win_back", "phone", "en")["reasons"][0]["text"] not in shown["text"]


def test_a_language_is_understood_as_the_plan_understands_it(config: Path, tmp_path: Path) -> None:
    speaks = {"customer_id": "c_0002", "language": "Bahasa Indonesia"}
    bought = {"customer_id": "c_0002", "ordered_at": NOW, "amount": 5.0}
    write_snapshot(tmp_path, {"customers": [speaks], "orders": [bought]})
    write_history(config.parent / "var" / "scores" / "history.db", open_snapshot(tmp_path))
    asked = ("outreach", "preview", "c_0002", "--channel", "phone", "-c", config, "--json")
    (shown,) = json.loads(setia(*asked).done().out)
    assert shown["language"] == "id"
    assert "Pelanggan: c_0002" in shown["text"]


def test_step_and_language_can_be_chosen(config: Path) -> None:
    asked = ("--step", "check_in", "--language", "id", "--channel", "email", "--json")
    (shown,) = json.loads(setia("outreach", "preview", "-c", config, *asked).done().out)
    assert shown["subject"] == "Bagaimana pesanan pertama Anda?"
    assert shown["html"].startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--step", "serenade"], "--step serenade is none of apology, check_in, win_back"),
        (["--channel", "pigeon"], "--channel pigeon is none of email, messaging"),
        (["--language", "xx"], "--language xx is none of en, id"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    config: Path, asked: list[str], said: str
) -> None:
    answer = setia("outreach", "preview", "-c", config, *asked)
    assert answer.code == 2
    assert said in " ".join(answer.text.split()).replace(" │ │ ", " ")


def test_a_customer_who_was_not_scored_is_refused_by_id(config: Path) -> None:
    answer = setia("outreach", "preview", "nobody", "-c", config)
    answer.refused("no customer 'nobody' in the last scores (20 customers)")


@pytest.fixture
def broken(config: Path, tmp_path: Path) -> Path:
    """The configuration of a company with a template that asks for too much."""
    template = tmp_path / "own" / "en" / "win_back" / "message.txt"
    template.parent.mkdir(parents=True)
    template.write_text("{{ first_name }}", encoding="utf-8")
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings["outreach"] = {
        "playbooks": str(tmp_path / "own"),
        "channels": {"messaging": {"endpoint": "drop", "daily_capacity": 5}},
        "endpoints": {"drop": {"kind": "file", "folder": str(tmp_path / "drop")}},
    }
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def test_a_broken_template_of_ones_own_is_named(broken: Path) -> None:
    answer = setia("outreach", "preview", "-c", broken)
    answer.refused("template en/win_back/message.txt: 'first_name' is undefined")


def test_a_broken_template_stops_the_plan_before_anything_is_decided(broken: Path) -> None:
    answer = setia("outreach", "plan", "-c", broken)
    answer.refused("template en/win_back/message.txt asks for first_name; it may use company")
    assert not (broken.parent / "var").exists()
