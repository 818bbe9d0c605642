"""Signed links by which customers opt out: each leads to one customer and channel, for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.outreach.opt_out import (
    OptOutError,
    OptOutLinks,
    made_key,
    opened,
    opt_out_key,
    opt_out_token,
)
from tests.serving.operations import Place

KEY = b"k" * 32


@pytest.mark.parametrize("customer_id", ["C-77", "a b/c.d?e=f&g", "Ünï çødé 客", "x" * 200])
def test_a_link_leads_back_to_its_customer_and_channel(customer_id: str) -> None:
    link = OptOutLinks("https://crm.example/setia/", KEY).link(customer_id, "email")
    token = link.removeprefix("https://crm.example/setia/v1/unsubscribe/")
    assert opened(KEY, token) == (customer_id, "email")
    assert token.isascii()
    assert set("/?#&=%<> ").isdisjoint(token)


def test_the_same_customer_has_the_same_link_and_another_channel_another() -> None:
    assert opt_out_token(KEY, "C-1", "email") == opt_out_token(KEY, "C-1", "email")
    assert opt_out_token(KEY, "C-1", "email") != opt_out_token(KEY, "C-1", "messaging")


def test_whatever_is_changed_in_a_link_it_is_refused() -> None:
    token = opt_out_token(KEY, "C-77", "email")
    changed = [
        token[:at] + ("A" if one != "A" else "B") + token[at + 1 :]
        for at, one in enumerate(token[:-1])
    ]
    channel, named, signature = token.split(".")
    other = opt_out_token(KEY, "C-78", "email").split(".")
    mixed = [f"{channel}.{other[1]}.{signature}", f"messaging.{named}.{signature}"]
    rest = ["", ".", "..", "a.b", token + ".", token[:-4], f"{channel}.{named}.", "é.é.é", "\ud800"]
    for one in [*changed, *mixed, *rest]:
        with pytest.raises(OptOutError, match="not one of ours"):
            opened(KEY, one)


def test_a_link_of_another_installation_is_refused() -> None:
    with pytest.raises(OptOutError):
        opened(b"o" * 32, opt_out_token(KEY, "C-77", "email"))


def test_a_text_that_is_only_shown_has_a_link_that_leads_nowhere() -> None:
    link = OptOutLinks("https://crm.example", None).link("C-77", "email")
    assert link == "https://crm.example/v1/unsubscribe/…"


def test_those_who_need_the_key_at_once_have_the_same_and_keep_it(place: Place) -> None:
    opened_by = [place.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as together:
        keys = set(together.map(made_key, opened_by))
    with opened_by[0].reading() as connection:
        assert keys == {opt_out_key(connection)}
    assert len(keys.pop()) == 32
    for database in opened_by:
        database.close()
