"""One click unsubscribes (RFC 8058), without a key, once, and never by looking."""

from pathlib import Path
from typing import Any

import pytest

from serving.erasure import erase_customer
from serving.outreach.opt_out import PATH, made_key, opt_out_token
from serving.outreach.records import AUDIT, OUTCOMES, SUPPRESSIONS
from tests.serving.operations import new_key
from tests.serving.scored_company import NOW, Api

ONE_CLICK = {
    "content": b"List-Unsubscribe=One-Click",
    "headers": {"content-type": "application/x-www-form-urlencoded"},
}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    """Of a workspace without scores; keys are required."""
    opened = Api(tmp_path)
    new_key(opened.app.state.database, "admin")
    opened.refresh()
    return opened


def path(api: Api, customer_id: str = "C-77", channel: str = "email") -> str:
    return PATH + opt_out_token(made_key(api.app.state.database), customer_id, channel)


def rows(api: Api, table: Any) -> list[Any]:
    with api.app.state.database.reading() as connection:
        return list(connection.execute(table.select()))


def test_a_post_alone_takes_the_customer_off_the_channel(api: Api) -> None:
    answer = api.post(path(api), **ONE_CLICK)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "You will get no more messages like this one." in answer.text
    (row,) = rows(api, SUPPRESSIONS)
    assert (row.customer_id, row.channel, row.reason) == ("C-77", "email", "unsubscribed")
    (outcome,) = rows(api, OUTCOMES)
    assert (outcome.customer_id, outcome.kind, outcome.source) == ("C-77", "unsubscribed", "link")
    assert [row.actor for row in rows(api, AUDIT)] == ["unsubscribe link"]


def test_clicking_again_is_answered_the_same_and_changes_nothing(api: Api) -> None:
    first = api.post(path(api), **ONE_CLICK)
    before = [rows(api, table) for table in (SUPPRESSIONS, OUTCOMES, AUDIT)]
    again = api.post(path(api))
    assert (again.status_code, again.text) == (200, first.text)
    assert [rows(api, table) for table in (SUPPRESSIONS, OUTCOMES, AUDIT)] == before
    api.post(path(api, channel="messaging"))
    assert {row.channel for row in rows(api, SUPPRESSIONS)} == {"email", "messaging"}


def test_looking_at_the_page_changes_nothing_and_tells_nothing_of_the_customer(api: Api) -> None:
    answer = api.get(path(api))
    assert answer.status_code == 200
    assert '<form method="post"><button>Unsubscribe</button></form>' in answer.text
    assert "C-77" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; form-action")
    assert rows(api, SUPPRESSIONS) == rows(api, OUTCOMES) == rows(api, AUDIT) == []


def test_the_page_speaks_the_readers_language(api: Api) -> None:
    indonesian = {"accept-language": "id-ID,id;q=0.9,en;q=0.5"}
    asked = api.get(path(api), headers=indonesian)
    assert "<button>Berhenti</button>" in asked.text
    assert (asked.headers["content-language"], asked.headers["vary"]) == ("id", "Accept-Language")
    assert "tidak akan menerima" in api.post(path(api), headers=indonesian).text


def test_a_link_that_is_not_ours_is_not_found_and_leaves_nothing(api: Api, tmp_path: Path) -> None:
    forged = opt_out_token(b"another key", "C-77", "email")
    for token in (forged, path(api).removeprefix(PATH)[:-1], "x"):
        for method in ("GET", "POST"):
            answer = api.send(method, PATH + token)
            assert (answer.status_code, answer.json()["type"]) == (
                404,
                "urn:setia:problem:opt-out-link",
            )
    assert rows(api, SUPPRESSIONS) == []
    empty = Api(tmp_path / "empty")
    assert empty.post(PATH + opt_out_token(b"none", "C-77", "email")).status_code == 404


def test_who_was_erased_is_told_so_much_and_nothing_of_them_comes_back(
    api: Api, tmp_path: Path
) -> None:
    database = api.app.state.database
    erase_customer(database, tmp_path, "C-77", "command", NOW)
    assert api.post(path(api)).status_code == 200
    assert rows(api, SUPPRESSIONS) == rows(api, OUTCOMES) == []
