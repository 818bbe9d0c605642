"""`setia keys`: a key is shown once, and the list never shows one."""

import json
import re
from pathlib import Path

import pytest

from tests.command import HEADER, setia, shop


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return shop(tmp_path, HEADER)


def create(config: Path, name: str = "crm", *options: str) -> dict[str, str]:
    made = setia("keys", "create", name, "--scope", "score", "-c", config, "--json", *options)
    document: dict[str, str] = json.loads(made.done().out)
    return document


def test_a_key_is_made_and_listed_without_being_shown_again(config: Path) -> None:
    said = setia("keys", "create", "crm", "--scope", "list", "--scope", "score", "-c", config)
    (token,) = re.findall(r"^setia_\S+$", said.done().out, re.MULTILINE)
    listed = setia("keys", "list", "-c", config).done().out
    assert re.search(rf"^{token.split('_')[1]}  active    crm  list\+score  6000/min", listed)
    assert "never used" in listed
    assert token not in listed
    assert token.split("_", 2)[2] not in (config.parent / "var" / "setia.db").read_bytes().decode(
        "latin-1"
    )


def test_the_list_of_none_makes_no_database(config: Path) -> None:
    assert "no key exists" in setia("keys", "list", "-c", config).done().out
    assert not (config.parent / "var" / "setia.db").exists()


def test_keys_are_rotated_and_revoked(config: Path) -> None:
    old = create(config, "crm", "--per-minute", "9")
    arguments = ("rotate", old["id"], "--overlap-hours", "2", "-c", config, "--json")
    new = json.loads(setia("keys", *arguments).done().out)
    assert (new["replaces"], new["scopes"], new["requests_per_minute"]) == (old["id"], ["score"], 9)
    setia("keys", "revoke", old["id"], "-c", config).done()
    listed = json.loads(setia("keys", "list", "-c", config, "--json").done().out)
    assert [key["state"] for key in listed] == ["revoked", "active"]
    assert all("digest" not in key and "key" not in key for key in listed)
    setia("keys", "revoke", old["id"], "-c", config).refused("is revoked already")
    setia("keys", "rotate", "nobody", "-c", config).refused("`setia keys list` shows them")


def test_what_cannot_be_a_key_is_refused(config: Path) -> None:
    setia("keys", "create", "crm", "-c", config).refused("Missing option '--scope'", code=2)
    arguments = ("keys", "create", "crm", "-c", config, "--scope")
    setia(*arguments, "scores").refused("unknown scope 'scores'; choose from score, list", code=2)
    setia(*arguments, "score", "--days", "0").refused("Invalid value", code=2)
    setia(*arguments, "score", "--per-minute", "0").refused("Invalid value", code=2)
    blank = ("keys", "create", "", "--scope", "score", "-c", config)
    setia(*blank).refused("a name has 1 to 100 characters", code=2)


def test_an_operations_url_of_another_kind_is_refused(tmp_path: Path) -> None:
    config = shop(tmp_path, HEADER, settings="operations_url: mysql://me@host/setia\n")
    setia("keys", "list", "-c", config).refused("only PostgreSQL can take the place of setia.db")
