"""The section `outreach` of the configuration: what leads where, and what may not."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from features.outreach_config import EmailEndpoint, OutreachConfig

EMAIL = {"kind": "email", "host": "mail.example", "sender": "a@b.example", "addresses": "book.csv"}
CHANNEL = {"endpoint": "post", "daily_capacity": 10, "consent": "not_needed"}


def outreach(**given: Any) -> OutreachConfig:
    return OutreachConfig.model_validate({"endpoints": {"post": EMAIL}, **given})


def test_an_address_book_is_found_from_the_configurations_folder(tmp_path: Path) -> None:
    endpoint = outreach().rooted(tmp_path).endpoints["post"]
    assert isinstance(endpoint, EmailEndpoint)
    assert endpoint.addresses == tmp_path / "book.csv"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"channels": {"phone": CHANNEL}}, "channels.phone leads to 'post', which writes e-mail"),
        ({"events_to": ["post"]}, "events_to.0 leads to 'post', which writes e-mail"),
        ({"channels": {"email": CHANNEL | {"endpoint": "pots"}}}, "endpoints has: post"),
        ({"unsubscribe": "http://toko.example/stop"}, "should match pattern"),
        ({"unsubscribe": "https://toko.example/stop>\r\nBcc: x"}, "should match pattern"),
    ],
)
def test_what_would_reach_the_wrong_reader_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        outreach(**given)
    assert problem in str(caught.value)


FORCE = {
    "kind": "salesforce",
    "url": "https://x",
    "client_id_variable": "I",
    "client_secret_variable": "S",
}


@pytest.mark.parametrize(
    "endpoint",
    [
        {"kind": "hubspot", "token_variable": "T", "id_property": "customer id"},
        FORCE | {"record": "../Account"},
        FORCE | {"external_id": "A/B"},
        {"kind": "hubspot", "token_variable": "not a name"},
    ],
)
def test_names_that_would_change_a_crms_address_are_refused(endpoint: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        OutreachConfig.model_validate({"endpoints": {"crm": endpoint}})
